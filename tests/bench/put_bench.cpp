/// What a small PUT costs: a store of S3 over HTTP and HTTPS against a sink in another process, and beside it
/// the same exchange without signing, and bare sockets. Usage: put_bench [PUTs]           1,000,000 is the
/// full size
///        put_bench --sink           only serves, for other clients; prints the endpoint
#include "http/client.hpp"
#include "pipeline/bytes.hpp"
#include "pipeline/scope.hpp"
#include "storage/s3_store.hpp"
#include "tests/bench/costs.hpp"
#include "tests/bench/put_sink.hpp"
#include "tests/loopback/certificates.hpp"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>

namespace firehose::bench {
namespace {

constexpr int in_flight = 64;
std::size_t body_size = 1024;

/// All PUTs of one run; each of the workers takes the next until none is left.
struct load {
    std::uint64_t total = 0;
    std::uint64_t taken = 0;
    std::uint64_t done = 0;
    std::array<std::uint64_t, 3> resident{};  ///< at 10, 50 and 100 %
    std::string body = std::string(body_size, 'x');

    bool take(std::uint64_t& number) {
        if (taken == total) return false;
        number = taken++;
        return true;
    }
    void finish() {
        ++done;
        if (done == total / 10) resident[0] = resident_kb();
        if (done == total / 2) resident[1] = resident_kb();
        if (done == total) resident[2] = resident_kb();
    }
};

class shard {
public:
    void run(task<> t) {
        std::exception_ptr failure;
        asio::co_spawn(io_, std::move(t), [&failure](std::exception_ptr e) { failure = std::move(e); });
        io_.restart();
        io_.run();
        if (failure) std::rethrow_exception(failure);
    }

private:
    asio::io_context io_{1};
    real_time time_;
    seeded_randomness random_{1};
    stop_state stop_{io_.get_executor()};
    counters count_;
    asio::thread_pool blocking_{1};

public:
    context x{.ex = io_.get_executor(),
              .time = time_,
              .random = random_,
              .stop = stop_,
              .count = count_,
              .blocking = blocking_};
};

[[noreturn]] void give_up(const error& why) { throw std::runtime_error(why.context()); }

task<> put_with_store(storage::store& s, context& x, load& l) {
    const storage::payload body{as_bytes(l.body)};
    const storage::put_options how;
    for (std::uint64_t n = 0; l.take(n);) {
        const auto key = "lead/66f1c0de940df5a34a388800/" + std::to_string(n) + ".json";
        const auto deadline = x.time.now() + std::chrono::seconds(60);
        auto stored = co_await s.put(key, body, how, deadline);
        if (!stored.has_value()) give_up(stored.error());
        l.finish();
    }
}

/// The same request, byte for byte but for the signature's value.
http::request same_request(const load& l) {
    http::request req;
    req.method = "PUT";
    req.target = "/events/lead/66f1c0de940df5a34a388800/123456.json";
    const std::string hex(64, '0');
    req.headers = {{"Host", "127.0.0.1:12345"},
                   {"x-amz-content-sha256", hex},
                   {"Content-Type", "application/json"},
                   {"x-amz-date", "20260101T000000Z"},
                   {"Authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/s3/aws4_request, "
                    "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, Signature=" +
                        hex}};
    req.body.emplace_back(as_bytes(l.body));
    return req;
}

task<> put_unsigned(http::client& c, const http::authority& to, context& x, load& l) {
    auto req = same_request(l);
    for (std::uint64_t n = 0; l.take(n);) {
        const auto deadline = x.time.now() + std::chrono::seconds(60);
        auto answer = co_await c.send(to, req, nullptr, deadline);
        if (!answer.has_value()) give_up(answer.error());
        l.finish();
    }
}

/// Nothing but sockets: bytes made beforehand, an answer of known length.
task<> put_by_socket(std::uint16_t port, context& x, load& l) {
    using tcp = asio::ip::tcp;
    const auto req = same_request(l);
    std::string bytes = req.method + " " + req.target + " HTTP/1.1\r\n";
    for (const auto& [name, value] : req.headers)
        bytes.append(name).append(": ").append(value).append("\r\n");
    bytes += "User-Agent: firehose\r\nContent-Length: " + std::to_string(l.body.size()) + "\r\n\r\n";
    asio::basic_stream_socket<tcp, executor> socket(x.ex);
    const tcp::endpoint peer(asio::ip::address_v4::loopback(), port);
    co_await socket.async_connect(peer, use_task);
    socket.set_option(tcp::no_delay(true));
    const std::array<asio::const_buffer, 2> out{asio::buffer(bytes), asio::buffer(l.body)};
    std::array<char, 4096> in;
    const auto room = asio::buffer(in);
    for (std::uint64_t n = 0; l.take(n);) {
        co_await asio::async_write(socket, out, use_task);
        const auto got = co_await socket.async_read_some(room, use_task);
        if (got < 4 || std::memcmp(in.data() + got - 4, "\r\n\r\n", 4) != 0)
            throw std::runtime_error("half an answer");
        l.finish();
    }
}

using make_worker = std::function<task<>(load& l)>;

void measure(const char* what, std::uint64_t puts, shard& on, const make_worker& make,
             const std::function<void()>& close) {
    const auto run = [&](load& l) {
        auto spawn_all = [&l, &make](task_scope& s) {
            for (int i = 0; i < in_flight; ++i) s.spawn(make(l));
        };
        const auto and_close = [](executor ex, auto all, const std::function<void()>& after) -> task<> {
            co_await with_scope(ex, std::move(all));
            after();
        };
        on.run(and_close(on.x.ex, spawn_all, close));
    };
    load warm;
    warm.total = std::min<std::uint64_t>(puts, 5000);
    run(warm);
    load l;
    l.total = puts;
    const auto before = costs_so_far();
    run(l);
    const auto spent = costs_so_far() - before;
    const auto n = static_cast<double>(puts);
    std::printf("%-36s %9.0f %9.0f %7.1f %7.1f %7.1f %8.2f %8.0f %8.0f   %6.1f %6.1f %6.1f\n", what,
                n / spent.cpu_s(), n / spent.wall_s, spent.cpu_s() * 1e6 / n, spent.user_s * 1e6 / n,
                spent.system_s * 1e6 / n, static_cast<double>(spent.allocations) / n,
                static_cast<double>(spent.allocated_bytes) / n, static_cast<double>(spent.copied_bytes) / n,
                static_cast<double>(l.resident[0]) / 1024, static_cast<double>(l.resident[1]) / 1024,
                static_cast<double>(l.resident[2]) / 1024);
    std::fflush(stdout);
}

storage::credential credential_for(const std::string& endpoint, const std::string& ca_file) {
    storage::credential c;
    c.id = "507f1f77bcf86cd799439011";
    c.type = "user";
    c.username = "AKIAIOSFODNN7EXAMPLE";
    c.password = storage::secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    c.endpoint = endpoint;
    c.ca_file = ca_file;
    return c;
}

void measure_store(const char* what, std::uint64_t puts, const storage::credential& with) {
    shard on;
    http::client client(on.x);
    storage::store_environment env{on.x, client, {}};
    const storage::destination to{"aws", "s3", "events", "", with.id};
    const auto store = storage::s3_kind().make(to, &with, env);
    if (!store.has_value()) give_up(store.error());
    const auto worker = [&](load& l) { return put_with_store(**store, on.x, l); };
    measure(what, puts, on, worker, [&client] { client.close_idle(); });
}

void measure_unsigned(std::uint64_t puts, std::uint16_t port) {
    shard on;
    http::client client(on.x);
    http::authority to;
    to.tls = false;
    to.host = "127.0.0.1";
    to.port = port;
    const auto worker = [&](load& l) { return put_unsigned(client, to, on.x, l); };
    measure("the client alone, unsigned, HTTP", puts, on, worker, [&client] { client.close_idle(); });
}

void measure_sockets(std::uint64_t puts, std::uint16_t port) {
    shard on;
    const auto worker = [&](load& l) { return put_by_socket(port, on.x, l); };
    measure("bare sockets", puts, on, worker, [] {});
}

void measure_signing(std::uint64_t times) {
    const storage::sigv4::identity who{
        "AKIAIOSFODNN7EXAMPLE", storage::secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), {}};
    storage::s3_signer signer(who, "us-east-1");
    const load l;
    auto req = same_request(l);
    const auto noon = std::chrono::sys_days(std::chrono::year(2026) / 3 / 2) + std::chrono::hours(12);
    for (const bool measured : {false, true}) {
        const auto before = costs_so_far();
        for (std::uint64_t i = 0; i < times; ++i)
            if (!signer.sign(req, noon + std::chrono::seconds(i % 3600)).has_value())
                throw std::runtime_error("unsigned");
        const auto spent = costs_so_far() - before;
        if (measured)
            std::printf("a signature with the day's key: %.0f ns, %.1f allocations\n",
                        spent.cpu_s() * 1e9 / static_cast<double>(times),
                        static_cast<double>(spent.allocations) / static_cast<double>(times));
    }
}

int run(int argc, char** argv) {
    const loopback::authority_of_ours root;
    auto tls = root.server();
    const put_sink plain;
    const std::string endpoint = "http://127.0.0.1:" + std::to_string(plain.port());
    if (argc > 1 && std::strcmp(argv[1], "--sink") == 0) {
        std::printf("%s\n", endpoint.c_str());
        std::fflush(stdout);
        plain.wait();
        return 0;
    }
    const put_sink secure(tls.native_handle());
    if (argc > 2) body_size = std::strtoull(argv[2], nullptr, 10);
    const auto puts = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20'000;
    std::printf("%s\n%llu PUTs of %zu bytes, %d in flight; processor time is the client's alone\n\n",
                FIREHOSE_BENCH_BUILD, puts, body_size, in_flight);
    std::printf("%-36s %9s %9s %7s %7s %7s %8s %8s %8s   %s\n", "", "PUTs/cpu", "PUTs/s", "us", "user",
                "kernel", "allocs", "bytes", "copied", "resident MB at 10, 50, 100 %");
    measure_store("S3 over HTTP", puts, credential_for(endpoint, {}));
    measure_store("S3 over HTTPS", puts,
                  credential_for("https://127.0.0.1:" + std::to_string(secure.port()), root.file()));
    measure_unsigned(puts, plain.port());
    measure_sockets(puts, plain.port());
    measure_signing(puts);
    return 0;
}

}  // namespace
}  // namespace firehose::bench

int main(int argc, char** argv) {
    try {
        return firehose::bench::run(argc, argv);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "put_bench: %s\n", e.what());
        return 1;
    }
}
