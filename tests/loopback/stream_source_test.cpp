#include "tests/loopback/certificates.hpp"
#include "tests/loopback/scripted_server.hpp"
#include "tests/unit/stages/stream_rig.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <array>

using namespace firehose;
using namespace firehose::loopback;
using namespace firehose::stages;
using namespace std::chrono_literals;
namespace ssl = boost::asio::ssl;

namespace {

/// The samples of the API's description, in its own layout.
const std::string tag_event = R"({ "data": { "id": 527366, "name": "vip", "resource_type": "deal" },
      "meta": { "event_id": "o4vLQU2KTaKbK2df8gWzRA", "event_type": "created", "event_cause": "interaction",
                "event_time": "2026-02-01T09:14:23Z", "type": "tag", "sequence": 1 } })";
const std::string product_event =
    R"({"data":{"id":1180540,"name":"Gloves","cost":"22.36","cost_currency":"USD","active":true,"max_markup":794,
         "prices":[{"amount":"33.61","currency":"USD"}],"created_at":"2026-01-21T06:40:21Z"},
 "meta":{"event_id":"unJp3ZIhQqGt5gqqAe9NPw","event_type":"updated","event_cause":"interaction","sequence":2,
         "previous":{"prices":[{"amount":"31.69","currency":"USD"}],"max_markup":662},
         "type":"product","event_time":"2026-01-21T06:40:23Z"}})";
const std::string deal_event =
    R"json({"data":{"id":9,"name":"Deal A","value":"10.25","currency":"EUR","custom_field_values":[{"value":"x","custom_field":
  {"data":{"id":5,"name":"Region (renamed)","resource_type":"deal","type":"string"},"meta":{"type":"custom_field"}}}]},
 "meta":{"event_id":"…","event_type":"updated","event_cause":"embedded_object_event","sequence":7,
  "previous":{"custom_field_values":[{"value":"x","custom_field":{"data":{"id":5,"name":"Region","resource_type":"deal",
  "type":"string"},"meta":{"type":"custom_field"}}}]},"type":"deal","event_time":"2026-01-21T06:41:00Z"}})json";

/// base64 of "firehose.tag.by_account,3,46760".
const std::string documented_position = "ZmlyZWhvc2UudGFnLmJ5X2FjY291bnQsMyw0Njc2MA==";

std::string page_with(const std::vector<std::string>& items, const std::string& position, bool top) {
    std::string out = "{\n  \"items\": [\n    ";
    for (const auto& item : items) out += (&item == &items.front() ? "" : ",\n    ") + item;
    return out +
           " ],\n  \"meta\": { \"links\": { \"next\": \"https://HOST/v3/tags/stream?position=" + position +
           "\" }, \"position\": \"" + position + "\", \"top\": " + (top ? "true" : "false") + " }\n}\n";
}

std::string answer_of(int status, const std::string& body, const std::string& headers = "") {
    return "HTTP/1.1 " + std::to_string(status) +
           " Reason\r\nContent-Type: application/json; charset=utf-8\r\n" +
           "Content-Language: en\r\nX-Request-Id: 0b3c1de8-3f75-4b1e-9a53-5b0d8c1f6d2e\r\nVary: Accept\r\n" +
           headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// Answers one request after the other from `answers`, over however many connections; "" closes.
struct script_of_answers {
    std::vector<std::string> answers{};
    std::vector<std::string> seen{};
    std::size_t next = 0;

    task<> talk(peer& p) {
        while (p.open) {
            const auto head = co_await p.read_request();
            if (head.empty()) co_return;
            seen.push_back(head);
            if (next >= answers.size()) co_return;
            const auto text = answers[next++];
            if (text.empty()) co_return;
            co_await p.write(text);
        }
    }
};

struct wire {
    wire() : server(shard.x.ex, [this](peer& p) { return script.talk(p); }) {
        how.name = "tags";
        how.directory = "/data/sources/tags";
        how.at.to.tls = false;
        how.at.to.host = "127.0.0.1";
        how.at.to.port = server.port();
        how.at.path = "/v3/tags/stream";
        how.with.token = http::secret("canary-token");
        how.then = at_top::end;
        how.attempts = 4;
        how.apart = 1ms;
        how.backoff = 2ms;
        how.backoff_cap = 10ms;
        how.save_every = 10ms;
    }
    std::shared_ptr<const ingest_stream::report> pull() { return pull_from(server); }
    /// From a server of the test's own on this shard.
    std::shared_ptr<const ingest_stream::report> pull_from(scripted_server& other) {
        how.at.to.port = other.port();
        ingest_stream source(disk, how);
        auto said = source.outcome();
        event_sink end;
        end.to = sink;
        shard.run(pull_and_stop(std::move(source), std::move(end), other));
        return said;
    }
    task<> pull_and_stop(ingest_stream source, event_sink to, scripted_server& other) {
        auto pipeline = chain(std::move(source), std::move(to));
        co_await pipeline.run(shard.x);
        server.stop();
        other.stop();
    }

    contract::real_shard shard{};
    script_of_answers script{};
    scripted_server server;
    faults::memory_files disk{};
    ingest_stream::options how{};
    std::shared_ptr<event_sink::shared> sink = std::make_shared<event_sink::shared>();
};

/// Every request inside TLS gets the same answer.
task<> serve_tls(peer& p, ssl::context& with, const std::string& answer) {
    ssl::stream<tcp_socket&> stream(p.socket, with);
    error_code ec;
    auto quietly = asio::redirect_error(use_task, ec);
    co_await stream.async_handshake(ssl::stream_base::server, quietly);
    std::string got;
    while (!ec) {
        std::array<char, 4096> block;
        const auto room = asio::buffer(block);
        const std::size_t n = co_await stream.async_read_some(room, quietly);
        got.append(block.data(), n);
        if (got.find("\r\n\r\n") == std::string::npos) continue;
        got.clear();
        const auto bytes = asio::buffer(answer);
        co_await asio::async_write(stream, bytes, quietly);
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_source)

BOOST_AUTO_TEST_CASE(the_documented_samples_are_pulled_byte_for_byte_over_one_connection) {
    wire w;
    w.script.answers = {answer_of(200, page_with({tag_event}, documented_position, false)),
                        answer_of(200, page_with({}, documented_position + "x", false)),
                        answer_of(200, page_with({product_event, deal_event}, "end", true))};
    const auto said = w.pull();
    BOOST_TEST(said->failure == "");
    BOOST_TEST(said->complete);
    BOOST_TEST((w.sink->events == std::vector<std::string>{tag_event, product_event, deal_event}));
    BOOST_TEST(w.server.connections() == 1);
    BOOST_REQUIRE(w.script.seen.size() == 3U);
    BOOST_TEST(w.script.seen[0] ==
               "GET /v3/tags/stream?position=tail&limit=100 HTTP/1.1\r\nHost: 127.0.0.1:" +
                   std::to_string(w.server.port()) +
                   "\r\nAccept: application/json\r\nAuthorization: Bearer canary-token\r\n"
                   "User-Agent: firehose\r\n\r\n");
    BOOST_TEST(w.script.seen[1].starts_with(
        "GET /v3/tags/stream?position=ZmlyZWhvc2UudGFnLmJ5X2FjY291bnQsMyw0Njc2MA%3D%3D&limit=100 "));
}

BOOST_AUTO_TEST_CASE(answers_that_are_cut_refused_or_no_http_cost_nothing) {
    const auto whole = answer_of(200, page_with({tag_event}, "p1", true));
    const std::vector<std::string> bad{
        "",
        "nonsense\r\n\r\n",
        whole.substr(0, whole.size() / 2),
        answer_of(503, R"({"errors":[{"error":{"code":"temporarily_unavailable"}}]})", "Retry-After: 0\r\n"),
        answer_of(200, "<html>please log in</html>"),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ite\r\nzz\r\n"};
    for (const auto& first : bad) {
        wire w;
        // A connection that ends is at the end of its script.
        struct cutting : script_of_answers {
            task<> once(peer& p, std::string text) {
                const auto head = co_await p.read_request();
                co_await p.write(std::move(text));
            }
        } cutter;
        cutter.answers = {whole};
        scripted_server server(
            w.shard.x.ex, [&](peer& p) { return p.number == 0 ? cutter.once(p, first) : cutter.talk(p); });
        const auto said = w.pull_from(server);
        BOOST_TEST(said->complete, first << said->failure);
        BOOST_TEST((w.sink->events == std::vector<std::string>{tag_event}), first);
    }
}

BOOST_AUTO_TEST_CASE(a_page_in_chunks_is_a_page) {
    wire w;
    const auto body = page_with({tag_event}, "p1", true);
    std::string chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < body.size(); at += 10) {
        const auto piece = body.substr(at, 10);
        chunks += (piece.size() == 10 ? "a" : std::to_string(piece.size())) + "\r\n" + piece + "\r\n";
    }
    w.script.answers = {chunks + "0\r\n\r\n"};
    BOOST_TEST(w.pull()->complete);
    BOOST_TEST((w.sink->events == std::vector<std::string>{tag_event}));
}

BOOST_AUTO_TEST_CASE(a_page_over_the_limit_is_never_read_and_asked_for_in_smaller_parts) {
    wire w;
    w.how.http.accept.body = 2'000;
    const std::string large = R"({"data":{"id":1},"x":")" + std::string(5'000, 'x') + "\"}";
    w.script.answers = {answer_of(200, page_with({large}, "p9", true)),
                        answer_of(200, page_with({tag_event}, "p1", true))};
    BOOST_TEST(w.pull()->complete);
    BOOST_TEST((w.sink->events == std::vector<std::string>{tag_event}));
    BOOST_TEST(w.script.seen.at(1).find("&limit=50 ") != std::string::npos, w.script.seen.at(1));
    wire never;
    never.how.http.accept.body = 2'000;
    never.script.answers.assign(10, answer_of(200, page_with({large}, "p9", true)));
    const auto said = never.pull();
    BOOST_TEST(said->failure.find("more than 2000 bytes, which is the limit") != std::string::npos,
               said->failure);
    BOOST_TEST(never.sink->events.empty());
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_answer_is_given_up_in_time) {
    wire w;
    w.how.timeout = 50ms;
    w.how.attempts = 2;
    scripted_server silent(w.shard.x.ex, [](peer& p) { return p.wait_for_close(); });
    const auto said = w.pull_from(silent);
    BOOST_TEST(said->failure.find("the time for the request ended") != std::string::npos, said->failure);
    BOOST_TEST(silent.connections() == 2);
}

BOOST_AUTO_TEST_CASE(a_redirect_takes_the_token_nowhere) {
    wire w;
    wire other;
    w.script.answers = {
        answer_of(302, "", "Location: http://127.0.0.1:" + std::to_string(other.server.port()) + "/\r\n")};
    const auto said = w.pull();
    BOOST_TEST(said->failure.find("302: redirects are not followed") != std::string::npos, said->failure);
    BOOST_TEST(other.server.connections() == 0);
    other.server.stop();
}

BOOST_AUTO_TEST_CASE(the_server_is_verified_before_the_token_is_sent) {
    const authority_of_ours root;
    const authority_of_ours stranger;
    for (const auto* signs : {&root, &stranger}) {
        auto context = signs->server();
        const auto answer = answer_of(200, page_with({tag_event}, "p1", true));
        wire w;
        scripted_server server(w.shard.x.ex, [&](peer& p) { return serve_tls(p, context, answer); });
        w.how.at.to.tls = true;
        w.how.at.to.host = "localhost";
        w.how.at.to.ca_file = root.file();
        const auto said = w.pull_from(server);
        const bool known = signs == &root;
        BOOST_TEST(said->complete == known, said->failure);
        BOOST_TEST(w.sink->events.size() == (known ? 1U : 0U));
        if (!known)
            BOOST_TEST(said->failure.find("unable to get local issuer") != std::string::npos, said->failure);
    }
}

BOOST_AUTO_TEST_SUITE_END()
