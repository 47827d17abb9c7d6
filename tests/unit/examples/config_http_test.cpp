#include "tests/unit/examples/configured.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace firehose;
using namespace firehose::app;
using namespace std::chrono_literals;

struct config_http_fixture {
    configured file{};

    loaded with(const std::string& http) {
        return file.load(R"({"default":{"enabled":false,"services":{}},"delivery":{"http":)" + http + "}}");
    }
    std::string only_fault(const std::string& http, const std::string& pointer) {
        const auto out = with(http);
        BOOST_TEST(pointers_of(out.faults) == "/delivery/http" + pointer, http);
        return message_at(out.faults, "/delivery/http" + pointer);
    }
};

BOOST_FIXTURE_TEST_SUITE(config_http, config_http_fixture)

BOOST_AUTO_TEST_CASE(what_is_not_said_has_the_documented_value) {
    const auto out = with("{}");
    BOOST_TEST(pointers_of(out.faults) == "");
    BOOST_TEST(!out.what.http.proxy.has_value());
    BOOST_TEST(out.what.http.expect_continue == http::never_expect);
    BOOST_TEST((out.what.http.idle == 4000ms));
}

BOOST_AUTO_TEST_CASE(every_key_is_read) {
    file.write("word", "P\n");
    const auto out =
        with(R"({"proxy":{"url":"http://proxy.internal:8080","username":"U","password":{"file":"word"},
        "except":["minio.internal",".local"]},"expect_continue_bytes":1048576,"continue_timeout_ms":2,
        "resolve_timeout_ms":3,"idle_ms":4,"idle_connections":5})");
    BOOST_TEST(pointers_of(out.faults) == "");
    BOOST_TEST(pointers_of(out.warnings) == "");
    const auto& how = out.what.http;
    BOOST_REQUIRE(how.proxy.has_value());
    BOOST_TEST(how.proxy->host == "proxy.internal");
    BOOST_TEST(how.proxy->port == 8080);
    BOOST_TEST(how.proxy->username == "U");
    BOOST_TEST(how.proxy->password.reveal() == "P");
    BOOST_TEST((how.proxy->except == std::vector<std::string>{"minio.internal", ".local"}));
    BOOST_TEST(how.expect_continue == 1048576U);
    BOOST_TEST((how.wait.leave == 2ms));
    BOOST_TEST((how.wait.resolve == 3ms));
    BOOST_TEST((how.idle == 4ms));
    BOOST_TEST(how.idle_connections == 5U);
}

BOOST_AUTO_TEST_CASE(a_proxy_is_an_http_url_without_anything_else) {
    for (const auto* url : {"", "proxy:3128", "https://proxy:3128", "http://user:word@proxy:3128",
                            "http://proxy:3128/path", "http://proxy:0", "socks5://proxy"}) {
        const auto text = only_fault(std::string(R"({"proxy":{"url":")") + url + "\"}}", "/proxy/url");
        BOOST_TEST(text == "must be http://host:port; user name and password have keys of their own");
    }
    only_fault(R"({"proxy":{}})", "/proxy/url");
    only_fault(R"({"proxy":"http://proxy:3128"})", "/proxy");
    const auto plain = with(R"({"proxy":{"url":"http://proxy"}})");
    BOOST_TEST(plain.what.http.proxy->port == 80);
}

BOOST_AUTO_TEST_CASE(a_proxys_credentials_are_checked_and_a_plain_password_is_warned_of) {
    only_fault(R"({"proxy":{"url":"http://p:1","username":"a:b"}})", "/proxy/username");
    only_fault(R"({"proxy":{"url":"http://p:1","password":{"env":"NO_SUCH_VARIABLE"}}})",
               "/proxy/password/env");
    file.write("word", "P");
    only_fault(R"({"proxy":{"url":"http://p:1","password":{"file":"word"}}})", "/proxy/username");
    const auto out = with(R"({"proxy":{"url":"http://p:1","username":"u","password":"visible"}})");
    BOOST_TEST(pointers_of(out.warnings) == "/delivery/http/proxy/password");
    BOOST_TEST(message_at(out.warnings, "/delivery/http/proxy/password").find("visible") ==
               std::string::npos);
    const auto set = file.load(R"({"default":{"enabled":false,"services":{}}})",
                               {{"/delivery/http/proxy/password", "visible"}});
    BOOST_TEST(pointers_of(set.faults) == "/delivery/http/proxy/password");
}

BOOST_AUTO_TEST_CASE(faults_have_their_place) {
    only_fault(R"({"proxies":{}})", "/proxies");
    only_fault(R"({"proxy":{"url":"http://p:1","except":"a"}})", "/proxy/except");
    only_fault(R"({"proxy":{"url":"http://p:1","except":[1]}})", "/proxy/except");
    only_fault(R"({"expect_continue_bytes":0})", "/expect_continue_bytes");
    only_fault(R"({"idle_ms":0})", "/idle_ms");
    only_fault(R"({"idle_connections":-1})", "/idle_connections");
}

BOOST_AUTO_TEST_CASE(a_guard_is_there_when_it_is_asked_for) {
    BOOST_TEST(!with("{}").what.http.guard.has_value());
    const auto usual = with(R"({"guard":{}})");
    BOOST_REQUIRE(usual.what.http.guard.has_value());
    BOOST_TEST(!usual.what.http.guard->development);
    BOOST_TEST((usual.what.http.guard->ports == std::vector<std::uint16_t>{443}));
    BOOST_TEST(usual.what.http.guard->networks.empty());
    const auto own = with(R"({"guard":{"ports":[443,9000],"networks":["10.20.0.0/16","fd00:1::/32"]}})");
    BOOST_TEST(pointers_of(own.faults) == "");
    BOOST_TEST((own.what.http.guard->ports == std::vector<std::uint16_t>{443, 9000}));
    BOOST_TEST(own.what.http.guard->networks.size() == 2U);
    BOOST_TEST(own.what.http.guard->problem(asio::ip::make_address("10.20.1.2")).empty());
    for (const auto* wrong : {"443", "[]", "[0]", "[65536]", "[\"443\"]", "[443,-1]"})
        only_fault(std::string(R"({"guard":{"ports":)") + wrong + "}}", "/guard/ports");
    for (const auto* wrong : {"\"10.0.0.0/8\"", "[1]", "[\"\"]", "[\"10.1.0.0/8\"]", "[\"internal\"]"})
        only_fault(std::string(R"({"guard":{"networks":)") + wrong + "}}", "/guard/networks");
    only_fault(R"({"guard":{"development":1}})", "/guard/development");
    only_fault(R"({"guard":{"allow":[]}})", "/guard/allow");
}

BOOST_AUTO_TEST_CASE(a_credential_names_its_client_certificate) {
    const auto out = file.load(R"({"default":{"enabled":false,"services":{}},"credentials":{
        "a":{"type":"token","token":"T","client_certificate":"c.pem","client_key":"/k.pem"},
        "b":{"type":"token","token":"T","client_key":"k.pem"}}})");
    BOOST_TEST(pointers_of(out.faults) == "/credentials/b/client_certificate");
    const auto& c = out.what.credentials.at("a");
    BOOST_TEST(c.client_certificate == (file.directory() / "c.pem").string());
    BOOST_TEST(c.client_key == "/k.pem");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
