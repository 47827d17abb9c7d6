// A client with a guard, names that lead wherever a test says, and a server where it must not get to.
#include "tests/loopback/scripted_server.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>

using namespace firehose;
using namespace firehose::loopback;
using namespace std::chrono_literals;

namespace {

using asio::ip::address;

address at(const std::string& text) { return asio::ip::make_address(text); }

/// A server on 127.0.0.2, which the guard allows, and one on 127.0.0.1 and the same port, which it does not.
/// Both hang up at once: what counts is who was connected to.
struct two_places {
    two_places()
        : allowed(shard.x.ex, hang_up, {asio::ip::make_address_v4("127.0.0.2"), 0}),
          forbidden(shard.x.ex, hang_up, {asio::ip::address_v4::loopback(), allowed.port()}) {
        to.host = "store.example";
        to.port = allowed.port();
        how.wait.connect = 2s;
        how.addresses = 0ms;  // ask each time
        how.guard.emplace().ports.clear();
        how.guard->networks.push_back(*http::parse_network("127.0.0.2"));
        how.names = [this](const std::string& host) { return look_up(host); };
    }

    static task<> hang_up(peer&) { co_return; }

    result<http::addresses> look_up(const std::string& host) {
        asked.push_back(host);
        if (answers.empty()) return error(disposition::retry, "no such name");
        auto now = answers.front();
        if (answers.size() > 1) answers.pop_front();
        return now;
    }

    /// On one client, one after the other; what each failed with.
    std::vector<error> send(int times = 1) {
        http::client client(shard.x, how);
        auto out = shard.run(send_all(client, times));
        for (const auto& each : out) BOOST_REQUIRE(!each.has_value());
        std::vector<error> errors;
        for (const auto& each : out) errors.push_back(each.error());
        return errors;
    }
    task<std::vector<result<http::response>>> send_all(http::client& client, int times) {
        std::vector<result<http::response>> out;
        for (; times > 0; --times) {
            auto req = scenario::get("/bucket");
            const auto deadline = shard.x.time.now() + 10s;
            auto answer = co_await client.send(to, req, nullptr, deadline);
            out.push_back(std::move(answer));
        }
        allowed.stop();
        forbidden.stop();
        co_return out;
    }

    contract::real_shard shard;
    scripted_server allowed;
    scripted_server forbidden;
    http::authority to{};
    http::client_options how{};
    std::deque<http::addresses> answers{};  ///< the last one again and again
    std::vector<std::string> asked{};       ///< on the blocking pool, but one at a time and before the answer
};

bool is_refusal(const error& e) { return e.code() == asio::error::access_denied; }

}  // namespace

BOOST_AUTO_TEST_SUITE(http_guard)

BOOST_AUTO_TEST_CASE(a_name_that_changes_behind_the_check_is_not_looked_up_again) {
    two_places t;
    t.answers = {{at("127.0.0.2")}, {at("127.0.0.1")}};
    const auto errors = t.send();
    BOOST_TEST(!is_refusal(errors[0]), errors[0].context());
    BOOST_TEST(t.asked.size() == 1U);
    BOOST_TEST(t.allowed.connections() == 1);
    BOOST_TEST(t.forbidden.connections() == 0);
}

BOOST_AUTO_TEST_CASE(a_name_that_has_changed_is_judged_anew) {
    two_places t;
    t.answers = {{at("127.0.0.2")}, {at("127.0.0.1")}};
    const auto errors = t.send(3);
    BOOST_TEST(!is_refusal(errors[0]), errors[0].context());
    BOOST_TEST(is_refusal(errors[1]), errors[1].context());
    BOOST_TEST(is_refusal(errors[2]), errors[2].context());
    BOOST_TEST(t.allowed.connections() == 1);
    BOOST_TEST(t.forbidden.connections() == 0);
}

BOOST_AUTO_TEST_CASE(a_good_address_does_not_let_a_bad_one_in) {
    for (const auto* bad :
         {"127.0.0.1", "10.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "0.0.0.0"}) {
        for (const bool first : {false, true}) {
            two_places t;
            http::addresses mixed{at("127.0.0.2"), at(bad)};
            if (first) std::ranges::reverse(mixed);
            t.answers = {mixed};
            const auto errors = t.send();
            BOOST_TEST(is_refusal(errors[0]), errors[0].context());
            BOOST_TEST(t.allowed.connections() == 0, bad);
            BOOST_TEST(t.forbidden.connections() == 0, bad);
        }
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_right_is_not_even_looked_up) {
    struct row {
        bool tls;
        const char* host;
    };
    for (const auto& r :
         {row{false, "store.example"}, row{true, "127.0.0.1"}, row{true, "127.1"}, row{true, "2130706433"},
          row{true, "0x7f.1"}, row{true, "0177.0.0.1"}, row{true, "localhost"}, row{true, "localhost."},
          row{true, "::1"}, row{true, "::ffff:127.0.0.1"}}) {
        two_places t;
        t.to.tls = r.tls;
        t.to.host = r.host;
        t.answers = {{at("127.0.0.2")}};
        const auto errors = t.send();
        BOOST_TEST(is_refusal(errors[0]), errors[0].context());
        BOOST_TEST(t.asked.empty(), r.host);
        BOOST_TEST(t.allowed.connections() + t.forbidden.connections() == 0, r.host);
    }
}

BOOST_AUTO_TEST_CASE(ports_are_a_list) {
    two_places t;
    t.how.guard->ports = {443};
    t.answers = {{at("127.0.0.2")}};
    BOOST_TEST(is_refusal(t.send()[0]));
    BOOST_TEST(t.allowed.connections() == 0);
}

BOOST_AUTO_TEST_CASE(the_other_end_of_the_connection_is_judged_too) {
    // The kernel takes 0.0.0.0 for 127.0.0.1: what was asked for is not what one gets.
    two_places t;
    t.how.guard->networks = {*http::parse_network("0.0.0.0/8")};
    t.answers = {{at("0.0.0.0")}};
    const auto errors = t.send();
    BOOST_TEST(is_refusal(errors[0]), errors[0].context());
    BOOST_TEST(errors[0].context().find("at 127.0.0.1, which is loopback") != std::string::npos,
               errors[0].context());
}

BOOST_AUTO_TEST_CASE(a_redirect_is_an_answer_and_not_followed) {
    auto how = scenario::quick();
    how.guard.emplace().development = true;
    scenario s(
        [](peer& p) -> task<> {
            const auto request = co_await p.read_request();
            co_await p.write("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\n"
                             "Content-Length: 0\r\n\r\n");
        },
        how);
    const auto answer = s.send(scenario::get());
    BOOST_REQUIRE_MESSAGE(answer.has_value(), answer.error().context());
    BOOST_TEST(answer->status == 307);
    BOOST_TEST(s.server.connections() == 1);
}

BOOST_AUTO_TEST_CASE(names_can_fail_too) {
    two_places t;
    const auto errors = t.send();
    BOOST_TEST(errors[0].context().find("store.example: no such name") != std::string::npos,
               errors[0].context());
}

BOOST_AUTO_TEST_SUITE_END()
