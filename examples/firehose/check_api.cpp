#include "examples/firehose/check_api.hpp"

#include "examples/firehose/access.hpp"
#include "examples/firehose/check_answer.hpp"
#include "examples/firehose/come_again.hpp"
#include "http/client.hpp"
#include "pipeline/bytes.hpp"

#include <algorithm>

namespace firehose::app {
namespace {

constexpr std::size_t largest_body = 64 * 1024;

http::refusal malformed(std::string sentence) { return {400, "invalid_param", std::move(sentence)}; }

http::refusal no_json_wanted() {
    return {403, "invalid_header", "misconfigured csrf: check Accept header is set properly"};
}

bool is_json(const http::header_list& headers) {
    const auto* kind = http::find_header(headers, "Content-Type");
    if (kind == nullptr) return false;
    auto type = kind->substr(0, kind->find(';'));
    while (type.ends_with(' ')) type.pop_back();
    return http::same_name(type, "application/json");
}

http::refusal not_now(int status, std::string code, std::string sentence, std::chrono::nanoseconds wait) {
    auto later = come_again(status, std::move(code), std::move(sentence), wait);
    later.headers.emplace_back("Cache-Control", "no-store");
    return later;
}

/// One of the seats for checks that run at a time.
struct seat {
    explicit seat(unsigned& running) : taken(running) { ++taken; }
    seat(const seat&) = delete;
    ~seat() { --taken; }
    unsigned& taken;
};

}  // namespace

check_api::check_api(context& x, check_settings how, http::client_options http,
                     const storage::registry& stores, admission admit)
    : x_(x),
      how_(std::move(how)),
      http_(std::move(http)),
      stores_(stores),
      admit_(std::move(admit)),
      done_(x.count["credential_checks"]),
      failed_(x.count["credential_checks_failed"]) {
    http_.guard = how_.guard;
    http_.accept = {largest_body, largest_body, largest_body};
    http_.wait = {};  // those of deliveries may be as long as an operator likes
}

void check_api::add_to(http::router& routes) {
    const auto bind = [this](task<http::answer> (check_api::*what)(http::request_head&, http::body_reader&)) {
        return [this, what](http::request_head& head, http::body_reader& body) {
            return (this->*what)(head, body);
        };
    };
    routes.add({.method = "GET",
                .pattern = "/firehose",
                .run = bind(&check_api::get),
                .access = needs_admin,
                .max_body = largest_body});
    routes.add({.method = "POST",
                .pattern = "/firehose",
                .run = bind(&check_api::post),
                .access = needs_admin,
                .max_body = largest_body});
}

task<http::answer> check_api::get(http::request_head& head, http::body_reader&) {
    auto fields = http::parse_query(head.query);
    http::wipe(head.query);
    if (!accepts_json(head.headers)) co_return no_json_wanted();
    if (!fields) co_return malformed("the query holds a malformed escape; a '%' is sent as %25");
    co_return co_await check(*fields, check_form::query, head);
}

task<http::answer> check_api::post(http::request_head& head, http::body_reader& body) {
    http::wipe(head.query);
    if (!accepts_json(head.headers)) co_return no_json_wanted();
    if (!is_json(head.headers))
        co_return http::refusal(415, "unsupported_media_type", "the body must be application/json");
    auto text = co_await http::read_all(body, largest_body);
    if (!text.has_value()) co_return http::refusal_of(text.error());
    auto fields = fields_of_json(*text);
    http::wipe(*text);
    if (!fields.has_value()) co_return malformed(fields.error().context());
    co_return co_await check(*fields, check_form::json, head);
}

task<http::answer> check_api::check(check_fields& fields, check_form form, const http::request_head& head) {
    auto what = read_check_request(fields, form, how_, x_.time.wall_now());
    if (!what.has_value()) co_return malformed(what.error().context());
    // After the fields were read, so that a mistake costs nothing; before anything is dialled.
    if (running_ >= how_.at_once)
        co_return not_now(503, "temporarily_unavailable", "too many credentials are being checked; try again",
                          std::chrono::seconds(1));
    if (const auto wait = admit_(head.user))
        co_return not_now(429, "rate_limit_exceeded", "too many checks with this token", *wait);
    const seat taken(running_);
    const auto began = x_.time.now();
    auto came = co_await carry_out(*what, began + how_.deadline);
    log(*what, head, came);
    ++done_;
    if (came.has_value()) {
        auto good = validated(*what);
        good.headers.emplace_back("Cache-Control", "no-store");
        co_return good;
    }
    ++failed_;
    const auto steps = (x_.time.now() - began) / check_step + 1;
    co_await x_.time.sleep_until(began + steps * check_step);
    auto no = refused_check(came.error(), *what);
    no.headers.emplace_back("Cache-Control", "no-store");
    co_return no;
}

task<result<storage::object_info>> check_api::carry_out(const check_request& what,
                                                        time_source::steady deadline) {
    http::client http(x_, http_);
    storage::store_environment env{x_, http, {}};
    const auto* kind = stores_.find(what.to.type);
    if (kind == nullptr) co_return error(disposition::stop, "this program has no such stores");
    auto store = kind->make(what.to, &what.with, env);
    if (!store.has_value()) co_return store.error();
    if (what.azure() || what.key.empty()) {
        auto there = co_await (*store)->check(deadline);
        if (!there.has_value()) co_return there.error();
    }
    if (what.key.empty()) co_return storage::object_info();
    const storage::payload body{as_bytes(verification_text)};
    storage::put_options how;
    how.content_type = "text/plain; charset=utf-8";
    auto written = co_await (*store)->put(what.key, body, how, deadline);
    co_return written;
}

void check_api::log(const check_request& what, const http::request_head& head,
                    const result<storage::object_info>& came) const {
    const auto etag = came.has_value() ? came->etag.substr(0, 64) : std::string();
    const auto refused = came.has_value() ? http::refusal(200, "", "") : refused_check(came.error(), what);
    x_.log.info("credentials checked", {{"service", what.to.service},
                                        {"outcome", came.has_value() ? "validated" : refused.code},
                                        {"etag", etag},
                                        {"user", head.user},
                                        {"id", head.id}});
}

}  // namespace firehose::app
