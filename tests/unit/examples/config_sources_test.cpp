#include "tests/unit/examples/configured.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace firehose;
using namespace firehose::app;
using namespace std::chrono_literals;
using stages::at_top;
using stages::on_expired;

struct sources_fixture {
    configured file{};

    loaded load(std::string_view sources) {
        const std::string text =
            R"({"data_dir":"d","default":{"enabled":false},"flows":{"f1":{"firehose":{"enabled":false}}},
            "delivery":{"timeout_ms":1234,"http":{"proxy":{"url":"http://127.0.0.1:3128"}}},"sources":)";
        return file.load(text + std::string(sources) + "}");
    }
    pull_settings one(std::string_view source) {
        auto out = load("[" + std::string(source) + "]");
        BOOST_TEST(pointers_of(out.faults) == "", source);
        BOOST_REQUIRE(out.what.streams.size() == 1U);
        return out.what.streams.front();
    }
    std::string fault_of(std::string_view source, std::string_view pointer) {
        const auto out = load("[" + std::string(source) + "]");
        BOOST_TEST(pointers_of(out.faults) == pointer, source);
        return message_at(out.faults, pointer);
    }
};

const std::string least = R"("type":"stream","url":"https://api.getbase.com","resource":"leads")";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(config_sources, sources_fixture)

BOOST_AUTO_TEST_CASE(a_stream_needs_a_url_a_resource_and_a_token) {
    const auto found = one("{" + least + R"(,"token":"abc"})");
    const auto& how = found.common;
    BOOST_TEST(describe(how.at) == "https://api.getbase.com/v3/leads/stream");
    BOOST_TEST(how.with.token.reveal() == "abc");
    BOOST_TEST(how.name == "api.getbase.com-443-leads");
    BOOST_TEST(how.directory == file.directory() / "d/sources/api.getbase.com-443-leads");
    BOOST_TEST(how.start == "tail");
    BOOST_TEST((how.expired == on_expired::tail));
    BOOST_TEST(how.limit == 100U);
    BOOST_TEST((how.poll == 5s));
    BOOST_TEST((how.apart == 100ms));
    BOOST_TEST(how.http.user_agent == "firehose");
    BOOST_TEST(how.http.accept.body == 32U << 20);
    BOOST_TEST(how.http.proxy.has_value());
    BOOST_TEST((how.http.wait.whole == 30s));
}

BOOST_AUTO_TEST_CASE(run_ends_at_the_top_and_serve_polls_unless_told_otherwise) {
    const auto usual = one("{" + least + R"(,"token":"abc"})");
    BOOST_TEST((usual.of_run().then == at_top::end));
    BOOST_TEST(usual.of_run().attempts == 10U);
    BOOST_TEST(usual.of_run().ends_on_loss);
    BOOST_TEST((usual.of_serve().then == at_top::poll));
    BOOST_TEST(usual.of_serve().attempts == 0U);
    BOOST_TEST(!usual.of_serve().ends_on_loss);
    const auto polls = one("{" + least + R"(,"token":"abc","at_top":"poll"})");
    BOOST_TEST((polls.of_run().then == at_top::poll));
    BOOST_TEST(polls.of_run().attempts == 0U);
    const auto ends = one("{" + least + R"(,"token":"abc","at_top":"end","attempts":3})");
    BOOST_TEST((ends.of_serve().then == at_top::end));
    BOOST_TEST(ends.of_serve().attempts == 3U);
}

BOOST_AUTO_TEST_CASE(every_key_of_a_stream_is_read) {
    file.write("token.txt", "from-a-file\n");
    const auto found =
        one(R"({"type":"stream","name":"Crm_1.x","url":"http://127.0.0.1:8080/crm/","resource":"deals",
        "token":{"file":"token.txt"},"flow":"f1","start":"p17","expired":"stop","limit":7,"poll_ms":11,"save_ms":17,
        "requests_per_second":20,"timeout_ms":12,"backoff_ms":13,"backoff_cap_ms":14,"page_bytes":4096,
        "remember":15,"barren_pages":16,"user_agent":"acme/1","ca_file":"roots.pem"})");
    const auto& how = found.common;
    BOOST_TEST(how.name == "Crm_1.x");
    BOOST_TEST(describe(how.at) == "http://127.0.0.1:8080/crm/v3/deals/stream");
    BOOST_TEST(how.at.to.ca_file == (file.directory() / "roots.pem").string());
    BOOST_TEST(how.with.token_file == (file.directory() / "token.txt").string());
    BOOST_TEST(how.flow == "f1");
    BOOST_TEST(how.start == "p17");
    BOOST_TEST((how.expired == on_expired::stop));
    BOOST_TEST(how.limit == 7U);
    BOOST_TEST((how.poll == 11ms));
    BOOST_TEST((how.save_every == 17ms));
    BOOST_TEST((how.apart == 50ms));
    BOOST_TEST((how.timeout == 12ms));
    BOOST_TEST((how.backoff == 13ms));
    BOOST_TEST((how.backoff_cap == 14ms));
    BOOST_TEST(how.http.accept.body == 4096U);
    BOOST_TEST(how.remember == 15U);
    BOOST_TEST(how.barren_pages == 16U);
    BOOST_TEST(how.http.user_agent == "acme/1");
}

BOOST_AUTO_TEST_CASE(a_token_may_be_renewed_by_oauth) {
    const auto found =
        one("{" + least + R"(,"oauth":{"client_id":"id","client_secret":"s","refresh_token":"r"}})");
    BOOST_REQUIRE(found.common.with.oauth.has_value());
    const auto& who = *found.common.with.oauth;
    BOOST_TEST(who.to.host == "api.getbase.com");
    BOOST_TEST(who.target == "/oauth2/token");
    BOOST_TEST(who.client_id == "id");
    BOOST_TEST(who.client_secret.reveal() == "s");
    BOOST_TEST(who.refresh_token.reveal() == "r");
    const auto elsewhere =
        one("{" + least +
            R"(,"oauth":{"token_url":"https://login.example/t","client_id":"id","refresh_token":"r"}})");
    BOOST_TEST(elsewhere.common.with.oauth->to.host == "login.example");
    BOOST_TEST(elsewhere.common.with.oauth->target == "/t");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_stream_is_said_where_it_stands) {
    const std::string with_token = least + R"(,"token":"abc")";
    struct {
        std::string source, pointer, word;
    } const cases[] = {
        {R"({"type":"stream","resource":"leads","token":"a"})", "/sources/0/url", "required"},
        {R"({"type":"stream","url":"ftp://x","resource":"leads","token":"a"})", "/sources/0/url", "http"},
        {R"({"type":"stream","url":"https://u:p@x","resource":"leads","token":"a"})", "/sources/0/url", ""},
        {R"({"type":"stream","url":"https://x","token":"a"})", "/sources/0/resource",
         "between /v3/ and /stream"},
        {R"({"type":"stream","url":"https://x","resource":"a/b","token":"a"})", "/sources/0/resource",
         "required"},
        {"{" + least + "}", "/sources/0/token", "or \"oauth\" in its place"},
        {"{" + least + R"(,"token":"a","oauth":{"client_id":"i","refresh_token":"r"}})", "/sources/0/token",
         "oauth"},
        {"{" + least + R"(,"token":"a b"})", "/sources/0/token", "without blanks"},
        {"{" + least + R"(,"token":{"env":"FIREHOSE_NOT_SET"}})", "/sources/0/token/env", "not set"},
        {"{" + least + R"(,"oauth":5})", "/sources/0/oauth", "object"},
        {"{" + least + R"(,"oauth":{"client_id":"i"}})", "/sources/0/oauth/refresh_token", "required"},
        {"{" + least + R"(,"oauth":{"refresh_token":"r"}})", "/sources/0/oauth/client_id", "required"},
        {"{" + with_token + R"(,"expired":"skip"})", "/sources/0/expired", "\"tail\", \"top\" or \"stop\""},
        {"{" + with_token + R"(,"at_top":"stop"})", "/sources/0/at_top", "\"end\" or \"poll\""},
        {"{" + with_token + R"(,"limit":101})", "/sources/0/limit", "100"},
        {"{" + with_token + R"(,"limit":0})", "/sources/0/limit", "from 1"},
        {"{" + with_token + R"(,"start":""})", "/sources/0/start", "position"},
        {"{" + with_token + R"(,"flow":"f2"})", "/sources/0/flow", "names none"},
        {"{" + with_token + R"(,"name":"../x"})", "/sources/0/name", "letters"},
        {"{" + with_token + R"(,"name":".x"})", "/sources/0/name", "dot"},
        {"{" + with_token + R"(,"user_agent":""})", "/sources/0/user_agent", "refuse"},
        {"{" + with_token + R"(,"user_agent":"a\r\nb"})", "/sources/0/user_agent", "visible"},
        {"{" + with_token + R"(,"resuorce":"x"})", "/sources/0/resuorce", "\"resource\""},
        {"{" + with_token + "},{" + with_token + "}", "/sources/1/name", "give each its own"},
        {R"({"type":"http"})", "/sources/0/type", "\"file\" or \"stream\""},
    };
    for (const auto& c : cases) {
        const auto said = fault_of(c.source, c.pointer);
        BOOST_TEST(said.find(c.word) != std::string::npos, c.source << " said: " << said);
        BOOST_TEST(said.find("u:p") == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(a_token_without_tls_is_warned_of_but_not_on_this_machine) {
    const auto warns = [&](const std::string& url) {
        const auto out =
            load(R"([{"type":"stream","resource":"leads","token":{"env":"PATH"},"url":")" + url + "\"}]");
        return message_at(out.warnings, "/sources/0/url").find("without TLS") != std::string::npos;
    };
    BOOST_TEST(warns("http://crm.example"));
    BOOST_TEST(!warns("https://crm.example"));
    BOOST_TEST(!warns("http://127.0.0.1:8080"));
}

BOOST_AUTO_TEST_CASE(secrets_of_a_stream_do_not_belong_on_a_command_line) {
    for (const auto* place :
         {"/sources/0/token", "/sources/0/oauth/refresh_token", "/sources/0/oauth/client_secret"}) {
        const auto out =
            file.load("{\"sources\":[{" + least + R"(,"token":"a","oauth":{}}]})", {{place, "x"}});
        BOOST_TEST(message_at(out.faults, place).find("command line") != std::string::npos, place);
    }
}

BOOST_AUTO_TEST_SUITE_END()
