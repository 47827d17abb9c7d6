#include "http/retry.hpp"
#include "tests/loopback/certificates.hpp"
#include "tests/loopback/scripted_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <iostream>

using namespace firehose;
using namespace firehose::loopback;
using namespace std::chrono_literals;
namespace ssl = boost::asio::ssl;

namespace {

enum class after : std::uint8_t { stays, closes };
enum class connection_is : std::uint8_t { kept, spent };

/// What a server says to every request, and what is to come of it: an answer, or an error (status 0) that
/// says retry and holds `text`.
struct row {
    const char* what;
    std::string says;
    after then;
    int status;
    std::string text;
    connection_is now = connection_is::spent;
};

std::string many(std::size_t times, const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) out += text;
    return out;
}

constexpr const char* not_http = "not valid HTTP";
constexpr const char* cut_off = "cut its answer off";

std::vector<row> table() {
    using enum after;
    using enum connection_is;
    const std::string ok_head = "HTTP/1.1 200 OK\r\n";
    const std::string chunked = ok_head + "Transfer-Encoding: chunked\r\n\r\n";
    const std::string big(100'000, 'x');
    return {
        // Answers.
        {"an ordinary one", ok("hello"), stays, 200, "hello", kept},
        {"with its length said twice, which is allowed", ok_head + "Content-Length: 5, 5\r\n\r\nhello", stays,
         200, "hello", kept},
        {"in chunks", chunked + "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", stays, 200, "hello", kept},
        {"in chunks with extensions and trailers",
         chunked + "5;a=b;c=\"d\"\r\nhello\r\n0;z\r\nETag: forged\r\n\r\n", stays, 200, "hello", kept},
        {"without a reason", "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", stays, 200, "hello", kept},
        {"of HTTP/1.0 that ends with the connection", "HTTP/1.0 200 OK\r\n\r\nhello", closes, 200, "hello"},
        {"of HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", stays, 200,
         "hello"},
        {"of HTTP/1.0 that keeps the connection",
         "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", stays, 200, "hello",
         kept},
        {"that ends with the connection", ok_head + "\r\nhello", closes, 200, "hello"},
        {"that asks to close", ok("hello", "Connection: close\r\n"), stays, 200, "hello"},
        {"that asks to close among other things", ok("hello", "Connection: x, Close\r\n"), stays, 200,
         "hello"},
        {"with a byte too many", ok("hello") + "!", stays, 200, "hello"},
        {"with another answer behind it", ok("hello") + ok("forged"), stays, 200, "hello"},
        {"with a line end too many", ok("hello") + "\r\n", stays, 200, "hello"},
        {"in chunks, with more behind them", chunked + "5\r\nhello\r\n0\r\n\r\nmore", stays, 200, "hello"},
        {"empty, with a body nonetheless", "HTTP/1.1 204 No Content\r\n\r\nhello", stays, 204, ""},
        {"not modified, with a body nonetheless",
         "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello", stays, 304, ""},
        {"after eight interim ones", many(8, "HTTP/1.1 102 Processing\r\n\r\n") + ok("hello"), stays, 200,
         "hello", kept},
        {"that sends elsewhere",
         "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
         stays, 307, "", kept},
        {"of a refusal with a body of which the beginning counts",
         "HTTP/1.1 503 Slow Down\r\nContent-Length: 1000000000000\r\n\r\n" + big, stays, 503,
         big.substr(0, 65536)},
        {"of a refusal in chunks without end",
         "HTTP/1.1 503 Slow Down\r\nTransfer-Encoding: chunked\r\n\r\n" +
             many(20, "1000\r\n" + std::string(4096, 'x') + "\r\n"),
         stays, 503, big.substr(0, 65536)},
        // No answers.
        {"nothing", "", closes, 0, "closed the connection without an answer"},
        {"half a status line", "HTTP/1.1 20", closes, 0, cut_off},
        {"half a body", ok("hello").substr(0, ok("hello").size() - 1), closes, 0, cut_off},
        {"half a chunk", chunked + "5\r\nhel", closes, 0, cut_off},
        {"chunks without the last one", chunked + "5\r\nhello\r\n", closes, 0, cut_off},
        {"lower case", "http/1.1 200 ok\r\nContent-Length: 5\r\n\r\nhello", stays, 0, not_http},
        {"HTTP/2", "HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", stays, 0, not_http},
        {"HTTP/1.1 without minor", "HTTP/1 200 OK\r\nContent-Length: 5\r\n\r\nhello", stays, 0, not_http},
        {"a status below 100", "HTTP/1.1 099 Fine\r\nContent-Length: 5\r\n\r\nhello", stays, 0,
         "status is none: 99"},
        {"a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello", stays, 0, not_http},
        {"a status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello", stays, 0, not_http},
        {"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello\r\n\r\n", stays, 0, not_http},
        {"a blank before the colon", ok_head + "Content-Length : 5\r\n\r\nhello", stays, 0, not_http},
        {"a header without a colon", ok_head + "Content-Length 5\r\n\r\nhello", stays, 0, not_http},
        {"a zero byte in a header",
         ok_head + "X: a" + std::string(1, '\0') + "\r\nContent-Length: 5\r\n\r\nhello", stays, 0, not_http},
        {"a lone carriage return in a header", ok_head + "X: a\rb\r\nContent-Length: 5\r\n\r\nhello", stays,
         0, not_http},
        {"two lengths", ok_head + "Content-Length: 5\r\nContent-Length: 4\r\n\r\nhello", stays, 0, not_http},
        {"two lengths in one", ok_head + "Content-Length: 5, 4\r\n\r\nhello", stays, 0, not_http},
        {"a length with a sign", ok_head + "Content-Length: +5\r\n\r\nhello", stays, 0, not_http},
        {"a length in hexadecimal", ok_head + "Content-Length: 0x5\r\n\r\nhello", stays, 0, not_http},
        {"a length beyond 64 bits", ok_head + "Content-Length: 18446744073709551621\r\n\r\nhello", stays, 0,
         not_http},
        {"a length and chunks", ok_head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
         stays, 0, not_http},
        {"chunks and a length", ok_head + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
         stays, 0, not_http},
        {"a length and a coding", ok_head + "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
         stays, 0, "unknown transfer coding"},
        {"a coding nobody knows", ok_head + "Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         closes, 0, "unknown transfer coding"},
        {"a chunk of no size", chunked + "\r\nhello\r\n0\r\n\r\n", stays, 0, not_http},
        {"a chunk of size beyond 64 bits", chunked + "10000000000000005\r\nhello\r\n0\r\n\r\n", stays, 0,
         not_http},
        {"a chunk of negative size", chunked + "-5\r\nhello\r\n0\r\n\r\n", stays, 0, not_http},
        {"a chunk longer than it says", chunked + "4\r\nhello\r\n0\r\n\r\n", stays, 0, not_http},
        {"a chunk extension without end", chunked + "5;" + many(40, big), stays, 0, "limit"},
        {"trailers without end", chunked + "0\r\n" + many(4000, "X: " + std::string(1000, 'x') + "\r\n"),
         stays, 0, "limit"},
        {"headers without end", ok_head + many(4000, "X: " + std::string(1000, 'x') + "\r\n"), stays, 0,
         "65536 bytes of headers, which is the limit"},
        {"one header without end", ok_head + "X: " + many(40, big), stays, 0,
         "65536 bytes of headers, which is the limit"},
        {"a status line without end", "HTTP/1.1 200 " + many(40, big), stays, 0, "limit"},
        {"a body of a terabyte", ok_head + "Content-Length: 1000000000000\r\n\r\n", stays, 0,
         "more than 1000000 bytes, which is the limit"},
        {"chunks of a terabyte", chunked + "E8D4A51000\r\n" + many(12, big), stays, 0,
         "more than 1000000 bytes, which is the limit"},
        {"nine interim ones", many(9, "HTTP/1.1 103 Early Hints\r\n\r\n") + ok("hello"), stays, 0,
         "interim answers without end"},
        {"another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", stays, 0, "unasked"},
        {"a mail server", "220 mail.example ESMTP\r\n", stays, 0, not_http},
        {"a TLS alert", std::string("\x15\x03\x01\x00\x02\x02\x46", 7), stays, 0, not_http},
        {"zeros", std::string(1000, '\0'), stays, 0, not_http},
        {"a page", "<html><body>It works</body></html>\r\n\r\n", stays, 0, not_http},
    };
}

/// The server's side, whatever the stream.
template <class Stream> task<> say(Stream& stream, std::string what, after then) {
    std::string got;
    std::array<char, 16384> block;
    error_code ec;
    auto quietly = asio::redirect_error(use_task, ec);
    for (;;) {
        const auto room = asio::buffer(block);
        const std::size_t n = co_await stream.async_read_some(room, quietly);
        if (ec) co_return;
        got.append(block.data(), n);
        if (got.find("\r\n\r\n") == std::string::npos) continue;
        got.clear();
        const auto bytes = asio::buffer(what);
        co_await asio::async_write(stream, bytes, quietly);
        if (ec || then == after::closes) co_return;
    }
}

/// A server that says one thing, plain or in TLS.
struct parrot {
    parrot(const authority_of_ours* root, std::string what, after then, http::client_options how)
        : context(root == nullptr ? ssl::context(ssl::context::tls_server) : root->server()),
          s([this, what = std::move(what), then](peer& p) { return speak(p, what, then); }, std::move(how)) {
        if (root == nullptr) return;
        s.to.tls = true;
        s.to.ca_file = root->file();
    }
    task<> speak(peer& p, std::string what, after then) {
        if (!s.to.tls) {
            co_await say(p.socket, std::move(what), then);
            co_return;
        }
        ssl::stream<tcp_socket&> stream(p.socket, context);
        error_code ec;
        auto quietly = asio::redirect_error(use_task, ec);
        co_await stream.async_handshake(ssl::stream_base::server, quietly);
        if (ec) co_return;
        co_await say(stream, std::move(what), then);
        co_await stream.async_shutdown(quietly);
    }
    ssl::context context;
    scenario s;
};

/// What is decided by what came is decided long before these.
http::client_options unhurried() {
    http::client_options how;
    how.wait = {10s, 10s, 10s, 10s, 10s, 1s, 20s};
    how.accept.body = 1'000'000;
    return how;
}

void check(const row& r, const authority_of_ours* root) {
    BOOST_TEST_CONTEXT((root == nullptr ? "plain, " : "TLS, ") << r.what) {
        parrot server(root, r.says, r.then, unhurried());
        const auto began = std::chrono::steady_clock::now();
        const auto answers = server.s.send_all({scenario::get(), scenario::get()});
        BOOST_TEST((std::chrono::steady_clock::now() - began < 8s));  // decided, not timed out
        for (const auto& a : answers) {
            if (r.status == 0) {
                BOOST_TEST(!a.has_value(), "taken for an answer");
                if (a.has_value()) continue;
                BOOST_TEST((a.error().what() == disposition::retry));
                BOOST_TEST(a.error().context().find(r.text) != std::string::npos, a.error().context());
            } else {
                BOOST_TEST(a.has_value(), a.error().context());
                if (!a.has_value()) continue;
                BOOST_TEST(a->status == r.status);
                BOOST_TEST((a->body == r.text), a->body.substr(0, 100));
                const auto* etag = http::find_header(a->headers, "ETag");
                BOOST_TEST((etag == nullptr || *etag != "forged"));
            }
        }
        BOOST_TEST(server.s.server.connections() == (r.now == connection_is::kept ? 1 : 2));
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(http_hostile_table)

BOOST_AUTO_TEST_CASE(every_row) {
    const auto rows = table();
    const authority_of_ours root;
    for (const auto& r : rows) {
        check(r, nullptr);
        check(r, &root);
    }
    std::cout << "hostile answers: " << rows.size() << " rows, each plain and in TLS\n";
}

BOOST_AUTO_TEST_CASE(an_answer_cut_in_tls_at_any_byte_is_no_answer) {
    const authority_of_ours root;
    const auto whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"abc\"\r\n\r\nhello";
    for (std::size_t n = 0; whole[n] != '\0'; ++n) {
        parrot server(&root, std::string(whole, n), after::closes, unhurried());  // with TLS' farewell
        const auto answer = server.s.send(scenario::get());
        BOOST_TEST(!answer.has_value(), "cut after byte " << n);
        if (!answer.has_value()) BOOST_TEST((answer.error().what() == disposition::retry));
    }
}

namespace {

/// Answers the client's hello with the first `bytes` of what TLS would say; true when that was all of it.
task<bool> say_part_of_handshake(peer& p, ssl::context& with, std::size_t bytes) {
    const std::unique_ptr<SSL, void (*)(SSL*)> server(SSL_new(with.native_handle()), SSL_free);
    BIO* const in = BIO_new(BIO_s_mem());
    BIO* const out = BIO_new(BIO_s_mem());
    SSL_set_bio(server.get(), in, out);
    SSL_set_accept_state(server.get());
    std::array<char, 16384> block;
    error_code ec;
    auto quietly = asio::redirect_error(use_task, ec);
    std::string flight;
    while (!ec && flight.empty()) {
        const auto room = asio::buffer(block);
        const std::size_t n = co_await p.socket.async_read_some(room, quietly);
        BIO_write(in, block.data(), static_cast<int>(n));
        SSL_do_handshake(server.get());
        for (int some = 1; some > 0;) {
            some = BIO_read(out, block.data(), static_cast<int>(block.size()));
            if (some > 0) flight.append(block.data(), static_cast<std::size_t>(some));
        }
    }
    co_await p.write(flight.substr(0, bytes));
    co_return bytes >= flight.size();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_handshake_cut_anywhere_is_worth_a_retry) {
    const authority_of_ours root;
    auto context = root.server();
    bool whole = false;
    std::size_t cuts = 0;
    for (std::size_t n = 0; !whole; n += 41, ++cuts) {
        scenario s([&](peer& p) -> task<> { whole = co_await say_part_of_handshake(p, context, n); },
                   unhurried());
        s.to.tls = true;
        s.to.ca_file = root.file();
        const auto answer = s.send(scenario::get());
        BOOST_REQUIRE(!answer.has_value());
        BOOST_TEST((answer.error().what() == disposition::retry), answer.error().context());
    }
    std::cout << "TLS handshakes cut: " << cuts << "\n";
    BOOST_TEST(cuts > 10U);
}

BOOST_AUTO_TEST_CASE(a_handshake_that_stalls_anywhere_ends_in_time) {
    const authority_of_ours root;
    auto context = root.server();
    for (const std::size_t n : {0U, 3U, 5U, 100U, 127U, 500U, 600U}) {
        auto how = unhurried();
        how.wait.tls = 60ms;
        scenario s(
            [&](peer& p) -> task<> {
                co_await say_part_of_handshake(p, context, n);
                co_await p.wait_for_close();
            },
            how);
        s.to.tls = true;
        s.to.ca_file = root.file();
        const auto answer = s.send(scenario::get());
        BOOST_REQUIRE(!answer.has_value());
        BOOST_TEST((answer.error().what() == disposition::retry));
        BOOST_TEST(answer.error().context().find("no progress while agreeing on TLS") != std::string::npos,
                   answer.error().context());
    }
}

BOOST_AUTO_TEST_CASE(a_dribble_is_ended_by_what_is_shortest) {
    struct limit {
        std::chrono::milliseconds between, progress, whole;
        const char* words;
    };
    for (const auto& l : {limit{1ms, 10s, 100ms, "the time for the request ended while reading the answer"},
                          limit{300ms, 60ms, 10s, "no progress while reading the answer"}}) {
        auto how = unhurried();
        how.wait.progress = l.progress;
        how.wait.whole = l.whole;
        scenario s(
            [&l](peer& p) -> task<> {
                co_await p.read_request();
                real_time time;
                const auto text = ok(std::string(1000, 'x'));
                for (std::size_t i = 0; i < text.size() && p.open; ++i) {
                    co_await p.write(text.substr(i, 1));
                    const auto next = time.now() + l.between;
                    co_await time.sleep_until(next);
                }
            },
            how);
        const auto answer = s.send(scenario::get());
        BOOST_REQUIRE(!answer.has_value());
        BOOST_TEST((answer.error().code() == asio::error::timed_out));
        BOOST_TEST(answer.error().context().find(l.words) != std::string::npos, answer.error().context());
    }
}

namespace {

/// Counts what goes through it.
class counting final : public http::transport {
public:
    explicit counting(http::transport& next) : next_(next) {}
    std::size_t calls = 0;
    task<result<http::response>> send(http::request& req, time_source::steady deadline) override {
        ++calls;
        return next_.send(req, deadline);
    }

private:
    http::transport& next_;
};

struct tally {
    std::size_t deliveries = 0;
    std::size_t errors = 0;
};

task<> deliver_now_and_then(scenario& s, http::transport& through, tally& done, int times) {
    for (int i = 0; i < times; ++i) {
        const std::string body = "{}";
        auto req = scenario::put(body);
        const auto deadline = s.shard.x.time.now() + 10s;
        auto answer = co_await through.send(req, deadline);
        ++done.deliveries;
        if (!answer.has_value() || answer->status != 200) ++done.errors;
        const auto pause = std::chrono::microseconds(static_cast<int>(s.shard.x.random.uniform() * 60'000));
        const auto next = s.shard.x.time.now() + pause;
        co_await s.shard.x.time.sleep_until(next);
    }
}

task<> deliver_side_by_side(scenario& s, http::transport& through, tally& done) {
    auto all = with_scope(s.shard.x.ex, [&](task_scope& scope) {
        for (int i = 0; i < 16; ++i) scope.spawn(deliver_now_and_then(s, through, done, 40));
    });
    co_await std::move(all);
    s.client.close_idle();
    s.server.stop();
}

}  // namespace

BOOST_AUTO_TEST_CASE(connections_closed_while_idle_are_nobodys_error) {
    // Every connection is closed 0 to 50 ms after its last answer, just when the next request may come.
    std::size_t said = 0;
    scenario s(
        [&said](peer& p) -> task<> {
            real_time time;
            while (p.open) {
                const auto request = co_await p.read_request();
                if (request.empty()) co_return;
                co_await p.write(ok("x"));
                const auto idle = std::chrono::milliseconds(++said * 7 % 51);
                const auto end = time.now() + idle;
                if (said % 3 == 0) continue;  // now and then it stays for one more
                co_await time.sleep_until(end);
                co_return;
            }
        },
        unhurried());
    http::endpoint bottom(s.client, s.to, nullptr);
    counting attempts(bottom);
    http::retrying calls(attempts, s.shard.x.time, s.shard.x.random, {1ms, 10ms, 3});
    tally done;
    s.shard.run(deliver_side_by_side(s, calls, done));
    std::cout << "connections closed at 0 to 50 ms idle: " << done.deliveries << " deliveries, "
              << static_cast<double>(attempts.calls) / static_cast<double>(done.deliveries)
              << " attempts each, " << done.errors << " errors shown, " << s.server.connections()
              << " connections, of " << s.counter("http_connections_reused") << " reused ones "
              << s.counter("http_connections_stale") << " were dead\n";
    BOOST_TEST(done.deliveries == 640U);
    BOOST_TEST(done.errors == 0U);
    BOOST_TEST(attempts.calls == done.deliveries);
    BOOST_TEST(s.counter("http_connections_stale") > 0U);
}

BOOST_AUTO_TEST_SUITE_END()
