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
#include <filesystem>
#include <fstream>
#include <functional>

using namespace firehose;
using namespace firehose::loopback;
using namespace std::chrono_literals;
namespace ssl = boost::asio::ssl;

namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// Answers requests inside TLS with "hello" until the client goes.
task<> hello_in_tls(peer& p, ssl::context& with, std::string* name_asked = nullptr) {
    ssl::stream<tcp_socket&> stream(p.socket, with);
    error_code ec;
    auto quietly = asio::redirect_error(use_task, ec);
    co_await stream.async_handshake(ssl::stream_base::server, quietly);
    const char* name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
    if (name_asked != nullptr && name != nullptr) *name_asked = name;
    std::array<char, 16384> block;
    std::string got;
    while (!ec) {
        const auto room = asio::buffer(block);
        const std::size_t n = co_await stream.async_read_some(room, quietly);
        got.append(block.data(), n);
        if (got.find("\r\n\r\n") == std::string::npos) continue;
        got.clear();
        const std::string text = ok("hello");
        const auto bytes = asio::buffer(text);
        co_await asio::async_write(stream, bytes, quietly);
    }
}

task<> pump(tcp_socket& from, tcp_socket& to) {
    std::array<char, 16384> block;
    error_code ec;
    auto quietly = asio::redirect_error(use_task, ec);
    while (!ec) {
        const auto room = asio::buffer(block);
        const std::size_t n = co_await from.async_read_some(room, quietly);
        const auto bytes = asio::buffer(block.data(), n);
        if (n > 0) co_await asio::async_write(to, bytes, quietly);
    }
    from.close(ec);
    to.close(ec);
}

constexpr const char* granted = "HTTP/1.1 200 Connection established\r\n\r\n";

/// A proxy that grants tunnels to one server, or says something else.
class scripted_proxy {
public:
    scripted_proxy(executor ex, std::uint16_t origin, std::string says)
        : server_(ex, [this](peer& p) { return tunnel(p); }), origin_(origin), says_(std::move(says)) {}

    http::proxy_options options() const {
        http::proxy_options how;
        how.host = "127.0.0.1";
        how.port = server_.port();
        return how;
    }
    std::vector<std::string> heads{};
    int connections() const { return server_.connections(); }
    void stop() { server_.stop(); }
    bool stays = false;

private:
    task<> tunnel(peer& p) {
        auto head = co_await p.read_head();
        heads.push_back(std::move(head));
        co_await p.write(says_);
        if (stays) co_await p.wait_for_close();
        if (!says_.ends_with(granted)) co_return;
        tcp_socket onward(p.socket.get_executor());
        const asio::ip::tcp::endpoint to(asio::ip::address_v4::loopback(), origin_);
        error_code ec;
        auto quietly = asio::redirect_error(use_task, ec);
        co_await onward.async_connect(to, quietly);
        if (ec) co_return;
        auto both = with_scope(p.socket.get_executor(), [&](task_scope& s) {
            s.spawn(pump(p.socket, onward));
            s.spawn(pump(onward, p.socket));
        });
        co_await std::move(both);
    }
    scripted_server server_;
    std::uint16_t origin_;
    std::string says_;
};

/// A client whose proxy stands before a server that says hello, plain or in TLS.
struct by_proxy {
    explicit by_proxy(const authority_of_ours* root = nullptr, const std::string& says = granted,
                      const leaf_options& leaf = {})
        : context(root == nullptr ? ssl::context(ssl::context::tls_server) : root->server(leaf)),
          origin(shard.x.ex, [this](peer& p) { return speak(p); }),
          proxy(shard.x.ex, origin.port(), says) {
        to.host = "localhost";
        to.port = origin.port();
        to.tls = root != nullptr;
        if (root != nullptr) to.ca_file = root->file();
        how.wait.connect = 2s;
        how.proxy = proxy.options();
    }
    std::vector<result<http::response>> send(int times = 1) {
        http::client client(shard.x, how);
        return shard.run(send_all(client, times));
    }
    error refused() {
        auto answers = send();
        BOOST_REQUIRE(!answers.front().has_value());
        return answers.front().error();
    }
    task<std::vector<result<http::response>>> send_all(http::client& client, int times) {
        std::vector<result<http::response>> answers;
        for (; times > 0; --times) {
            auto req = scenario::get("/secret?sig=abc");
            const auto deadline = shard.x.time.now() + 5s;
            auto answer = co_await client.send(to, req, nullptr, deadline);
            answers.push_back(std::move(answer));
        }
        client.close_idle();
        origin.stop();
        proxy.stop();
        co_return answers;
    }
    task<> speak(peer& p) {
        if (to.tls) {
            co_await hello_in_tls(p, context, &name_asked);
            co_return;
        }
        while (p.open) {
            auto request = co_await p.read_request();
            if (request.empty()) co_return;
            seen += request;
            co_await p.write(ok("hello"));
        }
    }
    ssl::context context;
    contract::real_shard shard;
    scripted_server origin;
    scripted_proxy proxy;
    http::authority to{};
    http::client_options how{};
    std::string name_asked{};
    std::string seen{};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(http_proxy)

BOOST_AUTO_TEST_CASE(a_tunnel_leads_to_the_server_and_is_used_again) {
    by_proxy t;
    const auto answers = t.send(3);
    for (const auto& a : answers) {
        BOOST_REQUIRE_MESSAGE(a.has_value(), a.error().context());
        BOOST_TEST(a->body == "hello");
    }
    const auto there = "localhost:" + std::to_string(t.to.port);
    BOOST_REQUIRE(t.proxy.heads.size() == 1U);
    BOOST_TEST(t.proxy.heads[0] ==
               "CONNECT " + there + " HTTP/1.1\r\nHost: " + there + "\r\nUser-Agent: firehose\r\n\r\n");
    BOOST_TEST(contains(t.seen, "GET /secret?sig=abc HTTP/1.1\r\nHost: " + there));
}

BOOST_AUTO_TEST_CASE(inside_the_tunnel_the_servers_own_name_is_verified) {
    const authority_of_ours root;
    by_proxy good(&root);
    const auto answers = good.send(2);
    for (const auto& a : answers) BOOST_REQUIRE_MESSAGE(a.has_value(), a.error().context());
    BOOST_TEST(good.name_asked == "localhost");
    BOOST_TEST(!contains(good.proxy.heads.at(0), "sig="));

    leaf_options other;
    other.names = "DNS:proxy.example,IP:127.0.0.1";  // the proxy's address would do
    by_proxy wrong(&root, granted, other);
    const auto e = wrong.refused();
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(contains(e.context(), "hostname mismatch"), e.context());
}

http::address_guard only(const char* network) {
    http::address_guard guard;
    guard.ports.clear();
    guard.networks.push_back(*http::parse_network(network));
    return guard;
}

BOOST_AUTO_TEST_CASE(a_guarded_client_tells_the_proxy_the_address_it_has_looked_at) {
    const authority_of_ours root;
    leaf_options named;
    named.names = "DNS:store.example";
    by_proxy t(&root, granted, named);
    t.to.host = "store.example";
    t.how.guard = only("127.0.0.1");
    t.how.names = [](const std::string&) { return http::addresses{asio::ip::address_v4::loopback()}; };
    const auto answers = t.send();
    BOOST_REQUIRE_MESSAGE(answers[0].has_value(), answers[0].error().context());
    BOOST_TEST(
        t.proxy.heads.at(0).starts_with("CONNECT 127.0.0.1:" + std::to_string(t.to.port) + " HTTP/1.1"));
    BOOST_TEST(!contains(t.proxy.heads.at(0), "store.example"));
    BOOST_TEST(t.name_asked == "store.example");
}

BOOST_AUTO_TEST_CASE(a_proxy_is_no_way_around_the_guard) {
    const authority_of_ours root;
    for (const auto* host : {"10.0.0.1", "store.example", "localhost"}) {
        by_proxy t(&root);
        t.to.host = host;
        t.how.guard.emplace().ports.clear();
        t.how.names = [](const std::string&) {
            return http::addresses{asio::ip::make_address("52.216.1.2"), asio::ip::make_address("10.0.0.1")};
        };
        const auto e = t.refused();
        BOOST_TEST((e.what() == disposition::stop), e.context());
        BOOST_TEST(t.proxy.connections() == 0, host);
    }
}

BOOST_AUTO_TEST_CASE(a_guarded_client_verifies_the_name_and_dials_what_it_looked_at) {
    const authority_of_ours root;
    leaf_options named;
    named.names = "DNS:store.example";
    by_proxy t(&root, granted, named);
    t.how.proxy.reset();
    t.to.host = "store.example";
    t.how.guard = only("127.0.0.1");
    t.how.names = [](const std::string&) { return http::addresses{asio::ip::address_v4::loopback()}; };
    const auto answers = t.send(2);
    for (const auto& a : answers) BOOST_REQUIRE_MESSAGE(a.has_value(), a.error().context());
    BOOST_TEST(t.name_asked == "store.example");
    BOOST_TEST(t.origin.connections() == 1);
}

BOOST_AUTO_TEST_CASE(credentials_are_for_the_proxy_alone) {
    by_proxy t;
    t.how.proxy->username = "Aladdin";
    t.how.proxy->password = http::secret("open sesame");
    const auto answers = t.send();
    BOOST_REQUIRE_MESSAGE(answers[0].has_value(), answers[0].error().context());
    BOOST_TEST(
        contains(t.proxy.heads.at(0), "\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
    BOOST_TEST(!contains(t.seen, "Proxy-Authorization"));

    by_proxy refused(nullptr, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno!");
    refused.how.proxy = t.how.proxy;
    refused.how.proxy->port = refused.proxy.options().port;
    const auto e = refused.refused();
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.status() == 407);
    BOOST_TEST(e.context() == "the proxy http://127.0.0.1:" + std::to_string(refused.how.proxy->port) +
                                  " refused a tunnel to localhost:" + std::to_string(refused.to.port) +
                                  ": 407; check the proxy's user name and password");
}

BOOST_AUTO_TEST_CASE(a_refusal_says_its_status_and_whether_to_try_again) {
    for (const auto& [status, what] : {std::pair(403, disposition::stop), std::pair(405, disposition::stop),
                                       std::pair(404, disposition::stop), std::pair(302, disposition::stop),
                                       std::pair(429, disposition::retry), std::pair(502, disposition::retry),
                                       std::pair(503, disposition::retry)}) {
        by_proxy t(nullptr, "HTTP/1.1 " + std::to_string(status) + " No\r\nContent-Length: 1000\r\n\r\n");
        const auto e = t.refused();
        BOOST_TEST((e.what() == what), status);
        BOOST_TEST(e.status() == status);
        BOOST_TEST(contains(e.context(), "refused a tunnel"), e.context());
        BOOST_TEST(t.origin.connections() == 0);
    }
}

BOOST_AUTO_TEST_CASE(a_proxy_that_misbehaves_is_no_way) {
    const std::string whole = granted;
    for (std::size_t n = 0; n < whole.size(); ++n) {
        by_proxy t(nullptr, whole.substr(0, n));
        BOOST_TEST((t.refused().what() == disposition::retry), "cut after byte " << n);
    }
    by_proxy eager(nullptr, whole + ok("forged"));
    eager.proxy.stays = true;
    BOOST_TEST(contains(eager.refused().context(), "sent more than its answer"));
    by_proxy garbage(nullptr, "SSH-2.0-OpenSSH\r\n\r\n");
    BOOST_TEST(contains(garbage.refused().context(), "not valid HTTP"));
    by_proxy silent(nullptr, "");
    silent.proxy.stays = true;
    silent.how.wait.connect = 60ms;
    const auto e = silent.refused();
    BOOST_TEST(contains(e.context(), "no progress while asking the proxy for a tunnel"), e.context());
    by_proxy interim(nullptr, std::string("HTTP/1.1 102 Processing\r\n\r\n") + granted);
    BOOST_TEST(interim.send().front().has_value());
}

BOOST_AUTO_TEST_CASE(a_proxy_that_is_not_there_is_named) {
    by_proxy t;
    t.how.proxy->port = 1;
    const auto e = t.refused();
    BOOST_TEST((e.what() == disposition::retry));
    BOOST_TEST(contains(e.context(), "(through the proxy http://127.0.0.1:1) cannot be reached"),
               e.context());
}

BOOST_AUTO_TEST_CASE(exceptions_are_reached_directly) {
    by_proxy t;
    t.how.proxy->except = {"example.com", "localhost"};
    BOOST_TEST(t.send().front().has_value());
    BOOST_TEST(t.proxy.connections() == 0);

    http::authority to;
    to.host = "bucket.s3.internal";
    BOOST_TEST(!http::goes_through(std::nullopt, to));
    http::proxy_options via;
    BOOST_TEST(http::goes_through(via, to));
    via.except = {"s3.internal", ".other"};
    BOOST_TEST(http::goes_through(via, to));
    via.except = {".s3.internal"};
    BOOST_TEST(!http::goes_through(via, to));
}

BOOST_AUTO_TEST_CASE(the_environment_names_no_proxy) {
    by_proxy t;
    t.how.proxy.reset();
    const auto url = "http://127.0.0.1:" + std::to_string(t.proxy.options().port);
    for (const auto* name : {"http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"})
        ::setenv(name, url.c_str(), 1);
    BOOST_TEST(t.send().front().has_value());
    BOOST_TEST(t.proxy.connections() == 0);
    for (const auto* name : {"http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"}) ::unsetenv(name);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(http_expectation)

namespace {

http::client_options expecting(std::size_t from = 100) {
    auto how = scenario::quick();
    how.expect_continue = from;
    how.wait.leave = 5s;
    return how;
}

const std::string large(300'000, 'b');

/// What is in the socket after a while, without waiting for more.
task<std::size_t> waiting_bytes(peer& p) {
    real_time time;
    const auto soon = time.now() + 20ms;
    co_await time.sleep_until(soon);
    co_return p.socket.available();
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_body_goes_when_the_server_gives_leave) {
    std::size_t early = 1;
    std::string got;
    scenario s(
        [&](peer& p) -> task<> {
            while (p.open) {
                auto head = co_await p.read_head();
                if (head.empty()) co_return;
                early = co_await waiting_bytes(p);
                BOOST_TEST(contains(head, "\r\nExpect: 100-continue\r\n"));
                co_await p.write("HTTP/1.1 100 Continue\r\n\r\n");
                got = co_await p.read_body(head);
                co_await p.write(ok("done"));
            }
        },
        expecting());
    const auto answers = s.send_all({scenario::put(large), scenario::put(large)});
    for (const auto& a : answers) {
        BOOST_REQUIRE_MESSAGE(a.has_value(), a.error().context());
        BOOST_TEST(a->body == "done");
    }
    BOOST_TEST(early == 0U);
    BOOST_TEST((got == large));
    BOOST_TEST(s.server.connections() == 1);
}

BOOST_AUTO_TEST_CASE(a_silent_server_gets_the_body_nonetheless) {
    auto how = expecting();
    how.wait.leave = 50ms;
    scenario s(
        [](peer& p) -> task<> {
            co_await p.read_request();
            co_await p.write(ok("done"));
            co_await p.wait_for_close();
        },
        how);
    const auto answer = s.send(scenario::put(large));
    BOOST_REQUIRE_MESSAGE(answer.has_value(), answer.error().context());
    BOOST_TEST(answer->body == "done");
}

BOOST_AUTO_TEST_CASE(a_refusal_instead_of_leave_costs_no_body) {
    std::size_t more = 1;
    scenario s(
        [&](peer& p) -> task<> {
            co_await p.read_head();
            co_await p.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
            more = co_await waiting_bytes(p);
            co_await p.wait_for_close();
        },
        expecting());
    const auto answers = s.send_all({scenario::put(large), scenario::put(large)});
    for (const auto& a : answers) {
        BOOST_REQUIRE_MESSAGE(a.has_value(), a.error().context());
        BOOST_TEST(a->status == 403);
    }
    BOOST_TEST(more == 0U);
    BOOST_TEST(s.server.connections() == 2);  // the server may still wait for the body on the first
}

BOOST_AUTO_TEST_CASE(success_instead_of_leave_is_a_lie) {
    scenario s(
        [](peer& p) -> task<> {
            co_await p.read_head();
            co_await p.write(ok("done"));
            co_await p.wait_for_close();
        },
        expecting());
    const auto answer = s.send(scenario::put(large));
    BOOST_REQUIRE(!answer.has_value());
    BOOST_TEST(contains(answer.error().context(), "reported success before it had the whole request"));
}

BOOST_AUTO_TEST_CASE(a_server_that_knows_no_leave_is_asked_without_then_and_later) {
    int expectations = 0;
    scenario s(
        [&](peer& p) -> task<> {
            while (p.open) {
                auto head = co_await p.read_head();
                if (head.empty()) co_return;
                if (contains(head, "Expect:")) {
                    ++expectations;
                    co_await p.write("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
                    continue;
                }
                co_await p.read_body(head);
                co_await p.write(ok("done"));
            }
        },
        expecting());
    const auto answers = s.send_all({scenario::put(large), scenario::put(large)});
    for (const auto& a : answers) {
        BOOST_REQUIRE_MESSAGE(a.has_value(), a.error().context());
        BOOST_TEST(a->body == "done");
    }
    BOOST_TEST(expectations == 1);
}

BOOST_AUTO_TEST_CASE(small_bodies_and_none_expect_nothing) {
    scenario s(
        [](peer& p) -> task<> {
            while (p.open) {
                auto request = co_await p.read_request();
                if (request.empty()) co_return;
                co_await p.write(ok(request));
            }
        },
        expecting(6));
    const auto answers = s.send_all({scenario::put("small"), scenario::put(""), scenario::get()});
    for (const auto& a : answers) BOOST_TEST(!contains(a->body, "Expect"));
}

BOOST_AUTO_TEST_CASE(a_server_that_goes_away_before_leave_and_one_that_cuts_it_off) {
    for (const std::string said : {"", "HTTP/1.1 100 Cont", "HTTP/1.1 100 Continue\r\n\r\n"}) {
        scenario s(
            [&said](peer& p) -> task<> {
                co_await p.read_head();
                co_await p.write(said);
            },
            expecting());
        const auto answer = s.send(scenario::put(large));
        BOOST_REQUIRE(!answer.has_value());
        BOOST_TEST((answer.error().what() == disposition::retry));
    }
}

BOOST_AUTO_TEST_CASE(leave_that_is_followed_by_silence_is_given_up) {
    auto how = expecting();
    how.wait.first_byte = 80ms;
    scenario s(
        [](peer& p) -> task<> {
            auto head = co_await p.read_head();
            co_await p.write("HTTP/1.1 100 Continue\r\n\r\n");
            co_await p.read_body(head);
            co_await p.wait_for_close();
        },
        how);
    const auto answer = s.send(scenario::put(large));
    BOOST_REQUIRE(!answer.has_value());
    BOOST_TEST(contains(answer.error().context(), "no progress while waiting for the answer"),
               answer.error().context());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(http_client_certificate)

namespace {

ssl::context demanding(const authority_of_ours& root, const authority_of_ours& trusts, int version) {
    auto server = root.server();
    SSL_CTX_set_max_proto_version(server.native_handle(), version);
    server.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
    server.load_verify_file(trusts.file());
    return server;
}

struct demanding_server {
    demanding_server(const authority_of_ours& root, ssl::context how)
        : context(std::move(how)), s([this](peer& p) { return hello_in_tls(p, context); }) {
        s.to.tls = true;
        s.to.ca_file = root.file();
    }
    ssl::context context;
    scenario s;
};

}  // namespace

BOOST_AUTO_TEST_CASE(is_shown_to_a_server_that_asks_for_it) {
    const authority_of_ours root;
    const authority_of_ours clients;
    const auto mine = clients.client();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        for (const auto& key : {mine.key, std::string()}) {
            demanding_server t(root, demanding(root, clients, version));
            t.s.to.client_certificate = key.empty() ? mine.both : mine.certificate;
            t.s.to.client_key = key;
            const auto answer = t.s.send(scenario::get());
            BOOST_REQUIRE_MESSAGE(answer.has_value(), answer.error().context());
            BOOST_TEST(answer->body == "hello");
        }
    }
}

BOOST_AUTO_TEST_CASE(none_or_a_strangers_is_refused_and_needs_a_person) {
    const authority_of_ours root;
    const authority_of_ours clients;
    const auto strangers = root.client();
    for (const auto& shown : {std::string(), strangers.both}) {
        demanding_server t(root, demanding(root, clients, TLS1_3_VERSION));
        t.s.to.client_certificate = shown;
        const auto answer = t.s.send(scenario::get());
        BOOST_REQUIRE(!answer.has_value());
        BOOST_TEST((answer.error().what() == disposition::stop), answer.error().context());
        BOOST_TEST(contains(answer.error().context(), "check client_certificate of the credential"));
    }
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_used_are_named) {
    const authority_of_ours root;
    const auto mine = root.client();
    const auto other = root.client();
    const auto locked = root.client("passphrase");
    struct row {
        std::string certificate, key, words;
    };
    for (const auto& r : {row{"/no/such/file", "", "client certificate from /no/such/file"},
                          row{mine.key, mine.key, "client certificate from " + mine.key},
                          row{mine.certificate, "/no/such/key", "from /no/such/key"},
                          row{mine.certificate, "", "key of the client certificate from " + mine.certificate},
                          row{mine.certificate, other.key, "key of the client certificate from " + other.key},
                          row{locked.certificate, locked.key, "without a passphrase"}}) {
        scenario s([](peer& p) { return p.wait_for_close(); });
        s.to.tls = true;
        s.to.ca_file = root.file();
        s.to.client_certificate = r.certificate;
        s.to.client_key = r.key;
        const auto answer = s.send(scenario::get());
        BOOST_REQUIRE(!answer.has_value());
        BOOST_TEST((answer.error().what() == disposition::stop));
        BOOST_TEST(contains(answer.error().context(), r.words), answer.error().context());
        BOOST_TEST(s.server.connections() == 0);
    }
}

BOOST_AUTO_TEST_SUITE_END()
