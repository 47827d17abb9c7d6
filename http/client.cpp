#include "http/client.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>

namespace firehose::http {

client::client(context& shard, client_options how)
    : shard_(shard),
      how_(std::move(how)),
      resolver_(shard, how_.addresses, how_.names),
      pool_(shard, how_),
      opened_(shard.count["http_connections_opened"]),
      reused_(shard.count["http_connections_reused"]),
      stale_(shard.count["http_connections_stale"]) {}

task<result<addresses>> client::find(const authority& to, time_source::steady deadline) {
    if (how_.guard) {
        auto fit = how_.guard->check(to);
        if (!fit.has_value()) co_return fit.error();
    }
    const auto resolve_by = std::min(deadline, shard_.time.now() + how_.wait.resolve);
    auto where = co_await resolver_.lookup(to.host, resolve_by);
    if (where.has_value() && how_.guard) {
        auto fit = how_.guard->check(to, *where);
        if (!fit.has_value()) co_return fit.error();
    }
    co_return where;
}

task<result<addresses>> client::find_proxy(const authority& to, connect_options& how,
                                           time_source::steady deadline) {
    if (how_.guard) {
        // A proxy would look the name up once more, and find who knows what.
        auto where = co_await find(to, deadline);
        if (!where.has_value()) co_return where;
        how.tunnel_to = where->front().to_string();
    }
    const auto resolve_by = std::min(deadline, shard_.time.now() + how_.wait.resolve);
    auto proxy = co_await resolver_.lookup(how_.proxy->host, resolve_by);
    co_return proxy;
}

task<result<std::unique_ptr<connection>>> client::open(const authority& to, time_source::steady deadline) {
    connect_options how{how_};
    if (to.tls) {
        auto tls = tls_.get(to);
        if (!tls.has_value()) co_return tls.error();
        how.tls = *tls;
        how.resume = pool_.session_for(to);
    }
    const bool via = goes_through(how_.proxy, to);
    auto asked = via ? find_proxy(to, how, deadline) : find(to, deadline);
    auto where = co_await std::move(asked);
    if (!where.has_value()) co_return where.error();
    auto made = co_await open_connection(shard_, to, *where, how, deadline);
    if (made.has_value()) {
        ++opened_;
    } else {
        resolver_.forget(via ? how_.proxy->host : to.host);
    }
    co_return made;
}

task<result<response>> client::send(const authority& to, request& req, signer* by,
                                    time_source::steady deadline) {
    if (!find_header(req.headers, "Host")) req.headers.emplace(req.headers.begin(), "Host", host_header(to));
    bool fresh_only = false;
    for (;;) {
        if (shard_.time.now() >= deadline) {
            error_details d;
            d.code = asio::error::timed_out;
            d.context = describe(to) + ": the time for the request ended before it could be sent";
            co_return error(disposition::retry, std::move(d));
        }
        std::unique_ptr<connection> conn = fresh_only ? nullptr : pool_.take(to);
        const bool reused = conn != nullptr;
        if (reused) {
            ++reused_;
        } else {
            auto made = co_await open(to, deadline);
            if (!made.has_value()) co_return made.error();
            conn = std::move(*made);
        }
        if (by != nullptr) {
            auto signed_ = by->sign(req, shard_.time.wall_now());
            if (!signed_.has_value()) co_return signed_.error();
        }
        conn->expect_from(give_no_leave_.contains(to) ? never_expect : how_.expect_continue);
        auto answer = co_await conn->exchange(req, deadline);
        if (answer.has_value() && answer->status == 417 && conn->expected()) {
            give_no_leave_.insert(to);
            continue;
        }
        if (answer.has_value()) {
            pool_.give_back(to, std::move(conn));
            co_return answer;
        }
        const bool late = answer.error().code() == asio::error::timed_out;
        const bool stale = reused && !conn->answered() && req.idempotent && !late;
        if (!stale || answer.error().what() != disposition::retry) co_return answer;
        ++stale_;
        fresh_only = true;
    }
}

transport_factory client::transports() {
    return [this](const authority& to, signer* by) { return std::make_shared<endpoint>(*this, to, by); };
}

}  // namespace firehose::http
