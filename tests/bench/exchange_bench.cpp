/// What an exchange costs the client, without signing: small PUTs with keep-alive to a sink on the loopback,
/// plain and in TLS. Processor time of the client's thread alone, allocations, bytes through memcpy and
/// memmove. Usage: exchange_bench [requests] [in flight] [body bytes]
#include "http/client.hpp"
#include "tests/contract/real_shard.hpp"
#include "tests/loopback/certificates.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <thread>

#include <dlfcn.h>

namespace {
thread_local bool counting = false;
std::uint64_t allocations = 0;
std::uint64_t copied = 0;

using copy_function = void* (*)(void*, const void*, std::size_t);
copy_function real_memcpy = nullptr;
copy_function real_memmove = nullptr;

/// Before the real ones are known: the loader copies too.
void* copy_plainly(void* to, const void* from, std::size_t n) {
    auto* const out = static_cast<volatile unsigned char*>(to);
    const auto* const in = static_cast<const volatile unsigned char*>(from);
    if (to < from) {
        for (std::size_t i = 0; i < n; ++i) out[i] = in[i];
    } else {
        for (std::size_t i = n; i > 0; --i) out[i - 1] = in[i - 1];
    }
    return to;
}
}  // namespace

void* operator new(std::size_t size) {
    if (counting) ++allocations;
    if (void* p = std::malloc(size > 0 ? size : 1)) return p;
    throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

extern "C" void* memcpy(void* to, const void* from, std::size_t n) {
    if (counting) copied += n;
    return real_memcpy != nullptr ? real_memcpy(to, from, n) : copy_plainly(to, from, n);
}
extern "C" void* memmove(void* to, const void* from, std::size_t n) {
    if (counting) copied += n;
    return real_memmove != nullptr ? real_memmove(to, from, n) : copy_plainly(to, from, n);
}

namespace firehose {
namespace {

using tcp = asio::ip::tcp;
using tcp_socket = asio::basic_stream_socket<tcp, executor>;
namespace ssl = asio::ssl;

constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nx-amz-request-id: tx00000000000000000001\r\n"
                                    "ETag: \"9a0364b9e99bb480dd25e1f0284c8555\"\r\nContent-Length: 0\r\n\r\n";

template <class Stream> task<> swallow(Stream& stream) {
    std::string got;
    std::array<char, 65536> block;
    error_code ec;
    auto quietly = asio::redirect_error(use_task, ec);
    for (;;) {
        const auto room = asio::buffer(block);
        const std::size_t n = co_await stream.async_read_some(room, quietly);
        if (ec) co_return;
        got.append(block.data(), n);
        const auto end = got.find("\r\n\r\n");
        if (end == std::string::npos) continue;
        const auto length = got.find("Content-Length: ");
        const std::size_t body = length < end ? std::strtoull(got.c_str() + length + 16, nullptr, 10) : 0;
        if (got.size() < end + 4 + body) continue;
        got.clear();
        const auto text = asio::buffer(answer);
        co_await asio::async_write(stream, text, quietly);
        if (ec) co_return;
    }
}

task<> serve(std::shared_ptr<tcp_socket> s, ssl::context* with) {
    if (with == nullptr) {
        co_await swallow(*s);
        co_return;
    }
    ssl::stream<tcp_socket&> stream(*s, *with);
    error_code ec;
    auto quietly = asio::redirect_error(use_task, ec);
    co_await stream.async_handshake(ssl::stream_base::server, quietly);
    if (!ec) co_await swallow(stream);
}

/// A server on a thread of its own, so that its work is not the client's.
class sink {
public:
    explicit sink(ssl::context* with)
        : acceptor_(io_.get_executor(), tcp::endpoint(asio::ip::address_v4::loopback(), 0)), with_(with) {
        asio::co_spawn(io_, listen(), asio::detached);
        thread_ = std::thread([this] { io_.run(); });
    }
    ~sink() {
        io_.stop();
        thread_.join();
    }
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    task<> listen() {
        for (;;) {
            auto s = std::make_shared<tcp_socket>(io_.get_executor());
            co_await acceptor_.async_accept(*s, use_task);
            s->set_option(tcp::no_delay(true));
            asio::co_spawn(io_, serve(std::move(s), with_), asio::detached);
        }
    }
    asio::io_context io_{1};
    asio::basic_socket_acceptor<tcp, executor> acceptor_;
    ssl::context* with_;
    std::thread thread_;
};

struct work {
    http::client& client;
    const http::authority& to;
    const std::string& body;
    std::uint64_t left;
    std::uint64_t failed = 0;
};

task<> put_until_done(work& w, time_source& time) {
    http::request req;
    req.method = "PUT";
    req.target = "/events/aws/66f1c0de940df5a34a388800/66f1c0de940df5a34a388801.json";
    req.headers = {{"Host", "127.0.0.1"}, {"Content-Type", "application/json"}};
    req.body = {std::as_bytes(std::span(w.body))};
    while (w.left > 0) {
        --w.left;
        const auto deadline = time.now() + std::chrono::seconds(30);
        auto got = co_await w.client.send(w.to, req, nullptr, deadline);
        if (!got.has_value() || got->status != 200) ++w.failed;
    }
}

double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct figures {
    double cpu = 0;
    double clock = 0;
    std::uint64_t failed = 0;
};

task<> side_by_side(context& x, work& w, unsigned in_flight) {
    return with_scope(x.ex, [&x, &w, in_flight](task_scope& s) {
        for (unsigned i = 0; i < in_flight; ++i) s.spawn(put_until_done(w, x.time));
    });
}

/// The first round warms: connections, the allocator.
task<figures> two_rounds(context& x, work& warm, work& w, unsigned in_flight) {
    figures out;
    auto first = side_by_side(x, warm, in_flight);
    co_await std::move(first);
    allocations = copied = 0;
    const auto began = x.time.now();
    const double cpu = thread_seconds();
    counting = true;
    auto second = side_by_side(x, w, in_flight);
    co_await std::move(second);
    counting = false;
    out.cpu = thread_seconds() - cpu;
    out.clock = std::chrono::duration<double>(x.time.now() - began).count();
    out.failed = warm.failed + w.failed;
    w.client.close_idle();
    co_return out;
}

std::uint64_t measure(const char* what, const http::authority& to, std::uint64_t requests, unsigned in_flight,
                      std::size_t body_bytes) {
    contract::real_shard shard;
    http::client client(shard.x);
    const std::string body(body_bytes, 'x');
    work warm{client, to, body, requests / 10 + in_flight};
    work w{client, to, body, requests};
    const auto got = shard.run(two_rounds(shard.x, warm, w, in_flight));
    const auto n = static_cast<double>(requests);
    std::printf("%-6s %8.0f PUTs per CPU second, %6.2f us each (%.0f/s on the clock), %5.2f allocations, "
                "%6.0f bytes copied, %llu connections, %llu failed\n",
                what, n / got.cpu, got.cpu * 1e6 / n, n / got.clock, static_cast<double>(allocations) / n,
                static_cast<double>(copied) / n,
                static_cast<unsigned long long>(shard.x.count["http_connections_opened"]),
                static_cast<unsigned long long>(got.failed));
    return got.failed;
}

int run(std::uint64_t requests, unsigned in_flight, std::size_t body_bytes) {
    std::printf("PUTs of %zu bytes, %u in flight, keep-alive, loopback; %s\n", body_bytes, in_flight,
                FIREHOSE_BENCH_BUILD);
    std::uint64_t failed = 0;
    http::authority to;
    to.host = "127.0.0.1";
    to.tls = false;
    {
        sink plain(nullptr);
        to.port = plain.port();
        failed += measure("plain", to, requests, in_flight, body_bytes);
    }
    const loopback::authority_of_ours root;
    auto context = root.server();
    sink secure(&context);
    to.tls = true;
    to.port = secure.port();
    to.ca_file = root.file();
    failed += measure("TLS", to, requests, in_flight, body_bytes);
    return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace firehose

int main(int argc, char** argv) {
    real_memcpy = reinterpret_cast<copy_function>(dlsym(RTLD_NEXT, "memcpy"));
    real_memmove = reinterpret_cast<copy_function>(dlsym(RTLD_NEXT, "memmove"));
    const auto number = [&](int i, std::uint64_t otherwise) {
        return argc > i ? std::strtoull(argv[i], nullptr, 10) : otherwise;
    };
    return firehose::run(number(1, 100'000), static_cast<unsigned>(number(2, 64)), number(3, 1024));
}
