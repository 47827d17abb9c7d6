#include "http/client.hpp"
#include "http/server_tls.hpp"
#include "tests/contract/real_shard.hpp"
#include "tests/loopback/certificates.hpp"
#include "tests/loopback/server_rig.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/socket.h>

using namespace firehose;
using namespace firehose::loopback;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view get_small = "GET /small HTTP/1.1\r\nHost: a\r\n\r\n";

std::string post_of(std::string_view path, std::string_view body, std::string_view more = "") {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(more) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

task<result<http::response>> ask_once(http::client& by, http::authority to, http::request req,
                                      time_source::steady deadline) {
    auto got = co_await by.send(to, req, nullptr, deadline);
    by.close_idle();
    co_return got;
}

/// Something on the other thread that needs a moment.
template <class F> bool soon(F happened) {
    const auto begin = std::chrono::steady_clock::now();
    while (!happened()) {
        if (seconds_since(begin) > 15) return false;
        std::this_thread::yield();
    }
    return true;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(http_server)

BOOST_AUTO_TEST_CASE(an_answer_as_the_client_sees_it) {
    server_rig rig;
    raw_client client(rig.port());
    client.send(get_small);
    const auto got = client.answer();
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(
        got->head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nDate: "));
    const auto id = got->head.find("X-Request-Id: ");
    BOOST_REQUIRE(id != std::string::npos);
    BOOST_TEST(got->head.substr(id + 14 + 14, 1) == "4");  // the version of the UUID
    BOOST_TEST(got->head.find("Connection") == std::string::npos);
    client.send("GET /secret HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto refused = client.answer();
    BOOST_TEST(refused->body == R"({"error":"not authorized"})");
    BOOST_TEST(refused->has("WWW-Authenticate: Bearer\r\n"));
    client.send("HEAD /small HTTP/1.1\r\nHost: a\r\n\r\n");
    BOOST_TEST(client.answer(true)->has("Content-Length: 2\r\n"));
    client.send("DELETE /flows/x HTTP/1.1\r\nHost: a\r\n\r\n");
    BOOST_TEST(client.answer()->has("Allow: GET, HEAD, PUT\r\n"));
    BOOST_REQUIRE(soon([&] { return rig.reports().size() == 4; }));
    const auto reports = rig.reports();
    BOOST_TEST(reports[0].route == "/small");
    BOOST_TEST(reports[1].status == 401);
    BOOST_TEST(reports[3].route.empty());
}

BOOST_AUTO_TEST_CASE(parameters_reach_the_handler_and_errors_take_the_form_of_their_api) {
    server_rig rig;
    raw_client client(rig.port());
    client.send("GET /flows/a%20b%2Fc?x=%41 HTTP/1.1\r\nHost: a\r\n\r\n");
    BOOST_TEST(client.answer()->body == "flow_id=a b/c;x=%41");
    client.send("GET /v3/leads/stream HTTP/1.1\r\nHost: a\r\n\r\n");
    BOOST_TEST(client.answer()->body == "resource=leads;");
    client.send("GET /v3/Leads/stream HTTP/1.1\r\nHost: a\r\n\r\n");
    BOOST_TEST(client.answer()->body == "v3 incorrect_path");
    client.send("POST /v3/leads/stream HTTP/1.1\r\nHost: a\r\n\r\n");
    BOOST_TEST(client.answer()->body == "v3 method_not_allowed");
    client.send("GET /v30 HTTP/1.1\r\nHost: a\r\n\r\n");
    BOOST_TEST(client.answer()->body.starts_with("{\"error\""));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_refused_in_the_form_of_its_path) {
    server_rig rig;
    const auto said = [&](const std::string& bytes) {
        raw_client client(rig.port());
        client.send(bytes);
        const auto got = client.answer();
        return got ? got->body : std::string("nothing");
    };
    const std::string host = "Host: a\r\n";
    for (const std::string& target : {std::string("/v3/leads/stream"), std::string("/v3?a=/b"),
                                      std::string("http://a/v3/x"), std::string("/%76%33/x")})
        BOOST_TEST(said("GET " + target + " HTTP/1.1\r\n" + host + "Content-Length: x\r\n\r\n") ==
                       "v3 bad_request",
                   target);
    BOOST_TEST(said("GET /v3/leads HTTP/1.1\r\n\r\n") == "v3 bad_request");
    BOOST_TEST(said("GET /v3/leads HTTP/2.0\r\n" + host + "\r\n") == "v3 version_not_supported");
    BOOST_TEST(said("BREW /v3/leads HTTP/1.1\r\n" + host + "\r\n") == "v3 not_implemented");
    BOOST_TEST(said("GET /v3/" + std::string(3000, 'x')) == "v3 target_too_long");
    BOOST_TEST(said("GET /v3/leads HTTP/1.1\r\nA: " + std::string(9000, 'x')) == "v3 headers_too_large");
    BOOST_TEST(said("GET /v3/leads HTTP/1.1\r\nHost") == "v3 timeout");
    for (const std::string& other :
         {std::string("/v30"), std::string("/x/v3/"), std::string("/"), std::string("http://v3/")})
        BOOST_TEST(
            said("GET " + other + " HTTP/1.1\r\n" + host + "Content-Length: x\r\n\r\n").starts_with("{"),
            other);
}

BOOST_AUTO_TEST_CASE(a_client_that_waits_is_asked_for_its_body) {
    server_rig rig;
    raw_client client(rig.port());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    BOOST_TEST(client.answer()->status == 100);
    client.send("hello");
    BOOST_TEST(client.answer()->body == "hello");
    // Refused before it has sent anything: never asked, and nobody knows whether it sends the body now.
    client.send("POST /secret HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    BOOST_TEST(client.answer()->status == 405);
    BOOST_TEST(client.closed());
}

BOOST_AUTO_TEST_CASE(a_head_that_drips_is_cut_off_at_its_deadline) {
    server_rig rig;
    raw_client client(rig.port());
    const auto begin = std::chrono::steady_clock::now();
    std::size_t sent = 0;
    for (const char c : std::string("GET /small HTTP/1.1\r\nHost: a\r\nX: ") + std::string(10'000, 'a')) {
        if (!client.send(std::string(1, c))) break;
        char answered = 0;
        if (::recv(client.descriptor(), &answered, 1, MSG_PEEK | MSG_DONTWAIT) == 1) break;
        ++sent;
        real_time time;
        std::this_thread::sleep_until(time.now() + 5ms);
    }
    BOOST_TEST(client.answer()->status == 408);
    BOOST_TEST(client.closed());
    BOOST_TEST(seconds_since(begin) > 0.6);
    BOOST_TEST(seconds_since(begin) < 5.0);
    BOOST_TEST(sent < 200U);
}

BOOST_AUTO_TEST_CASE(a_body_that_stops_or_ends_too_early) {
    server_rig rig;
    raw_client stops(rig.port());
    stops.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello");
    BOOST_TEST(stops.answer()->status == 408);
    BOOST_TEST(stops.closed());
    raw_client ends(rig.port());
    ends.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello");
    ends.stop_sending();
    BOOST_TEST(ends.closed());
    BOOST_TEST(soon([&] { return rig.reports().size() == 2; }));
    BOOST_TEST(rig.reports().back().status == 0);
}

BOOST_AUTO_TEST_CASE(an_idle_connection_is_closed_without_a_word) {
    auto how = server_rig::quick();
    how.wait.idle = 100ms;
    server_rig rig(how);
    raw_client never_asks(rig.port());
    BOOST_TEST(never_asks.closed());
    raw_client asks(rig.port());
    asks.send(get_small);
    BOOST_TEST(asks.answer()->status == 200);
    BOOST_TEST(asks.closed());
    BOOST_TEST(soon([&] { return rig.connections() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_reader_that_does_not_read_is_cut_off) {
    auto how = server_rig::quick();
    how.wait.least_rate = 64u << 20;
    server_rig rig(how);
    raw_client client(rig.port());
    client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    BOOST_TEST(soon([&] { return !rig.reports().empty(); }));
    BOOST_TEST(rig.reports().front().status == 0);
    BOOST_TEST(soon([&] { return rig.connections() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_large_answer_arrives_whole) {
    server_rig rig;
    raw_client client(rig.port());
    client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    BOOST_TEST(client.answer()->body.size() == 8u << 20);
}

BOOST_AUTO_TEST_CASE(a_large_body_is_streamed) {
    server_rig rig;
    raw_client client(rig.port());
    const std::string body(10u << 20, 'y');
    client.send(post_of("/count", body));
    BOOST_TEST(client.answer()->body == std::to_string(body.size()));
    std::string chunks;
    for (int i = 0; i < 1000; ++i) chunks += "3e8\r\n" + std::string(1000, 'z') + "\r\n";
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks +
                "0\r\n\r\n");
    BOOST_TEST(client.answer()->body == "1000000");
}

BOOST_AUTO_TEST_CASE(an_early_answer_survives_a_body_nobody_reads) {
    server_rig rig;
    raw_client client(rig.port());
    client.send(post_of("/ignore", std::string(600'000, 'y')));
    const auto got = client.answer();
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(got->status == 200);
    BOOST_TEST(got->has("Connection: close\r\n"));
    BOOST_TEST(client.closed());
}

BOOST_AUTO_TEST_CASE(gzip_bombs_are_bounded_by_ratio_and_by_size) {
    auto how = server_rig::quick();
    server_rig rig(how);
    const auto bomb = gzip(std::string(15u << 20, '\0'));
    BOOST_TEST_MESSAGE("a bomb of " << bomb.size() << " bytes");
    raw_client client(rig.port());
    client.send(post_of("/count", bomb, "Content-Encoding: gzip\r\n"));
    BOOST_TEST(client.answer()->body.find("times its size") != std::string::npos);
    raw_client again(rig.port());
    std::string text;
    for (int i = 0; text.size() < (3u << 20); ++i) text += std::to_string(i);
    again.send(post_of("/echo", gzip(text), "Content-Encoding: gzip\r\n"));
    BOOST_TEST(again.answer()->status == 413);
    raw_client fine(rig.port());
    fine.send(post_of("/count", gzip(text), "Content-Encoding: gzip\r\n"));
    BOOST_TEST(fine.answer()->body == std::to_string(text.size()));
}

BOOST_AUTO_TEST_CASE(connections_are_limited_in_all_and_per_address) {
    auto how = server_rig::quick();
    how.most.connections = 2;
    server_rig rig(how);
    raw_client one(rig.port());
    raw_client two(rig.port());
    one.send(get_small);
    two.send(get_small);
    BOOST_TEST(one.answer()->status == 200);
    BOOST_TEST(two.answer()->status == 200);
    raw_client three(rig.port());
    const auto turned_away = three.answer();
    BOOST_TEST(turned_away->status == 503);
    BOOST_TEST(turned_away->has("Retry-After: 1\r\n"));

    auto per_address = server_rig::quick();
    per_address.most.connections_per_address = 1;
    server_rig strict(per_address);
    {
        raw_client first(strict.port());
        first.send(get_small);
        BOOST_TEST(first.answer()->status == 200);
        raw_client second(strict.port());
        BOOST_TEST(second.answer()->status == 429);
    }
    BOOST_TEST(soon([&] { return strict.connections() == 0; }));
    raw_client later(strict.port());
    later.send(get_small);
    BOOST_TEST(later.answer()->status == 200);
}

BOOST_AUTO_TEST_CASE(pipelining_and_the_requests_of_a_connection_are_limited) {
    server_rig rig;
    raw_client client(rig.port());
    std::string many;
    for (int i = 0; i < 100; ++i) many += get_small;
    client.send(many);
    const auto got = client.answers_until_close();
    BOOST_TEST(got.size() >= 32U);
    BOOST_TEST(got.size() <= 66U);  // what one read brings counts anew
    auto how = server_rig::quick();
    how.most.requests = 3;
    server_rig few(how);
    raw_client talkative(few.port());
    for (int i = 0; i < 3; ++i) {
        talkative.send(get_small);
        BOOST_TEST(talkative.answer()->status == 200);
    }
    BOOST_TEST(talkative.closed());
}

BOOST_AUTO_TEST_CASE(a_drain_ends_idle_connections_and_lets_running_requests_finish) {
    server_rig rig;
    raw_client idle(rig.port());
    idle.send(get_small);
    BOOST_TEST(idle.answer()->status == 200);
    raw_client busy(rig.port());
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    raw_client halfway(rig.port());
    halfway.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
    BOOST_TEST(soon([&] { return rig.connections() == 3; }));
    std::this_thread::sleep_until(std::chrono::steady_clock::now() + 50ms);  // until their heads are read
    rig.drain();
    BOOST_TEST(idle.closed());
    halfway.send("llo");
    const auto whole = halfway.answer();
    BOOST_TEST(whole->body == "hello");
    BOOST_TEST(whole->has("Connection: close\r\n"));
    const auto late = busy.answer();
    BOOST_TEST(late->body == "late");
    BOOST_TEST(late->has("Connection: close\r\n"));
    BOOST_TEST(busy.closed());
    rig.wait();
    BOOST_CHECK_THROW(raw_client(rig.port()), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(a_drain_does_not_wait_for_ever) {
    auto how = server_rig::quick();
    how.wait.drain = 100ms;
    how.wait.body = 30'000ms;
    server_rig rig(how);
    raw_client client(rig.port());
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
    BOOST_TEST(soon([&] { return rig.connections() == 1; }));
    const auto begin = std::chrono::steady_clock::now();
    rig.drain();
    rig.wait();
    BOOST_TEST(seconds_since(begin) < 5.0);
    BOOST_TEST(client.closed());
}

BOOST_AUTO_TEST_CASE(tls_and_a_change_of_certificates_without_a_stop) {
    const authority_of_ours old_root, new_root;
    const auto context_of = [](const authority_of_ours& root) {
        return std::make_shared<boost::asio::ssl::context>(root.server());
    };
    server_rig rig(server_rig::quick(), context_of(old_root));
    contract::real_shard shard;
    const auto ask = [&](http::client& by, const authority_of_ours& root) {
        http::authority to;
        to.host = "localhost";
        to.port = rig.port();
        to.ca_file = root.file();
        http::request req;
        req.method = "GET";
        req.target = "/small";
        const auto deadline = shard.x.time.now() + 10s;
        return shard.run(ask_once(by, to, req, deadline));
    };
    http::client client(shard.x);
    auto first = ask(client, old_root);
    BOOST_REQUIRE_MESSAGE(first.has_value(), first.error().context());
    BOOST_TEST(first->body == "ok");
    rig.use_tls(context_of(new_root));
    BOOST_TEST(!ask(client, old_root).has_value());
    auto second = ask(client, new_root);
    BOOST_REQUIRE_MESSAGE(second.has_value(), second.error().context());
    BOOST_TEST(second->body == "ok");
    raw_client plain(rig.port());
    plain.send(get_small);
    BOOST_TEST(plain.answers_until_close().empty());
}

BOOST_AUTO_TEST_CASE(certificates_that_cannot_be_used_are_named) {
    http::server_tls_files files;
    files.certificate = "/nonexistent/certificate.pem";
    files.key = "/nonexistent/key.pem";
    const auto made = http::load_server_tls(files);
    BOOST_REQUIRE(made.has_error());
    BOOST_TEST(made.error().context().find("cannot use the certificate /nonexistent/certificate.pem") == 0U);
}

BOOST_AUTO_TEST_CASE(addresses_to_listen_on) {
    for (const char* bad :
         {"", "8080", "host:80", "1.2.3:80", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "[::1:80"}) {
        BOOST_TEST(http::listen_on(bad, false).has_error(), bad);
    }
    const auto v6 = http::listen_on("[::1]:0", false);
    if (v6.has_value()) BOOST_TEST(v6->loopback_only());
    const auto v4 = http::listen_on("localhost:0", true);
    BOOST_REQUIRE(v4.has_value());
    BOOST_TEST(v4->loopback_only());
    const auto all = http::listen_on("0.0.0.0:0", false);
    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(!all->loopback_only());
    const auto taken = http::listen_on(v4->address(), false);
    BOOST_TEST(taken.has_error());
    BOOST_TEST(http::adopt_socket(0).has_error());
}

BOOST_AUTO_TEST_SUITE_END()
