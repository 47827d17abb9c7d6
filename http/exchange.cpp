#include "http/exchange.hpp"

#include <algorithm>
#include <array>

namespace firehose::http {
namespace {

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::optional<std::string> decode_form(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            out += ' ';
        } else if (text[i] == '%') {
            if (i + 2 >= text.size()) return std::nullopt;
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            out += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

/// Length of the UTF-8 sequence that begins `text`; 0 when there is none.
std::size_t utf8_length(std::string_view text) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = at(0);
    const std::size_t n = first < 0x80   ? 1
                          : first < 0xC2 ? 0
                          : first < 0xE0 ? 2
                          : first < 0xF0 ? 3
                          : first < 0xF5 ? 4
                                         : 0;
    if (n == 0 || n > text.size()) return 0;
    for (std::size_t i = 1; i < n; ++i)
        if ((at(i) & 0xC0U) != 0x80) return 0;
    if (first == 0xE0 && at(1) < 0xA0) return 0;
    if (first == 0xED && at(1) > 0x9F) return 0;
    if (first == 0xF0 && at(1) < 0x90) return 0;
    if (first == 0xF4 && at(1) > 0x8F) return 0;
    return n;
}

}  // namespace

std::string_view request_head::parameter(std::string_view name) const noexcept {
    for (const auto& [key, value] : parameters)
        if (key == name) return value;
    return {};
}

std::string json_string(std::string_view text) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\"";
    while (!text.empty()) {
        const char c = text.front();
        std::size_t n = utf8_length(text);
        if (n == 0) {
            out += "\xEF\xBF\xBD";
            n = 1;
        } else if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c >= 0 && c < 0x20) {
            out += "\\u00";
            out += digits[static_cast<std::size_t>(c) >> 4U];
            out += digits[static_cast<std::size_t>(c) & 15U];
        } else {
            out.append(text.substr(0, n));
        }
        text.remove_prefix(n);
    }
    return out += '"';
}

response json_response(int status, std::string body) {
    response r;
    r.status = status;
    r.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
    r.body = std::move(body);
    return r;
}

response plain_error(const request_head&, const refusal& why) {
    return json_response(why.status, "{\"error\":" + json_string(why.text) + "}");
}

refusal refusal_of(const error& why) {
    const int status = why.status() != 0 ? why.status() : 400;
    return {status, why.provider_code().empty() ? "bad_request" : why.provider_code(), why.context()};
}

task<result<std::string>> read_all(body_reader& from, std::size_t most) {
    std::string out;
    for (;;) {
        auto piece = co_await from.next();
        if (piece.has_error()) co_return piece.error();
        if (piece->empty()) co_return out;
        if (out.size() + piece->size() > most) {
            error_details d;
            d.status = 413;
            d.provider_code = "too_large";
            d.context = "the body is larger than " + std::to_string(most) + " bytes";
            co_return error(disposition::park, std::move(d));
        }
        out.append(as_text(*piece));
    }
}

std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query) {
    std::vector<std::pair<std::string, std::string>> out;
    while (!query.empty()) {
        const auto end = std::min(query.find('&'), query.size());
        const auto pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (pair.empty()) continue;
        const auto equals = std::min(pair.find('='), pair.size());
        auto name = decode_form(pair.substr(0, equals));
        auto value = decode_form(pair.substr(std::min(equals + 1, pair.size())));
        if (!name || !value) return std::nullopt;
        out.emplace_back(std::move(*name), std::move(*value));
    }
    return out;
}

std::string_view reason_of(int status) noexcept {
    static constexpr std::array<std::pair<int, std::string_view>, 31> reasons{{
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Entity"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    }};
    const auto* const found = std::ranges::find(reasons, status, [](const auto& r) { return r.first; });
    return found != reasons.end() ? found->second : "Unknown";
}

}  // namespace firehose::http
