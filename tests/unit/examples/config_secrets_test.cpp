#include "tests/unit/examples/configured.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>

namespace {

using namespace firehose;
using namespace firehose::app;

constexpr auto password_at = "/credentials/c/password";
constexpr auto canary = "canary-5b1d";

/// An environment variable for the time of one test.
struct variable {
    explicit variable(const char* text) { ::setenv("FIREHOSE_TEST_SECRET", text, 1); }
    ~variable() { ::unsetenv("FIREHOSE_TEST_SECRET"); }
    variable(const variable&) = delete;
};

struct config_secrets_fixture {
    configured file{};

    static std::string with(std::string_view password) {
        return R"({"credentials":{"c":{"type":"user","username":"U","password":)" + std::string(password) +
               "}}}";
    }
    std::string fault_at(std::string_view password, std::string_view where) {
        const auto out = file.load(with(password));
        BOOST_TEST(pointers_of(out.faults) == where);
        return message_at(out.faults, where);
    }
    static bool says(const loaded& out, std::string_view text) {
        for (const auto* list : {&out.faults, &out.warnings})
            for (const auto& f : *list)
                if ((f.pointer + f.message).find(text) != std::string::npos) return true;
        return false;
    }
};

BOOST_FIXTURE_TEST_SUITE(config_secrets, config_secrets_fixture)

BOOST_AUTO_TEST_CASE(from_the_environment) {
    const variable set(canary);
    const auto out = file.load(with(R"({"env":"FIREHOSE_TEST_SECRET"})"));
    BOOST_TEST(out.faults.empty());
    BOOST_TEST(message_at(out.warnings, password_at) == "");
    BOOST_TEST(out.what.credentials.at("c").password.reveal() == canary);
}

BOOST_AUTO_TEST_CASE(a_variable_that_is_not_set_or_empty) {
    BOOST_TEST(fault_at(R"({"env":"FIREHOSE_TEST_SECRET"})", "/credentials/c/password/env")
                   .find("FIREHOSE_TEST_SECRET") != std::string::npos);
    const variable set("");
    fault_at(R"({"env":"FIREHOSE_TEST_SECRET"})", "/credentials/c/password/env");
}

BOOST_AUTO_TEST_CASE(from_a_file_beside_the_configuration) {
    for (const std::string_view text : {"s e c r e t", "s e c r e t\n", "s e c r e t\r\n"}) {
        file.write("secret", text);
        const auto out = file.load(with(R"({"file":"secret"})"));
        BOOST_TEST(out.faults.empty());
        BOOST_TEST(out.what.credentials.at("c").password.reveal() == "s e c r e t");
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_use) {
    constexpr auto where = "/credentials/c/password/file";
    const auto absent = fault_at(R"({"file":"absent"})", where);
    BOOST_TEST(absent.find((file.directory() / "absent").string()) != std::string::npos);
    file.write("empty", "\n");
    BOOST_TEST(fault_at(R"({"file":"empty"})", where).find("empty") != std::string::npos);
    fault_at(R"({"file":"."})", where);
}

BOOST_AUTO_TEST_CASE(a_literal_is_a_warning) {
    const auto out = file.load(with("\"canary-5b1d\""));
    BOOST_TEST(out.faults.empty());
    BOOST_TEST(message_at(out.warnings, password_at) != "");
    BOOST_TEST(out.what.credentials.at("c").password.reveal() == canary);
    BOOST_TEST(!says(out, canary));
}

BOOST_AUTO_TEST_CASE(neither_or_both) {
    fault_at("{}", password_at);
    fault_at(R"({"env":"A","file":"b"})", password_at);
    fault_at("7", password_at);
    fault_at("[\"x\"]", password_at);
}

BOOST_AUTO_TEST_CASE(faults_never_quote) {
    for (const auto* text :
         {R"(["canary-5b1d"])", R"({"value":"canary-5b1d"})", R"({"env":["canary-5b1d"]})"}) {
        const auto out = file.load(with(text));
        BOOST_TEST(!out.faults.empty());
        BOOST_TEST(!says(out, canary));
    }
}

BOOST_AUTO_TEST_CASE(an_override_holds_no_secret) {
    const override_list wrong{
        {"/credentials/c/password", canary},
        {"/credentials/c/password/env", canary},
        {"/credentials/c/secret_access_key", canary},
        {"/credentials/c/session_token", canary},
        {"/credentials/c/token", canary},
        {"/credentials/c/connection_string", canary},
        {"/credentials/c", R"({"type":"user","password":"canary-5b1d"})"},
        {"/credentials", R"({"c":{"type":"token","token":"canary-5b1d"}})"},
        {"/credentials", R"({"c":{"type":"token","token":["canary-5b1d"]}})"},
        {"", R"({"credentials":{"c":{"connection_string":"canary-5b1d"}}})"},
    };
    for (const auto& one : wrong) {
        const auto out = file.load("{}", {one});
        BOOST_REQUIRE(!out.faults.empty());
        BOOST_TEST(message_at(out.faults, one.first).find("command line") != std::string::npos, one.first);
        BOOST_TEST(!says(out, canary));
    }
}

BOOST_AUTO_TEST_CASE(an_override_may_say_where_a_secret_is) {
    const variable set(canary);
    const override_list more{
        {"/credentials/c", R"({"type":"user","username":"U","password":{"env":"FIREHOSE_TEST_SECRET"}})"}};
    const auto out = file.load("{}", more);
    BOOST_TEST(out.faults.empty());
    BOOST_TEST(out.what.credentials.at("c").password.reveal() == canary);
}

BOOST_AUTO_TEST_CASE(who_needs_none_looks_for_none) {
    const auto out = file.load(with(R"({"env":"FIREHOSE_TEST_SECRET"})"), {}, secrets::not_needed);
    BOOST_TEST(out.faults.empty());
    BOOST_TEST(file.load(with(R"({"file":"absent"})"), {}, secrets::not_needed).faults.empty());
    BOOST_TEST(!file.load(with("{}"), {}, secrets::not_needed).faults.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
