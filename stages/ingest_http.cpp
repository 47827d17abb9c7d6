#include "stages/ingest_http.hpp"

#include "pipeline/text.hpp"
#include "stages/json_elements.hpp"

#include <algorithm>

namespace firehose::stages {
namespace {

constexpr std::size_t most_named = 10'000;  // refused events in one answer; the rest is counted

enum class form { json, lines, unknown };

/// By Content-Type; none at all is JSON.
form form_of(const http::request_head& head) {
    const auto* type = http::find_header(head.headers, "Content-Type");
    if (type == nullptr) return form::json;
    const auto value = to_lower(*type);
    const auto semicolon = std::min(value.find(';'), value.size());
    const auto media = trim(std::string_view(value).substr(0, semicolon));
    const auto charset = value.find("charset=", semicolon);
    if (charset != std::string::npos) {
        const auto name = trim(std::string_view(value).substr(charset + 8));
        if (name != "utf-8" && name != "\"utf-8\"") return form::unknown;
    }
    if (media == "application/json" || media.ends_with("+json")) return form::json;
    if (media == "application/x-ndjson" || media == "application/ndjson" || media == "application/jsonl")
        return form::lines;
    return form::unknown;
}

/// Whether the query says partial=true; nothing when it says something else that is not understood.
std::optional<bool> asks_partial(std::string_view query) {
    const auto pairs = http::parse_query(query);
    if (!pairs) return std::nullopt;
    bool partial = false;
    for (const auto& [name, value] : *pairs) {
        if (name != "partial" || (value != "true" && value != "false")) return std::nullopt;
        partial = value == "true";
    }
    return partial;
}

/// One key belongs to a user and a path: two customers may draw the same.
http::sha256_value hash_of_key(const http::request_head& head, const std::string& key) {
    return http::sha256(head.user + '\n' + head.path + '\n' + key);
}

http::refusal busy(int status, const std::string& code, const std::string& text) {
    http::refusal out(status, code, text);
    if (status == 503 || status == 409) out.headers.emplace_back("Retry-After", status == 503 ? "5" : "1");
    return out;
}

}  // namespace

/// What a request takes of the memory for bodies.
class ingest_http::share {
public:
    explicit share(std::size_t& of) : of_(of) {}
    share(const share&) = delete;
    ~share() { of_ -= mine_; }
    void add(std::size_t bytes) {
        mine_ += bytes;
        of_ += bytes;
    }

private:
    std::size_t& of_;
    std::size_t mine_ = 0;
};

ingest_http::ingest_http(event_shape shape, ingest_http_options how, append_function append)
    : reader_(std::move(shape)), how_(how), append_(std::move(append)) {}

void ingest_http::sort_one(std::string_view text, std::uint64_t line, sorted& into) {
    if (text.size() > how_.max_event) {
        into.refused.push_back(
            {line, "longer than the limit of " + std::to_string(how_.max_event) + " bytes"});
        return;
    }
    scratch_.assign(text);
    scratch_.append(event_reader::padding, '\0');
    event_reading ignored;
    auto why = reader_.read(as_bytes(scratch_).first(text.size()), ignored);
    if (!why.empty()) {
        into.refused.push_back({line, std::move(why)});
        return;
    }
    into.events.bytes.append(text);
    into.events.lengths.push_back(static_cast<std::uint32_t>(text.size()));
}

ingest_http::sorted ingest_http::sort_lines(std::string_view body) {
    sorted out;
    out.events.bytes.reserve(body.size());
    for (std::uint64_t line = 1; !body.empty(); ++line) {
        const auto end = std::min(body.find('\n'), body.size());
        auto text = body.substr(0, end);
        body.remove_prefix(std::min(end + 1, body.size()));
        if (text.ends_with('\r')) text.remove_suffix(1);
        if (!trim(text).empty()) sort_one(text, line, out);
    }
    return out;
}

ingest_http::sorted ingest_http::sort_json(std::string_view body) {
    sorted out;
    if (!looks_like_array(body)) {
        const auto begin = std::min(body.find_first_not_of(" \t\r\n"), body.size());
        const auto text = body.substr(begin, body.find_last_not_of(" \t\r\n") + 1 - begin);
        if (!text.empty()) sort_one(text, 1, out);
        return out;
    }
    const auto elements = split_array(body, out.broken);
    if (!elements) return out;
    out.events.bytes.reserve(body.size());
    for (std::size_t i = 0; i < elements->size(); ++i) sort_one((*elements)[i], i + 1, out);
    return out;
}

http::answer ingest_http::describe(const sorted& what, const log_receipt* receipt) const {
    const auto accepted = receipt != nullptr ? receipt->count : 0;
    std::string text = "{";
    if (receipt == nullptr)
        text += "\"error\":" +
                http::json_string("nothing was accepted: " + std::to_string(what.refused.size()) + " of " +
                                  std::to_string(what.refused.size() + what.events.lengths.size()) +
                                  " events are refused") +
                ",";
    text += "\"accepted\":" + std::to_string(accepted) + ",\"refused\":[";
    const auto named = std::min(what.refused.size(), most_named);
    for (std::size_t i = 0; i < named; ++i) {
        const auto& one = what.refused[i];
        text.append(i == 0 ? "" : ",").append("{\"line\":").append(std::to_string(one.line));
        text.append(",\"reason\":").append(http::json_string(one.reason)).append("}");
    }
    text += "]";
    if (named < what.refused.size()) text += ",\"refused_in_all\":" + std::to_string(what.refused.size());
    if (receipt != nullptr)
        text += ",\"first_position\":" + std::to_string(receipt->first) +
                ",\"last_position\":" + std::to_string(receipt->first + receipt->count - 1);
    auto out = http::json_response(receipt != nullptr ? 202 : 422, text + "}");
    if (receipt != nullptr && receipt->replayed) out.headers.emplace_back("Idempotent-Replayed", "true");
    return out;
}

task<http::answer> ingest_http::post(http::request_head& head, http::body_reader& body) {
    const auto kind = form_of(head);
    if (kind == form::unknown)
        co_return http::refusal(
            415, "unsupported_media_type",
            "the Content-Type must be application/json or application/x-ndjson, in UTF-8");
    const auto partial = asks_partial(head.query);
    if (!partial)
        co_return http::refusal(400, "invalid_param", "the query may only be partial=true or partial=false");
    const auto* key = http::find_header(head.headers, "Idempotency-Key");
    if (key != nullptr && (key->empty() || key->size() > 255))
        co_return http::refusal(400, "invalid_header", "the Idempotency-Key must have 1 to 255 characters");

    std::string text;
    share taken(in_memory_);
    text.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(head.length.value_or(0), how_.max_body)));
    for (;;) {
        auto piece = co_await body.next();
        if (piece.has_error()) co_return http::refusal_of(piece.error());
        if (piece->empty()) break;
        if (text.size() + piece->size() > how_.max_body)
            co_return http::refusal(413, "too_large",
                                    "the body is larger than " + std::to_string(how_.max_body) + " bytes");
        taken.add(piece->size());
        if (in_memory_ > how_.max_bodies_in_memory && in_memory_ > text.size() + piece->size())
            co_return busy(503, "busy", "too many events are on their way at once");
        text.append(as_text(*piece));
    }

    sorted found = kind == form::lines ? sort_lines(text) : sort_json(text);
    if (!found.broken.empty()) co_return http::refusal(422, "incorrect_payload", "not JSON: " + found.broken);
    if (found.events.lengths.empty() && found.refused.empty())
        co_return http::refusal(422, "incorrect_payload", "the body holds no event");
    refused_ += found.refused.size();
    if (found.events.lengths.empty() || (!found.refused.empty() && !*partial))
        co_return describe(found, nullptr);
    found.events.flow = head.parameter("flow_id");
    if (key != nullptr) {
        found.events.key = hash_of_key(head, *key);
        found.events.digest = http::sha256(text);
    }
    text.clear();
    text.shrink_to_fit();
    auto receipt = co_await append_(std::move(found.events));
    if (receipt.has_error())
        co_return busy(receipt.error().status(), receipt.error().provider_code(), receipt.error().context());
    if (!receipt->replayed) accepted_ += receipt->count;
    co_return describe(found, &*receipt);
}

}  // namespace firehose::stages
