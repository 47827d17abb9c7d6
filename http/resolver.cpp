#include "http/resolver.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <cstring>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace firehose::http {

namespace {

using timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, executor>;

struct looked_up {
    addresses found{};
    std::string problem{};
};

asio::ip::address to_address(const sockaddr& raw) {
    if (raw.sa_family == AF_INET) {
        sockaddr_in v4;
        std::memcpy(&v4, &raw, sizeof v4);
        return asio::ip::address_v4(ntohl(v4.sin_addr.s_addr));
    }
    sockaddr_in6 v6;
    std::memcpy(&v6, &raw, sizeof v6);
    asio::ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return asio::ip::address_v6(bytes, v6.sin6_scope_id);
}

/// Blocks; runs on the pool.
looked_up look_up(const std::string& host, const name_lookup& names) {
    looked_up out;
    if (names) {
        auto found = names(host);
        if (found.has_value())
            out.found = std::move(*found);
        else
            out.problem = found.error().context();
        return out;
    }
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
    if (failed != 0) {
        out.problem = ::gai_strerror(failed);
        return out;
    }
    for (const addrinfo* a = list; a != nullptr; a = a->ai_next)
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6) out.found.push_back(to_address(*a->ai_addr));
    ::freeaddrinfo(list);
    if (out.found.empty()) out.problem = "the name has no address";
    return out;
}

error unresolved(const std::string& host, const std::string& why) {
    return {disposition::retry, "cannot find the address of " + host + ": " + why +
                                    "; check the endpoint's spelling and the name server"};
}

}  // namespace

/// Shared by the cache, the callers that wait and the look-up under way.
struct resolver::entry {
    explicit entry(executor ex) : changed(ex) {}
    wait_queue changed;
    looked_up last{};
    time_source::steady good_until{};
    bool running = false;
};

resolver::resolver(context& shard, std::chrono::milliseconds believe, name_lookup names)
    : shard_(shard), believe_(believe), names_(std::move(names)) {}
resolver::~resolver() = default;

void resolver::forget(const std::string& host) {
    const auto found = known_.find(host);
    if (found != known_.end()) found->second->good_until = {};
}

void resolver::start(const std::string& host, const std::shared_ptr<entry>& into) {
    into->running = true;
    // The guard keeps the shard's context running until the result is back home. The entry travels as
    // a weak pointer, so that it is never destroyed on the pool's thread.
    asio::post(shard_.blocking, [host, into = std::weak_ptr<entry>(into), believe = believe_, names = names_,
                                 &time = shard_.time, home = asio::make_work_guard(shard_.ex)] {
        looked_up found = look_up(host, names);
        asio::post(home.get_executor(), [into, believe, &time, found = std::move(found)]() mutable {
            const auto e = into.lock();
            if (!e) return;
            e->running = false;
            e->last = std::move(found);
            if (e->last.problem.empty()) e->good_until = time.now() + believe;
            e->changed.wake_all();
        });
    });
}

task<result<addresses>> resolver::lookup(const std::string& host, time_source::steady deadline) {
    error_code not_numeric;
    const auto numeric = asio::ip::make_address(host, not_numeric);
    if (!not_numeric) co_return addresses(1, numeric);

    auto& slot = known_[host];
    if (!slot) slot = std::make_shared<entry>(shard_.ex);
    const std::shared_ptr<entry> e = slot;
    if (shard_.time.now() < e->good_until) co_return e->last.found;
    if (!e->running) start(host, e);

    timer limit(shard_.ex, deadline - shard_.time.now());
    limit.async_wait([e](error_code ec) {
        if (!ec) e->changed.wake_all();
    });
    while (e->running && shard_.time.now() < deadline) co_await e->changed.async_wait(use_task);
    if (e->running) co_return unresolved(host, "no answer within the time limit");
    if (!e->last.problem.empty()) co_return unresolved(host, e->last.problem);
    co_return e->last.found;
}

}  // namespace firehose::http
