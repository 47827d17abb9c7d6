#include "tests/loopback/scripted_server.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace firehose::loopback;
using namespace std::chrono_literals;

namespace {

/// Answers every request with its own text.
task<> echo(peer& p) {
    for (;;) {
        auto request = co_await p.read_request();
        if (request.empty()) co_return;
        auto text = ok(request);
        co_await p.write(std::move(text));
    }
}

task<> pause_for(std::chrono::milliseconds how_long) {
    real_time time;
    co_await time.sleep_until(time.now() + how_long);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(http_client)

BOOST_AUTO_TEST_CASE(a_request_as_the_server_sees_it) {
    scenario s(echo);
    const std::string head = "he";
    const std::string tail = "llo";
    auto req = scenario::put(head);
    req.body.push_back({});
    req.body.push_back(std::as_bytes(std::span(tail.data(), tail.size())));
    req.headers.emplace_back("X-Test", "one two");
    const auto answer = s.send(req);
    BOOST_REQUIRE_MESSAGE(answer.has_value(), answer.error().context());
    BOOST_TEST(answer->body ==
               "PUT /bucket/key HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(s.to.port) +
                   "\r\nX-Test: one two\r\nUser-Agent: firehose\r\nContent-Length: 5\r\n\r\nhello");
    BOOST_TEST(*http::find_header(answer->headers, "etag") == "\"abc\"");
    BOOST_TEST(answer->status == 200);
}

BOOST_AUTO_TEST_CASE(an_empty_put_has_a_length_and_a_get_has_none) {
    scenario s(echo);
    auto answers = s.send_all({scenario::put(""), scenario::get()});
    BOOST_TEST(answers.at(0)->body.find("Content-Length: 0\r\n") != std::string::npos);
    BOOST_TEST(answers.at(1)->body.find("Content-Length") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_large_body_in_many_pieces_arrives_whole) {
    scenario s(echo);
    std::string block(100'000, '\0');
    for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<char>(i * 7 + i / 256);
    auto req = scenario::put(block);
    std::string expected = block;
    for (int i = 0; i < 99; ++i) {
        req.body.push_back(
            std::as_bytes(std::span(block.data(), block.size() - static_cast<std::size_t>(i))));
        expected.append(block, 0, block.size() - static_cast<std::size_t>(i));
    }
    const auto answer = s.send(req);
    BOOST_REQUIRE_MESSAGE(answer.has_value(), answer.error().context());
    BOOST_TEST((answer->body.substr(answer->body.find("\r\n\r\n") + 4) == expected));
}

BOOST_AUTO_TEST_CASE(connections_are_used_again) {
    scenario s(echo);
    const auto answers = s.send_all(std::vector<http::request>(10, scenario::get()));
    for (const auto& a : answers) BOOST_TEST(a.has_value());
    BOOST_TEST(s.server.connections() == 1);
    BOOST_TEST(s.counter("http_connections_reused") == 9U);
}

BOOST_AUTO_TEST_CASE(names_are_looked_up_and_every_address_is_tried) {
    scenario s(echo);
    s.to.host = "localhost";  // ::1 may come first, where nobody listens
    const auto answer = s.send(scenario::get());
    BOOST_REQUIRE_MESSAGE(answer.has_value(), answer.error().context());
    BOOST_TEST(answer->body.find("Host: localhost:") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_name_that_does_not_exist_is_worth_a_retry) {
    auto how = scenario::quick();
    how.wait.resolve = 2000ms;
    scenario s(echo, how);
    s.to.host = "no-such-host.invalid";
    const auto answer = s.send(scenario::get());
    BOOST_REQUIRE(!answer.has_value());
    BOOST_TEST((answer.error().what() == disposition::retry));
    BOOST_TEST(answer.error().context().find("cannot find the address of no-such-host.invalid") == 0U);
}

BOOST_AUTO_TEST_CASE(a_connection_the_server_closed_while_idle_is_not_used) {
    scenario s([](peer& p) -> task<> {
        co_await p.read_request();
        co_await p.write(ok("x"));  // says nothing of closing, and closes
    });
    const auto answers = s.send_all(std::vector<http::request>(5, scenario::get()));
    for (const auto& a : answers) BOOST_TEST(a.has_value());
    BOOST_TEST(s.server.connections() == 5);
}

BOOST_AUTO_TEST_CASE(a_connection_closed_under_the_second_request_costs_no_attempt) {
    const auto one_answer_each = [](peer& p) -> task<> {
        co_await p.read_request();
        co_await p.write(ok("x"));
        co_await p.read_request();  // and no answer
    };
    {
        scenario s(one_answer_each);
        const auto answers = s.send_all({scenario::get(), scenario::get()});
        BOOST_TEST(answers.at(1).has_value());
        BOOST_TEST(s.server.connections() == 2);
        BOOST_TEST(s.counter("http_connections_stale") == 1U);
    }
    scenario s(one_answer_each);
    auto twice_is_wrong = scenario::get();
    twice_is_wrong.idempotent = false;
    const auto answers = s.send_all({scenario::get(), twice_is_wrong});
    BOOST_TEST(!answers.at(1).has_value());
    BOOST_TEST(s.server.connections() == 1);
}

BOOST_AUTO_TEST_CASE(a_fresh_connection_that_fails_is_not_tried_again_here) {
    scenario s([](peer& p) -> task<> { co_await p.read_request(); });
    const auto answer = s.send(scenario::get());
    BOOST_REQUIRE(!answer.has_value());
    BOOST_TEST((answer.error().what() == disposition::retry));
    BOOST_TEST(answer.error().context().find("closed the connection without an answer") != std::string::npos);
    BOOST_TEST(s.server.connections() == 1);
}

BOOST_AUTO_TEST_CASE(idle_connections_go_by_themselves) {
    auto how = scenario::quick();
    how.idle = 50ms;
    scenario s(echo, how);
    s.close_at_end = false;
    std::vector<http::request> one(1, scenario::get());
    asio::co_spawn(s.shard.x.ex, pause_for(300ms), [&s](std::exception_ptr) {
        BOOST_TEST(s.client.idle_connections() == 0U);
        s.server.stop();
    });
    const auto answers = s.shard.run(s.run_all(one));
    BOOST_TEST(answers.at(0).has_value());
}

BOOST_AUTO_TEST_CASE(interim_answers_are_passed_over) {
    scenario s([](peer& p) -> task<> {
        co_await p.read_request();
        co_await p.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" +
                         ok("final"));
        co_await p.wait_for_close();
    });
    const auto answer = s.send(scenario::get());
    BOOST_REQUIRE_MESSAGE(answer.has_value(), answer.error().context());
    BOOST_TEST(answer->body == "final");
}

BOOST_AUTO_TEST_CASE(answers_without_a_body) {
    scenario s([](peer& p) -> task<> {
        co_await p.read_request();
        co_await p.write("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: x\r\n\r\n");  // of a HEAD
        co_await p.read_request();
        co_await p.write("HTTP/1.1 204 No Content\r\n\r\n");
        co_await p.read_request();
        co_await p.write("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n");
        co_await p.wait_for_close();
    });
    auto head = scenario::get();
    head.method = "HEAD";
    const auto answers = s.send_all({head, scenario::get(), scenario::get()});
    BOOST_REQUIRE(answers.at(0).has_value());
    BOOST_TEST(*http::find_header(answers.at(0)->headers, "content-length") == "1234");
    BOOST_TEST(answers.at(1)->status == 204);
    BOOST_TEST(answers.at(2)->status == 304);
    BOOST_TEST(s.server.connections() == 1);
}

BOOST_AUTO_TEST_CASE(chunked_answers_and_answers_that_end_with_the_connection) {
    scenario s([](peer& p) -> task<> {
        co_await p.read_request();
        co_await p.write(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
        co_await p.read_request();
        co_await p.write("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    });
    const auto answers = s.send_all({scenario::get(), scenario::get()});
    BOOST_REQUIRE(answers.at(0).has_value());
    BOOST_TEST(answers.at(0)->body == "abcde");
    BOOST_REQUIRE(answers.at(1).has_value());
    BOOST_TEST(answers.at(1)->body == "until the end");
    BOOST_TEST(s.server.connections() == 1);
}

BOOST_AUTO_TEST_CASE(a_server_that_asks_to_close_is_heard) {
    scenario s([](peer& p) -> task<> {
        co_await p.read_request();
        co_await p.write(ok("x", "Connection: close\r\n"));
        co_await p.wait_for_close();
    });
    const auto answers = s.send_all({scenario::get(), scenario::get()});
    BOOST_TEST(answers.at(1).has_value());
    BOOST_TEST(s.server.connections() == 2);
}

BOOST_AUTO_TEST_CASE(what_would_split_a_request_is_never_sent) {
    const auto forged = [](auto change) {
        auto req = scenario::get();
        change(req);
        return req;
    };
    for (auto req : {forged([](auto& r) { r.headers.emplace_back("X", "a\r\nHost: evil"); }),
                     forged([](auto& r) { r.headers.emplace_back("X: y\r\nZ", "a"); }),
                     forged([](auto& r) { r.headers.emplace_back("", "a"); }),
                     forged([](auto& r) { r.target = "/a b"; }), forged([](auto& r) { r.target = "/a\nb"; }),
                     forged([](auto& r) { r.target = ""; })}) {
        scenario s(echo);
        const auto answer = s.send(req);
        BOOST_REQUIRE(!answer.has_value());
        BOOST_TEST((answer.error().what() == disposition::park));
    }
}

task<> send_and_expect_abort(scenario& s, http::request req) {
    bool aborted = false;
    try {
        auto answer = co_await s.client.send(s.to, req, nullptr, time_source::steady::max());
        BOOST_TEST(answer.has_value());
    } catch (const boost::system::system_error& e) {
        aborted = e.code() == asio::error::operation_aborted;
    }
    BOOST_TEST(aborted);
}

task<> cancel_when(scenario& s, task_scope* scope, const bool* reached) {
    for (int i = 0; i < 1000 && !*reached; ++i) co_await pause_for(1ms);
    scope->cancel();
    s.server.stop();
}

BOOST_AUTO_TEST_CASE(cancelled_while_writing_and_while_waiting) {
    const std::string large(64 << 20, 'x');
    const std::string none;
    for (const bool reads : {true, false}) {
        bool reached = false;
        scenario s([&reached, reads](peer& p) -> task<> {
            co_await p.read_head();
            if (reads) {
                reached = true;
                co_await p.wait_for_close();
                co_return;
            }
            co_await pause_for(50ms);  // the client's write has filled the buffers by now
            reached = true;
            co_await pause_for(100ms);
        });
        const std::string& body = reads ? none : large;
        auto req = scenario::put(body);
        s.shard.run(with_scope(s.shard.x.ex, [&](task_scope& scope) {
            scope.spawn(send_and_expect_abort(s, req));
            scope.spawn(cancel_when(s, &scope, &reached));
        }));
        BOOST_TEST(reached);
    }
}

BOOST_AUTO_TEST_SUITE_END()
