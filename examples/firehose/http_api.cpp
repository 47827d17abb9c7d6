#include "examples/firehose/http_api.hpp"

#include "examples/firehose/come_again.hpp"
#include "examples/firehose/error_envelope.hpp"
#include "examples/firehose/openapi.hpp"

namespace firehose::app {

http_api::http_api(context& x, const server_settings& how, stages::event_shape shape, access_table access,
                   api_backend backend)
    : x_(x),
      access_log_(how.access_log),
      access_(std::move(access)),
      backend_(std::move(backend)),
      ingest_(shape, how.ingest, backend_.append),
      stream_(x, how.stream, how.public_url, shape, stream_backend()),
      server_(x, routes_, options(how)) {
    using http::answer;
    const auto bind = [this](task<answer> (http_api::*what)(http::request_head&, http::body_reader&)) {
        return [this, what](http::request_head& head, http::body_reader& body) {
            return (this->*what)(head, body);
        };
    };
    routes_.add(
        {.method = "GET", .pattern = "/healthz", .run = bind(&http_api::healthz), .access = open_to_all});
    routes_.add(
        {.method = "GET", .pattern = "/readyz", .run = bind(&http_api::readyz), .access = open_to_all});
    routes_.add(
        {.method = "GET", .pattern = "/metrics", .run = bind(&http_api::metrics), .access = needs_read});
    routes_.add(
        {.method = "POST", .pattern = "/events", .run = bind(&http_api::events), .access = needs_ingest});
    routes_.add({.method = "POST",
                 .pattern = "/flows/{flow_id}/events",
                 .run = bind(&http_api::events),
                 .access = needs_ingest});
    routes_.add({.method = "GET",
                 .pattern = "/v3/{resource:word}/stream",
                 .run = [this](auto& head, auto& body) { return stream_.get(head, body); },
                 .access = needs_root});
    routes_.add({.method = "GET",
                 .pattern = "/openapi.json",
                 .run = bind(&http_api::description),
                 .access = needs_token});
    routes_.add({.method = "GET",
                 .pattern = std::string(error_catalogue_path),
                 .run = bind(&http_api::errors),
                 .access = needs_token});
    routes_.set_errors("/v3", error_envelope(how.public_url));
}

stream_api::backend http_api::stream_backend() const {
    auto out = backend_.stream;
    out.ready = backend_.ready;
    return out;
}

http::server_options http_api::options(const server_settings& how) {
    http::server_options out;
    out.most = how.limits;
    out.wait = how.wait;
    out.access = [this](http::request_head& head, const http::route& to) { return access_.check(head, to); };
    out.done = [this](const http::request_report& r) {
        requests_.count(r);
        if (access_log_) log_access(r);
    };
    return out;
}

/// Never the query: it may hold secrets.
void http_api::log_access(const http::request_report& r) const {
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(r.took).count();
    x_.log.info("request", {{"method", r.head.method},
                            {"path", r.head.path},
                            {"status", r.status},
                            {"peer", r.head.peer},
                            {"user", r.head.user},
                            {"id", r.head.id},
                            {"received", r.received},
                            {"sent", r.sent},
                            {"microseconds", took}});
}

task<http::answer> http_api::healthz(http::request_head&, http::body_reader&) {
    co_return http::json_response(200, R"({"status":"ok"})");
}

task<http::answer> http_api::readyz(http::request_head&, http::body_reader&) {
    auto out = http::json_response(503, R"({"ready":false})");
    if (!backend_.ready() || x_.stop.draining()) {
        out.headers.emplace_back("Retry-After", "1");
        co_return out;
    }
    auto asked = backend_.backlog();
    const auto backlog = co_await std::move(asked);
    out.status = 200;
    out.body = "{\"ready\":true," + backlog + "}";
    co_return out;
}

task<http::answer> http_api::metrics(http::request_head&, http::body_reader&) {
    http::response out;
    out.status = 200;
    out.headers.emplace_back("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    auto asked = backend_.metrics();
    out.body = co_await std::move(asked);
    co_return out;
}

task<http::answer> http_api::description(http::request_head&, http::body_reader&) {
    co_return http::json_response(200, std::string(openapi_json));
}

task<http::answer> http_api::errors(http::request_head&, http::body_reader&) {
    http::response out;
    out.status = 200;
    out.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    out.body = error_catalogue();
    co_return out;
}

task<http::answer> http_api::events(http::request_head& head, http::body_reader& body) {
    if (!backend_.ready()) {
        auto early = starting_or_stopping();
        co_return early;
    }
    co_return co_await ingest_.post(head, body);
}

}  // namespace firehose::app
