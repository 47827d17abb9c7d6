/// The HTTP interface of `firehose serve`: routes, who may use them, and what is logged and counted.
#pragma once
#include "examples/firehose/access.hpp"
#include "examples/firehose/metrics.hpp"
#include "examples/firehose/stream_api.hpp"
#include "http/router.hpp"
#include "http/server.hpp"
#include "stages/ingest_http.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace firehose::app {

/// What the interface asks the rest of the process; called on the interface's shard.
struct api_backend {
    stages::ingest_http::append_function append{};  ///< called only once ready() holds
    std::function<bool()> ready{};                  ///< recovery has ended
    std::function<task<std::string>()> backlog{};   ///< for /readyz: JSON members, without braces
    std::function<task<std::string>()> metrics{};
    stream_api::backend stream{};  ///< its `ready` is the one above
};

/// One per shard; outlives its running server. More routes may be added to routes() before serve().
class http_api {
public:
    http_api(context& x, const server_settings& how, stages::event_shape shape, access_table access,
             api_backend backend);

    /// From the next request on.
    void use_tokens(access_table now) { access_ = std::move(now); }
    http::router& routes() noexcept { return routes_; }
    http::server& server() noexcept { return server_; }
    const http::server& server() const noexcept { return server_; }
    const request_metrics& requests() const noexcept { return requests_; }
    const stages::ingest_http& ingest() const noexcept { return ingest_; }

private:
    http::server_options options(const server_settings& how);
    stream_api::backend stream_backend() const;
    void log_access(const http::request_report& r) const;
    task<http::answer> healthz(http::request_head& head, http::body_reader& body);
    task<http::answer> readyz(http::request_head& head, http::body_reader& body);
    task<http::answer> metrics(http::request_head& head, http::body_reader& body);
    task<http::answer> events(http::request_head& head, http::body_reader& body);
    task<http::answer> description(http::request_head& head, http::body_reader& body);
    task<http::answer> errors(http::request_head& head, http::body_reader& body);

    context& x_;
    bool access_log_;
    access_table access_;
    api_backend backend_;
    stages::ingest_http ingest_;
    stream_api stream_;
    request_metrics requests_{};
    http::router routes_{};
    http::server server_;
};

}  // namespace firehose::app
