/// An HTTP/1.1 server of one shard: accepts, guards, limits, and hands requests to a router's handlers.
#pragma once
#include "http/head_guard.hpp"
#include "http/listener.hpp"
#include "http/router.hpp"
#include "pipeline/stage.hpp"

#include <boost/asio/ssl/context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firehose::http {

struct server_limits {
    head_limits head{};
    std::size_t body = 64u << 20;             ///< on the wire and inflated; more is 413
    std::size_t trailers = 8 * 1024;          ///< and of one chunk's header
    std::size_t chunk_extensions = 4 * 1024;  ///< of all chunks of a body together
    std::uint64_t gzip_ratio = 200;
    std::size_t pipelined = 64;        ///< requests in a row that were there before they were asked for
    std::size_t requests = 100'000;    ///< of one connection; then it is closed
    std::size_t connections = 16'384;  ///< of this server; more are answered 503 and closed
    std::size_t connections_per_address = 16'384;  ///< an IPv6 address counts as its /64; more: 429
    std::size_t drained = 256 * 1024;              ///< unread body that is worth keeping a connection for
};

/// Deadlines, not pauses between bytes: who drips does not get more time. Bodies and answers get `body` or
/// `answer` and besides a second for each `least_rate` bytes.
struct server_timeouts {
    std::chrono::milliseconds tls{10'000};   ///< handshake
    std::chrono::milliseconds idle{60'000};  ///< between requests
    std::chrono::milliseconds head{10'000};  ///< from its first byte to its last
    std::chrono::milliseconds body{20'000};
    std::chrono::milliseconds answer{20'000};
    std::chrono::milliseconds linger{2'000};  ///< for the peer to notice that we close
    std::chrono::milliseconds drain{10'000};  ///< for running requests, after the shard was told to drain
    std::size_t least_rate = 16 * 1024;       ///< bytes a second
    std::chrono::milliseconds tick{50};       ///< how exactly all of these are kept
};

/// What became of one request; `head` has no method when there was none that could be read.
struct request_report {
    const request_head& head;
    std::string_view route{};              ///< its pattern; empty when there was none
    int status = 0;                        ///< 0: the peer left before an answer
    std::uint64_t received = 0, sent = 0;  ///< body bytes on the wire
    std::chrono::steady_clock::duration took{};
};

struct server_options {
    server_limits most{};
    server_timeouts wait{};
    /// Called before the handler; a refusal is answered instead. May set head.user.
    std::function<std::optional<refusal>(request_head&, const route&)> access{};
    std::function<void(const request_report&)> done{};  ///< for the access log and the metrics
};

/// Single shard. Outlives nothing of what it is given: context and router outlive it.
///
/// Counters: http_server_connections, http_server_refused_connections, http_server_requests,
/// http_server_timeouts, http_server_handler_failures.
class server {
public:
    server(context& x, const router& routes, server_options how);
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    ~server();

    /// For connections accepted from now on; null is plain HTTP.
    void use_tls(std::shared_ptr<boost::asio::ssl::context> tls);

    /// Serves until the shard drains: then accepts no more, closes idle connections, lets running
    /// requests end (their answers say Connection: close) until the drain deadline, and returns. May be
    /// cancelled: closes all connections at once.
    task<> run(std::vector<listening_socket> on);

    std::size_t connections() const noexcept;
    std::size_t running_requests() const noexcept;

    class core;  ///< for the implementation

private:
    std::unique_ptr<core> core_;
};

}  // namespace firehose::http
