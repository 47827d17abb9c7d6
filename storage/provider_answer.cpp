#include "storage/provider_answer.hpp"

#include "http/date.hpp"

#include <pugixml.hpp>

#include <charconv>

namespace firehose::storage {

namespace {

/// What came from a server is shown in one piece, at most so long.
void append_shown(std::string& out, std::string_view text) {
    constexpr std::size_t most = 300;
    out.append(text.substr(0, most));
    if (text.size() > most) out += "…";
}

}  // namespace

error_body read_error_body(std::string_view body) {
    error_body out;
    // Most answers are no errors, and some of those are long listings.
    if (body.substr(0, 4096).find("<Error") == std::string_view::npos) return out;
    pugi::xml_document document;
    // What was parsed before a fault stays in the tree, so a body cut at our limit still names its code.
    document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8);
    const auto root = document.child("Error");
    out.code = root.child_value("Code");
    out.message = root.child_value("Message");
    out.request_id = root.child_value("RequestId");
    out.region = root.child_value("Region");
    return out;
}

disposition judge_status(int status) noexcept {
    if (status < 300) return disposition::retry;  // a success that was none
    switch (status) {
        case 408:
        case 409:
        case 425: return disposition::retry;
        case 429: return disposition::slow_down;
        case 401:
        case 402:
        case 403:
        case 404:
        case 405:
        case 407:
        case 501: return disposition::stop;
        default: break;
    }
    if (status >= 500) return disposition::retry;
    if (status >= 400) return disposition::park;
    return disposition::stop;
}

std::string false_success(const http::response& r, std::string_view provider) {
    if (r.status == 203) return "a proxy answered in the server's place";
    // Swift calls the nothing after its head a page as well.
    if (!r.body.empty() && header_or_empty(r, "content-type").starts_with("text/html"))
        return "a web page came back instead of an answer of " + std::string(provider);
    if (!read_error_body(r.body).code.empty()) return "an error came back with a status of success";
    return {};
}

error refused_answer(disposition what, const http::response& r, const error_body& said,
                     std::string_view request_id_header, std::string_view advice, time_source::wall now) {
    error_details d;
    d.status = r.status;
    d.provider_code = said.code;
    auto& text = d.context;
    text = std::to_string(r.status);
    if (!said.code.empty()) {
        text += " ";
        append_shown(text, said.code);
    }
    auto id = header_or_empty(r, request_id_header);
    if (id.empty()) id = said.request_id;
    if (!id.empty()) {
        text += ", request id ";
        append_shown(text, id);
    }
    if (!said.message.empty()) {
        text += ": ";
        append_shown(text, said.message);
    }
    if (!advice.empty()) text.append("; ").append(advice);
    if (const auto* after = http::find_header(r.headers, "retry-after"))
        d.retry_after = http::parse_retry_after(*after, now);
    return {what, std::move(d)};
}

std::optional<time_source::wall::duration> clock_ahead(const http::response& r, time_source::wall now) {
    const auto theirs = http::parse_date(header_or_empty(r, "date"));
    if (!theirs) return std::nullopt;
    return *theirs - now;
}

std::optional<time_source::wall::duration> new_clock_ahead(const http::response& r, time_source::wall now,
                                                           time_source::wall::duration known) {
    constexpr std::chrono::minutes noticeable{5};
    const auto ahead = clock_ahead(r, now);
    if (!ahead || std::chrono::abs(*ahead - known) < noticeable) return std::nullopt;
    return ahead;
}

std::string header_or_empty(const http::response& r, std::string_view name) {
    const auto* value = http::find_header(r.headers, name);
    return value == nullptr ? std::string() : *value;
}

std::string unquoted(std::string etag) {
    if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') return etag.substr(1, etag.size() - 2);
    return etag;
}

std::string etag_of(const http::response& r) { return unquoted(header_or_empty(r, "etag")); }

std::optional<std::uint64_t> whole_number(std::string_view digits) {
    std::uint64_t value = 0;
    const auto end = digits.data() + digits.size();
    const auto [stop, problem] = std::from_chars(digits.data(), end, value);
    if (problem != std::errc{} || stop != end) return std::nullopt;
    return value;
}

}  // namespace firehose::storage
