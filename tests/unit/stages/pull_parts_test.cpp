#include "stages/json_elements.hpp"
#include "stages/sequence_check.hpp"
#include "tests/unit/stages/stream_rig.hpp"

#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace firehose::stages;
using namespace std::chrono_literals;

namespace {

/// A token endpoint and a stream behind one transport factory, told apart by their hosts.
struct oauth_rig : stream_rig {
    oauth_rig() {
        how.with = {};
        oauth_client who;
        who.to.host = "login.example";
        who.client_id = "id&1";
        who.client_secret = http::secret("canary secret");
        who.refresh_token = http::secret("canary-refresh-0");
        how.with.oauth = who;
        how.connect = [this](const http::authority& to, http::signer*) {
            auto& which = to.host == "login.example" ? login : peer;
            return std::make_shared<peer_transport>(which, time, to.host);
        };
    }
    void grant(const std::string& token, int seconds, const std::string& refresh = "") {
        login.say(200, R"({"access_token":")" + token + R"(","token_type":"bearer","expires_in":)" +
                           std::to_string(seconds) +
                           (refresh.empty() ? "" : R"(,"refresh_token":")" + refresh + "\"") + "}");
    }
    std::string bearer(std::size_t n) const { return peer.seen.at(n).what.header("Authorization"); }

    stream_peer login{};
};

const std::string refusal = R"({"errors":[{"error":{"code":"unauthorized"}}]})";

}  // namespace

BOOST_AUTO_TEST_SUITE(pulling_parts)

BOOST_AUTO_TEST_CASE(an_object_is_cut_into_its_members) {
    std::string problem;
    const auto members = split_object(R"( { "a" : [1,{"b":"}"}] ,"c\"d":"x,\"" , "":null} )", problem);
    BOOST_REQUIRE(members);
    BOOST_REQUIRE(members->size() == 3U);
    BOOST_TEST((*members)[0].name == "a");
    BOOST_TEST((*members)[0].value == R"([1,{"b":"}"}])");
    BOOST_TEST((*members)[1].name == R"(c\"d)");
    BOOST_TEST((*members)[1].value == R"("x,\"")");
    BOOST_TEST((*members)[2].value == "null");
    BOOST_TEST(split_object("{ }", problem)->empty());
    for (const auto* text : {"", "[]", "{", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "{\"a\":1",
                             "{\"a\":1]", "{\"a\":1} {", "{\"a\":\"", "{\"a"})
        BOOST_TEST(!split_object(text, problem), text);
}

BOOST_AUTO_TEST_CASE(a_sequence_is_news_while_it_grows_by_type_and_id) {
    sequence_check check(100);
    BOOST_TEST(check.is_new("lead", "1", 3));
    BOOST_TEST(!check.is_new("lead", "1", 3));
    BOOST_TEST(!check.is_new("lead", "1", 2));
    BOOST_TEST(check.is_new("lead", "1", 7));
    BOOST_TEST(!check.is_new("lead", "1", 4));
    BOOST_TEST(check.is_new("lead", "2", 1));
    BOOST_TEST(check.is_new("deal", "1", 1));
    check.forget();
    BOOST_TEST(check.is_new("lead", "1", 1));
}

BOOST_AUTO_TEST_CASE(what_was_seen_lately_is_remembered_and_memory_is_bounded) {
    sequence_check check(1'000);
    for (int i = 0; i < 100'000; ++i) {
        BOOST_TEST(check.is_new("lead", std::to_string(i), 1));
        if (i % 400 == 0) BOOST_TEST(check.is_new("lead", "often", static_cast<std::uint64_t>(i) + 1));
    }
    for (int i = 99'999; i > 99'999 - 400; --i) BOOST_TEST(!check.is_new("lead", std::to_string(i), 1));
    BOOST_TEST(check.is_new("lead", "0", 1), "long forgotten");
    BOOST_TEST(!check.is_new("lead", "often", 5), "seen again in time, so its sequence is still known");
}

BOOST_AUTO_TEST_CASE(token_answers) {
    const auto now = manual_time::default_start;
    const auto good =
        parse_token_answer(R"({"access_token":"abc","expires_in":3600,"refresh_token":"r"})", now);
    BOOST_REQUIRE(good.has_value());
    BOOST_TEST(good->value.bearer.reveal() == "abc");
    BOOST_TEST((good->value.expires == now + 1h));
    BOOST_TEST(good->refresh_token.reveal() == "r");
    BOOST_TEST(!parse_token_answer(R"({"access_token":"abc"})", now)->value.expires.has_value());
    for (const auto* body : {"", "[]", "{}", R"({"access_token":""})", R"({"access_token":"a b"})",
                             R"({"access_token":"a\r\nX: y"})", R"({"access_token":5.5})"})
        BOOST_TEST(parse_token_answer(body, now).has_error(), body);
}

BOOST_FIXTURE_TEST_CASE(a_token_is_fetched_first_and_renewed_before_it_ends, oauth_rig) {
    how.then = at_top::poll;
    grant("first", 3600);
    grant("second", 3600);
    auto begun = begin();
    for (int i = 0; i < 60; ++i) advance(60s);
    BOOST_REQUIRE(login.seen.size() == 2U);
    const auto& asked = login.seen[0].what;
    BOOST_TEST(asked.method == "POST");
    BOOST_TEST(asked.target == "/oauth2/token");
    BOOST_TEST(asked.body == "grant_type=refresh_token&refresh_token=canary-refresh-0");
    BOOST_TEST(asked.header("Content-Type") == "application/x-www-form-urlencoded");
    BOOST_TEST(asked.header("Authorization") == "Basic aWQlMjYxOmNhbmFyeSUyMHNlY3JldA==");
    BOOST_TEST(bearer(0) == "Bearer first");
    const auto renewed = login.seen[1].at - login.seen[0].at;
    BOOST_TEST((renewed >= 3000s));
    BOOST_TEST((renewed < 3600s));
    for (const auto& r : peer.seen)
        BOOST_TEST(
            (r.what.header("Authorization") == (r.at < login.seen[1].at ? "Bearer first" : "Bearer second")));
    stop.request_drain();
    finish(*begun.running);
}

BOOST_FIXTURE_TEST_CASE(a_refused_token_is_renewed_and_the_page_asked_for_again_at_once, oauth_rig) {
    grant("first", 3600);
    grant("second", 3600);
    how.apart = 2'000ms;  // tokens are not renewed more than once a second
    peer.script.push_back([this](const pull_request& r) { return peer.answer_from(r.position()); });
    peer.say(401, refusal);
    BOOST_TEST(pull()->complete);
    BOOST_TEST((sink->events == peer.events));
    BOOST_TEST(bearer(1) == "Bearer first");
    BOOST_TEST(bearer(2) == "Bearer second");
    BOOST_TEST((peer.seen[2].at == peer.seen[1].at));
    BOOST_TEST(count["stream_failures"] == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_token_that_is_refused_twice_is_a_failure, oauth_rig) {
    grant("first", 3600);
    grant("second", 3600);
    how.apart = 2'000ms;
    peer.script.push_back([this](const pull_request& r) { return peer.answer_from(r.position()); });
    peer.say(401, refusal);
    peer.say(401, refusal);
    BOOST_TEST(pull()->failure == "GET https://crm.example/v3/leads/stream: 401 unauthorized");
    BOOST_TEST(stored() == "p2");
}

BOOST_FIXTURE_TEST_CASE(a_refresh_token_that_is_replaced_survives_a_restart, oauth_rig) {
    grant("first", 3600, "canary-refresh-1");
    pull();
    grant("second", 3600, "canary-refresh-2");
    pull();
    BOOST_TEST(login.seen.at(1).what.body.ends_with("refresh_token=canary-refresh-1"));
    grant("third", 3600);
    pull();
    BOOST_TEST(login.seen.at(2).what.body.ends_with("refresh_token=canary-refresh-2"));
    // A person configures another: what replaced the old one is of no use.
    how.with.oauth->refresh_token = http::secret("canary-refresh-new");
    grant("fourth", 3600);
    pull();
    BOOST_TEST(login.seen.at(3).what.body.ends_with("refresh_token=canary-refresh-new"));
    for (const auto& line : log_lines) BOOST_TEST(line.find("canary") == std::string::npos, line);
}

BOOST_FIXTURE_TEST_CASE(a_public_client_names_itself_in_the_body, oauth_rig) {
    how.with.oauth->client_secret = {};
    grant("first", 3600);
    pull();
    BOOST_TEST(login.seen.at(0).what.body.ends_with("&client_id=id%261"));
    BOOST_TEST(login.seen.at(0).what.header("Authorization") == "");
}

BOOST_FIXTURE_TEST_CASE(a_token_endpoint_that_refuses_ends_a_run_with_its_words, oauth_rig) {
    login.say(400, R"({"error":"invalid_grant","error_description":"The refresh token is revoked."})");
    const auto said = pull();
    BOOST_TEST(said->failure.find("invalid_grant: The refresh token is revoked.") != std::string::npos,
               said->failure);
    BOOST_TEST(peer.seen.empty());
    BOOST_TEST(said->failure.find("canary") == std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_token_endpoint_that_is_down_is_waited_for, oauth_rig) {
    how.attempts = 10;
    for (int i = 0; i < 4; ++i) login.say(503);
    grant("first", 3600);
    BOOST_TEST(pull()->complete);
    BOOST_TEST((sink->events == peer.events));
}

BOOST_AUTO_TEST_SUITE_END()
