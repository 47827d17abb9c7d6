#include "tests/loopback/certificates.hpp"
#include "tests/loopback/scripted_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>
#include <openssl/ssl.h>

#include <array>
#include <cstdlib>

using namespace firehose;
using namespace firehose::loopback;
using namespace std::chrono_literals;
namespace ssl = boost::asio::ssl;

namespace {

/// What the server's side of TLS saw.
struct seen {
    std::string name_asked{};
    int resumed = 0;
    int handshakes = 0;
    std::string version{};
};

enum class ending { keeps_open, farewell, cut };

struct tls_behaviour {
    int answers = 1000;  ///< then the connection ends
    ending end = ending::farewell;
    std::string answer{};  ///< instead of "200 OK" with "hello"
};

/// Answers requests inside TLS.
task<> serve_tls(peer& p, ssl::context& with, seen& notes, tls_behaviour how) {
    ssl::stream<tcp_socket&> stream(p.socket, with);
    error_code ec;
    auto quietly = asio::redirect_error(use_task, ec);
    co_await stream.async_handshake(ssl::stream_base::server, quietly);
    if (ec) co_return;
    ++notes.handshakes;
    notes.resumed += SSL_session_reused(stream.native_handle());
    notes.version = SSL_get_version(stream.native_handle());
    const char* name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
    notes.name_asked = name == nullptr ? "" : name;
    std::string got;
    for (int n = 0; n < how.answers;) {
        std::array<char, 16384> block;
        const auto room = asio::buffer(block);
        const std::size_t count = co_await stream.async_read_some(room, quietly);
        if (ec) co_return;
        got.append(block.data(), count);
        const auto end = got.find("\r\n\r\n");
        if (end == std::string::npos) continue;
        const auto length = got.find("Content-Length: ");
        const std::size_t body = length < end ? std::strtoull(got.c_str() + length + 16, nullptr, 10) : 0;
        if (got.size() < end + 4 + body) continue;
        got.erase(0, end + 4 + body);
        ++n;
        const std::string text = how.answer.empty() ? ok("hello") : how.answer;
        const auto bytes = asio::buffer(text);
        co_await asio::async_write(stream, bytes, quietly);
        if (ec) co_return;
    }
    if (how.end == ending::farewell) co_await stream.async_shutdown(quietly);
    if (how.end == ending::keeps_open) co_await p.wait_for_close();
}

struct tls_scenario {
    tls_scenario(const authority_of_ours& root, ssl::context server, tls_behaviour how = {})
        : context(std::move(server)), s([this, how](peer& p) { return serve_tls(p, context, notes, how); }) {
        s.to.tls = true;
        s.to.ca_file = root.file();
    }
    ssl::context context;
    seen notes;
    scenario s;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(http_tls)

BOOST_AUTO_TEST_CASE(by_name_and_by_address) {
    const authority_of_ours root;
    for (const auto* host : {"localhost", "127.0.0.1"}) {
        tls_scenario t(root, root.server());
        t.s.to.host = host;
        const std::string body(100'000, 'x');
        const auto answers = t.s.send_all({scenario::get(), scenario::put(body), scenario::put("small")});
        for (const auto& a : answers) {
            BOOST_REQUIRE_MESSAGE(a.has_value(), a.error().context());
            BOOST_TEST(a->body == "hello");
        }
        BOOST_TEST(t.notes.handshakes == 1);
        BOOST_TEST(t.notes.name_asked == (std::string(host) == "localhost" ? "localhost" : ""));
        BOOST_TEST(t.notes.version == "TLSv1.3");
    }
}

BOOST_AUTO_TEST_CASE(certificates_that_are_not_to_be_trusted) {
    const authority_of_ours root;
    const authority_of_ours other;
    struct row {
        const authority_of_ours& signs;
        leaf_options how;
        const char* host;
        const char* words;
    };
    const std::vector<row> rows = {
        {root, {"DNS:localhost,IP:127.0.0.1", -7200, -3600, false}, "localhost", "expired"},
        {root, {"DNS:localhost,IP:127.0.0.1", 3600, 7200, false}, "localhost", "not yet valid"},
        {root, {"DNS:wrong.example", -3600, 3600, false}, "localhost", "hostname mismatch"},
        {root, {"DNS:localhost", -3600, 3600, false}, "127.0.0.1", "IP address mismatch"},
        {root, {"DNS:localhost,IP:127.0.0.1", -3600, 3600, true}, "localhost", "self-signed"},
        {other, {}, "localhost", "unable to get local issuer"},
    };
    for (const auto& r : rows) {
        tls_scenario t(root, r.signs.server(r.how));
        t.s.to.host = r.host;
        const auto answer = t.s.send(scenario::get());
        BOOST_REQUIRE_MESSAGE(!answer.has_value(), r.words);
        BOOST_TEST((answer.error().what() == disposition::stop));
        BOOST_TEST(answer.error().context().find(r.words) != std::string::npos, answer.error().context());
    }
}

BOOST_AUTO_TEST_CASE(old_versions_are_refused) {
    const authority_of_ours root;
    auto old = root.server();
    SSL_CTX_set_max_proto_version(old.native_handle(), TLS1_1_VERSION);
    SSL_CTX_set_min_proto_version(old.native_handle(), TLS1_VERSION);
    SSL_CTX_set_security_level(old.native_handle(), 0);
    tls_scenario t(root, std::move(old));
    BOOST_TEST(!t.s.send(scenario::get()).has_value());
    BOOST_TEST(t.notes.handshakes == 0);

    auto fair = root.server();
    SSL_CTX_set_max_proto_version(fair.native_handle(), TLS1_2_VERSION);
    tls_scenario u(root, std::move(fair));
    BOOST_TEST(u.s.send(scenario::get()).has_value());
    BOOST_TEST(u.notes.version == "TLSv1.2");
}

BOOST_AUTO_TEST_CASE(a_second_connection_resumes_the_session_of_the_first) {
    const authority_of_ours root;
    tls_behaviour once;
    once.answers = 1;
    tls_scenario t(root, root.server(), once);
    const auto answers = t.s.send_all({scenario::get(), scenario::get(), scenario::get()});
    for (const auto& a : answers) BOOST_TEST(a.has_value());
    BOOST_TEST(t.notes.handshakes == 3);
    BOOST_TEST(t.notes.resumed == 2);
}

BOOST_AUTO_TEST_CASE(an_answer_that_ends_with_the_connection_needs_the_farewell) {
    const authority_of_ours root;
    tls_behaviour how;
    how.answers = 1;
    how.answer = "HTTP/1.1 200 OK\r\n\r\nhello";
    {
        tls_scenario t(root, root.server(), how);
        const auto answer = t.s.send(scenario::get());
        BOOST_REQUIRE_MESSAGE(answer.has_value(), answer.error().context());
        BOOST_TEST(answer->body == "hello");
    }
    how.end = ending::cut;
    tls_scenario t(root, root.server(), how);
    BOOST_TEST(!t.s.send(scenario::get()).has_value());
}

BOOST_AUTO_TEST_CASE(an_answer_with_a_length_does_not_need_the_farewell) {
    const authority_of_ours root;
    tls_behaviour how;
    how.answers = 1;
    how.end = ending::cut;
    tls_scenario t(root, root.server(), how);
    BOOST_TEST(t.s.send(scenario::get()).has_value());
}

BOOST_AUTO_TEST_CASE(extra_bytes_inside_tls_are_never_the_next_answer) {
    const authority_of_ours root;
    tls_behaviour how;
    how.answer = ok("mine") + ok("forged");
    tls_scenario t(root, root.server(), how);
    const auto answers = t.s.send_all({scenario::get(), scenario::get()});
    for (const auto& a : answers) {
        BOOST_REQUIRE(a.has_value());
        BOOST_TEST(a->body == "mine");
    }
    BOOST_TEST(t.notes.handshakes == 2);
}

BOOST_AUTO_TEST_CASE(a_handshake_that_never_ends_is_given_up) {
    const authority_of_ours root;
    auto how = scenario::quick();
    how.wait.tls = 100ms;
    scenario s([](peer& p) { return p.wait_for_close(); }, how);
    s.to.tls = true;
    s.to.ca_file = root.file();
    const auto answer = s.send(scenario::get());
    BOOST_REQUIRE(!answer.has_value());
    BOOST_TEST((answer.error().what() == disposition::retry));
    BOOST_TEST(answer.error().context().find("no progress while agreeing on TLS") != std::string::npos,
               answer.error().context());
}

BOOST_AUTO_TEST_SUITE_END()
