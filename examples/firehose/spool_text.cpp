#include "examples/firehose/spool_text.hpp"

#include "examples/firehose/console.hpp"
#include "http/digest.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

#include <cstdio>

namespace firehose::app {
namespace json = boost::json;
namespace {

/// Decided by the parser that others will read it with.
bool is_json_text(std::string_view text) {
    boost::system::error_code ec;
    (void)json::parse(json::serialize(json::string(text)), ec);
    return !ec;
}

}  // namespace

std::string instant(const std::optional<time_source::wall>& when) {
    if (!when) return "-";
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(*when)));
}

std::string in_words(const stages::failure& why) {
    if (!why.message.empty()) return why.message;
    if (!why.code.empty()) return why.code;
    return why.status ? "status " + std::to_string(why.status) : "-";
}

json::object to_json(const stages::failure& why) {
    return {{"class", why.disposition}, {"code", why.code}, {"status", why.status}, {"message", why.message}};
}

json::object to_json(const storage::destination& to) {
    return {{"service", to.service},
            {"type", to.type},
            {"bucket", to.bucket},
            {"prefix", to.prefix},
            {"credential_id", to.credential_id}};
}

json::object to_json(const stages::kept_record& one) {
    const auto& h = one.header;
    json::object out{{"id", one.id},
                     {"parked", one.parked},
                     {"event_id", h.event_id},
                     {"group_id", h.group_id},
                     {"flow_id", h.flow_id}};
    for (auto& member : to_json(h.to)) out.insert(member);
    out["layout"] = h.layout;
    out["key"] = h.key;
    out["bytes"] = one.bytes();
    out["attempts"] = h.attempts;
    out["first_failed_at"] = instant(h.first_failed_at);
    out["next_attempt"] = one.parked ? json::value(nullptr) : json::value(instant(h.next_at));
    out["last_error"] = to_json(h.last_error);
    json::array history;
    for (const auto& note : h.history) {
        json::object attempt{{"at", instant(note.at)}, {"attempt", note.attempt}};
        for (auto& member : to_json(note.why)) attempt.insert(member);
        history.push_back(std::move(attempt));
    }
    out["history"] = std::move(history);
    return out;
}

void add_body(json::object& to, const stages::kept_record& one) {
    const auto body = one.body;
    if (one.file)
        to["body_file"] = one.file->path().native();
    else if (is_json_text(as_text(body)))
        to["body"] = as_text(body);
    else
        to["body_base64"] = http::to_base64(body);
}

void count(kept_shares& all, const stages::kept_record& one) {
    auto& share = all[one.header.to];
    ++(one.parked ? share.parked : share.waiting);
    share.bytes += one.bytes();
}

kept_share sum(const kept_shares& all) {
    kept_share total;
    for (const auto& [to, share] : all) {
        total.waiting += share.waiting;
        total.parked += share.parked;
        total.bytes += share.bytes;
    }
    return total;
}

std::string to_text(const kept_shares& all) {
    std::string out;
    for (const auto& [to, share] : all)
        out +=
            fmt::format("  {}: {} waiting, {} parked, {} bytes\n", escape_for_log(storage::describe(to), 200),
                        share.waiting, share.parked, share.bytes);
    return out;
}

json::object to_json(const kept_share& share) {
    return {{"waiting", share.waiting}, {"parked", share.parked}, {"bytes", share.bytes}};
}

std::optional<configuration> spool_configuration(const spool_arguments& args) {
    const auto stores = storage::default_registry();
    auto configured = load_configuration(args.config, args.overrides, stores, secrets::not_needed);
    if (!print_faults(args.config, configured)) return std::nullopt;
    return std::move(configured.what);
}

void print_error(std::string_view what) {
    std::fprintf(stderr, "error: %s\n", escape_for_log(what, 4096).c_str());
}

}  // namespace firehose::app
