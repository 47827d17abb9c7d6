#include "tests/loopback/scripted_server.hpp"

#include <boost/asio/error.hpp>
#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace firehose::loopback;
using namespace std::chrono_literals;

namespace {

/// Reads the request, sends `text`, closes.
scripted_server::script says(std::string text) {
    return [text = std::move(text)](peer& p) -> task<> {
        co_await p.read_request();
        co_await p.write(text);
    };
}

/// Reads the request, sends `text`, then keeps the connection open.
scripted_server::script says_and_stays(std::string text) {
    return [text = std::move(text)](peer& p) -> task<> {
        co_await p.read_request();
        co_await p.write(text);
        co_await p.wait_for_close();
    };
}

error refused(scenario& s, http::request req = scenario::get()) {
    auto answer = s.send(std::move(req));
    BOOST_REQUIRE_MESSAGE(!answer.has_value(),
                          "taken for an answer of status " << (answer ? answer->status : 0));
    BOOST_TEST((answer.error().what() == disposition::retry), answer.error().context());
    return answer.error();
}

void cut_everywhere(const std::string& whole, const http::request& req) {
    for (std::size_t n = 0; n < whole.size(); ++n) {
        scenario s(says(whole.substr(0, n)));
        auto answer = s.send(req);
        BOOST_TEST(!answer.has_value(), "cut after byte " << n);
        if (!answer.has_value()) BOOST_TEST((answer.error().what() == disposition::retry));
    }
    scenario s(says(whole));
    BOOST_TEST(s.send(req).has_value());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(http_hostile)

BOOST_AUTO_TEST_CASE(an_answer_cut_at_any_byte_is_no_answer) {
    cut_everywhere(ok("<ok/>"), scenario::put("body"));
    cut_everywhere("HTTP/1.1 503 Slow Down\r\nContent-Length: 7\r\n\r\n<Error>", scenario::put("body"));
    cut_everywhere("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                   scenario::get());
    cut_everywhere("HTTP/1.1 100 Continue\r\n\r\n" + ok(""), scenario::put("body"));
}

BOOST_AUTO_TEST_CASE(answers_that_are_not_http) {
    for (const auto* text :
         {"220 mail.example ESMTP\r\n", "SSH-2.0-OpenSSH\r\n", "\r\n\r\n", "HTTP/1.1\r\n\r\n",
          "HTTP/1.1 9999 X\r\n\r\n", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello",
          "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
          "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nhello",
          "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello",
          "HTTP/1.1 200 OK\r\nbad header\r\nContent-Length: 0\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"}) {
        auto how = scenario::quick();
        how.wait.progress = 200ms;  // some look like the beginning of an answer
        scenario s(says_and_stays(text), how);
        refused(s);
    }
}

BOOST_AUTO_TEST_CASE(two_lengths_are_none) {
    for (const auto* headers : {"Content-Length: 5\r\nContent-Length: 3\r\n", "Content-Length: 5, 3\r\n",
                                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"}) {
        scenario s(says_and_stays(std::string("HTTP/1.1 200 OK\r\n") + headers + "\r\nhello"));
        refused(s);
    }
}

BOOST_AUTO_TEST_CASE(a_transfer_coding_nobody_knows_is_not_read_as_text) {
    for (const auto* coding : {"xchunked", "identity", "chunked, identity", "gzip"}) {
        scenario s(says(std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: ") + coding +
                        "\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
        refused(s);
    }
}

BOOST_AUTO_TEST_CASE(extra_bytes_are_never_the_next_answer) {
    scenario s([](peer& p) -> task<> {
        co_await p.read_request();
        const std::string mine = ok("answer " + std::to_string(p.number));
        co_await p.write(mine + ok("forged"));
        co_await p.wait_for_close();
    });
    const auto answers = s.send_all({scenario::get(), scenario::get()});
    BOOST_TEST(answers.at(0)->body == "answer 0");
    BOOST_TEST(answers.at(1)->body == "answer 1");
    BOOST_TEST(s.server.connections() == 2);
}

BOOST_AUTO_TEST_CASE(bytes_that_come_while_idle_are_never_the_next_answer) {
    scenario s([](peer& p) -> task<> {
        co_await p.read_request();
        co_await p.write(ok("answer " + std::to_string(p.number)));
        co_await p.write(ok("forged"));
        co_await p.wait_for_close();
    });
    const auto answers = s.send_all({scenario::get(), scenario::get(), scenario::get()});
    for (const auto& a : answers) {
        BOOST_REQUIRE(a.has_value());
        BOOST_TEST(a->body != "forged");
    }
}

BOOST_AUTO_TEST_CASE(a_byte_at_a_time_is_slow_but_right) {
    const auto whole = ok("0123456789");
    scenario s([&whole](peer& p) -> task<> {
        co_await p.read_request();
        for (const char c : whole) co_await p.write(std::string(1, c));
        co_await p.wait_for_close();
    });
    const auto answer = s.send(scenario::get());
    BOOST_REQUIRE_MESSAGE(answer.has_value(), answer.error().context());
    BOOST_TEST(answer->body == "0123456789");
}

BOOST_AUTO_TEST_CASE(a_byte_now_and_then_for_ever_ends_at_the_deadline) {
    auto how = scenario::quick();
    how.wait.progress = 10s;
    scenario s(
        [](peer& p) -> task<> {
            co_await p.read_request();
            co_await p.write("HTTP/1.1 200 OK\r\n");
            real_time time;
            while (p.open) {
                co_await p.write("a");
                co_await time.sleep_until(time.now() + 5ms);
            }
        },
        how);
    s.limit = 300ms;
    const auto e = refused(s);
    BOOST_TEST((e.code() == asio::error::timed_out));
    BOOST_TEST(e.context().find("the time for the request ended while reading the answer") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(headers_without_end_are_cut_short) {
    scenario s([](peer& p) -> task<> {
        co_await p.read_request();
        co_await p.write("HTTP/1.1 200 OK\r\n");
        const std::string line = "X: " + std::string(1000, 'x') + "\r\n";
        while (p.open) co_await p.write(line);
    });
    const auto e = refused(s);
    BOOST_TEST(e.context().find("more than 65536 bytes of headers") != std::string::npos, e.context());
}

BOOST_AUTO_TEST_CASE(interim_answers_without_end_are_cut_short) {
    scenario s([](peer& p) -> task<> {
        co_await p.read_request();
        while (p.open) co_await p.write("HTTP/1.1 102 Processing\r\n\r\n");
    });
    refused(s);
}

BOOST_AUTO_TEST_CASE(a_server_that_never_answers_is_given_up) {
    auto how = scenario::quick();
    how.wait.first_byte = 100ms;
    scenario s(says_and_stays(""), how);
    const auto e = refused(s);
    BOOST_TEST((e.code() == asio::error::timed_out));
    BOOST_TEST(e.context().find("no progress while waiting for the answer") != std::string::npos,
               e.context());
}

BOOST_AUTO_TEST_CASE(the_callers_deadline_counts_too) {
    scenario s(says_and_stays(""));
    s.limit = 100ms;
    const auto e = refused(s);
    BOOST_TEST((e.code() == asio::error::timed_out));
    s.limit = 0ms;
    scenario late(says_and_stays(""));
    late.limit = -1ms;
    refused(late);
    BOOST_TEST(late.server.connections() == 0);
}

BOOST_AUTO_TEST_CASE(a_server_that_stops_reading_is_given_up) {
    const std::string large(64 << 20, 'x');
    auto how = scenario::quick();
    how.wait.progress = 200ms;
    scenario s(
        [](peer& p) -> task<> {
            co_await p.read_head();
            real_time time;
            co_await time.sleep_until(time.now() + 2s);
        },
        how);
    const auto e = refused(s, scenario::put(large));
    BOOST_TEST((e.code() == asio::error::timed_out));
    BOOST_TEST(e.context().find("no progress while sending the request") != std::string::npos, e.context());
}

BOOST_AUTO_TEST_CASE(an_early_refusal_is_read_while_the_body_goes_out) {
    const std::string large(64 << 20, 'x');
    scenario s([](peer& p) -> task<> {
        co_await p.read_head();
        co_await p.write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
        real_time time;
        co_await time.sleep_until(time.now() + 1s);  // and reads no more
    });
    const auto answer = s.send(scenario::put(large));
    BOOST_REQUIRE_MESSAGE(answer.has_value(), answer.error().context());
    BOOST_TEST(answer->status == 413);
    BOOST_TEST(answer->body == "big");
    BOOST_TEST(s.client.idle_connections() == 0U);
}

BOOST_AUTO_TEST_CASE(an_early_success_is_a_lie) {
    const std::string large(64 << 20, 'x');
    scenario s([](peer& p) -> task<> {
        co_await p.read_head();
        co_await p.write(ok(""));
        real_time time;
        co_await time.sleep_until(time.now() + 1s);
    });
    const auto e = refused(s, scenario::put(large));
    BOOST_TEST(e.context().find("reported success before it had the whole request") != std::string::npos,
               e.context());
}

BOOST_AUTO_TEST_CASE(an_answer_before_the_request_is_no_answer) {
    scenario s([](peer& p) -> task<> {
        co_await p.write(ok("too eager"));
        co_await p.wait_for_close();
    });
    // The client looks before it writes; the answer is there when the connection was made a moment ago.
    http::client_options how;
    const auto run = [&]() -> task<error> {
        http::connect_options opening{how};
        const http::addresses where(1, asio::ip::address_v4::loopback());
        const auto deadline = s.shard.x.time.now() + 5s;
        auto made = co_await http::open_connection(s.shard.x, s.to, where, opening, deadline);
        for (int i = 0; i < 1000 && (*made)->quiet(); ++i)
            co_await s.shard.x.time.sleep_until(s.shard.x.time.now() + 1ms);
        auto req = scenario::get();
        auto answer = co_await (*made)->exchange(req, deadline);
        s.server.stop();
        co_return answer.error();
    };
    const auto e = s.shard.run(run());
    BOOST_TEST(e.context().find("before it was asked") != std::string::npos, e.context());
}

BOOST_AUTO_TEST_CASE(error_bodies_are_kept_in_part_and_others_must_fit) {
    auto how = scenario::quick();
    how.accept.error_body = 1000;
    how.accept.body = 1000;
    const std::string body(5000, 'x');
    {
        scenario s(says_and_stays("HTTP/1.1 500 Oops\r\nContent-Length: 5000\r\n\r\n" + body), how);
        const auto answers = s.send_all({scenario::get(), scenario::get()});
        BOOST_REQUIRE(answers.at(0).has_value());
        BOOST_TEST(answers.at(0)->body.size() == 1000U);
        BOOST_TEST(answers.at(0)->body_truncated);
        BOOST_TEST(s.server.connections() == 2);  // the rest is not read, so the connection is spent
    }
    {
        scenario s(says_and_stays(ok(body)), how);
        refused(s);
    }
    {
        scenario s(says_and_stays("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + body +
                                  "\r\n0\r\n\r\n"),
                   how);
        refused(s);
    }
    scenario s(says_and_stays(ok(std::string(1000, 'x'))), how);
    BOOST_TEST(s.send(scenario::get()).has_value());
}

BOOST_AUTO_TEST_CASE(a_closed_port_is_worth_a_retry) {
    scenario s(says(""));
    s.to.port = 1;
    const auto e = refused(s);
    BOOST_TEST(e.context() == "http://127.0.0.1:1 cannot be reached: Connection refused");
}

BOOST_AUTO_TEST_SUITE_END()
