/// An HTTP/1.1 server of one shard: accepts, guards, limits, and hands requests to a router's handlers.
#pragma once
#include "http/head_guard.hpp"
#include "http/listener.hpp"
#include "http/router.hpp"
#include "http/server_options.hpp"
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
