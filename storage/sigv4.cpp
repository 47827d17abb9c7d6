#include "storage/sigv4.hpp"

#include "http/url.hpp"
#include "pipeline/bytes.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <vector>

namespace firehose::storage::sigv4 {

namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

bool is_signed(std::string_view name) noexcept {
    constexpr std::array<std::string_view, 6> hands_off = {
        "authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"};
    return std::ranges::none_of(hands_off, [name](std::string_view n) { return http::same_name(n, name); });
}

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// Trimmed, runs of blanks inside made one.
void append_trimmed(std::string& out, std::string_view value) {
    bool pending = false;
    bool any = false;
    for (const char c : value) {
        if (is_blank(c)) {
            pending = any;
            continue;
        }
        if (pending) out += ' ';
        pending = false;
        any = true;
        out += c;
    }
}

/// RFC 3986, 5.2.4, and empty segments go too.
std::string normalized(std::string_view path) {
    std::vector<std::string_view> kept;
    bool directory = true;
    for (std::size_t at = 0; at < path.size();) {
        const std::size_t slash = std::min(path.find('/', at), path.size());
        const auto segment = path.substr(at, slash - at);
        directory = slash < path.size() || segment == "." || segment == "..";
        if (segment == "..") {
            if (!kept.empty()) kept.pop_back();
        } else if (!segment.empty() && segment != ".") {
            kept.push_back(segment);
        }
        at = slash + 1;
    }
    std::string out;
    for (const auto segment : kept) out.append("/").append(segment);
    if (directory || kept.empty()) out += '/';
    return out;
}

void append_path(std::string& out, std::string_view path, path_rules rules) {
    if (path.empty()) {
        out += '/';
        return;
    }
    switch (rules) {
        case path_rules::s3: out += path; break;
        case path_rules::generic: out += http::encode_path(normalized(path)); break;
        case path_rules::generic_unnormalized: out += http::encode_path(path); break;
    }
}

struct header_lines {
    std::string lines{};
    std::string names{};
};

header_lines canonical_headers(const http::header_list& headers) {
    struct line {
        std::string_view name;  ///< as it is sent, in any case
        const std::string* value;
    };
    std::vector<line> sorted;
    sorted.reserve(headers.size());
    std::size_t length = 0;
    for (const auto& [name, value] : headers) {
        if (!is_signed(name)) continue;
        sorted.push_back({name, &value});
        length += name.size() + value.size() + 2;
    }
    // Values of one name stay in the order in which they are sent, which is that of their addresses.
    std::ranges::sort(sorted, [](const line& a, const line& b) {
        if (http::same_name(a.name, b.name)) return a.value < b.value;
        return std::ranges::lexicographical_compare(a.name, b.name, {}, lower, lower);
    });
    header_lines out;
    out.lines.reserve(length);
    out.names.reserve(length);
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        const bool repeated = i > 0 && http::same_name(sorted[i].name, sorted[i - 1].name);
        if (repeated) {
            out.lines.back() = ',';  // instead of the line's end
        } else {
            if (!out.names.empty()) out.names += ';';
            for (const char c : sorted[i].name) {
                out.lines += lower(c);
                out.names += lower(c);
            }
            out.lines += ':';
        }
        append_trimmed(out.lines, *sorted[i].value);
        out.lines += '\n';
    }
    return out;
}

std::string assemble(const subject& what, std::string_view query, const header_lines& headers,
                     path_rules rules) {
    std::string out;
    out.reserve(what.method.size() + what.path.size() + query.size() + headers.lines.size() +
                headers.names.size() + what.payload_hash.size() + 8);
    out.append(what.method).append("\n");
    append_path(out, what.path, rules);
    out.append("\n").append(query).append("\n");
    out.append(headers.lines).append("\n").append(headers.names).append("\n").append(what.payload_hash);
    return out;
}

void finish(signed_request& out, const scope& of, std::string_view scope_text, std::string_view stamp,
            const identity& who, key_cache& keys) {
    auto& text = out.string_to_sign;
    text.reserve(algorithm.size() + stamp.size() + scope_text.size() + 80);
    text.append(algorithm).append("\n").append(stamp).append("\n").append(scope_text).append("\n");
    http::append_hex(text, http::sha256(out.canonical_request));
    out.signature = http::to_hex(keys.get(who.secret_access_key, of)(text));
}

scope scope_of(std::string_view stamp, std::string_view region, std::string_view service) {
    return {std::string(stamp.substr(0, 8)), std::string(region), std::string(service)};
}

}  // namespace

std::string scope::text() const {
    std::string out;
    out.reserve(date.size() + region.size() + service.size() + 16);
    out.append(date).append("/").append(region).append("/").append(service).append("/aws4_request");
    return out;
}

std::string format_stamp(time_source::wall when) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(when);
    const auto midnight = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date(midnight);
    const std::chrono::hh_mm_ss clock(seconds - midnight);
    std::string out = "00000000T000000Z";
    const auto put = [&out](std::size_t at, int width, long value) {
        for (std::size_t i = at + static_cast<std::size_t>(width); i > at; value /= 10)
            out[--i] = static_cast<char>('0' + value % 10);
    };
    put(0, 4, static_cast<int>(date.year()));
    put(4, 2, static_cast<long>(static_cast<unsigned>(date.month())));
    put(6, 2, static_cast<long>(static_cast<unsigned>(date.day())));
    put(9, 2, clock.hours().count());
    put(11, 2, clock.minutes().count());
    put(13, 2, clock.seconds().count());
    return out;
}

std::string canonical_query(std::string_view query) {
    if (query.empty()) return {};
    std::vector<std::pair<std::string, std::string>> sorted;
    for (std::size_t at = 0; at <= query.size();) {
        const std::size_t end = std::min(query.find('&', at), query.size());
        const auto pair = query.substr(at, end - at);
        const std::size_t equals = std::min(pair.find('='), pair.size());
        if (!pair.empty()) {
            const auto value = pair.substr(std::min(equals + 1, pair.size()));
            sorted.emplace_back(http::encode_query(http::decode_percent(pair.substr(0, equals))),
                                http::encode_query(http::decode_percent(value)));
        }
        at = end + 1;
    }
    std::ranges::sort(sorted);
    std::string out;
    out.reserve(query.size() + 8);
    for (const auto& [name, value] : sorted) {
        if (!out.empty()) out += '&';
        out.append(name).append("=").append(value);
    }
    return out;
}

http::sha256_value derive_key(const secret& secret_access_key, const scope& of) {
    std::string start = "AWS4" + secret_access_key.reveal();
    auto key = http::hmac_sha256(as_bytes(start), of.date);
    OPENSSL_cleanse(start.data(), start.size());
    key = http::hmac_sha256(key, of.region);
    key = http::hmac_sha256(key, of.service);
    return http::hmac_sha256(key, "aws4_request");
}

http::hmac_key& key_cache::get(const secret& secret_access_key, const scope& of) {
    if (!key_ || of != of_) {
        auto derived = derive_key(secret_access_key, of);
        key_.emplace(derived);
        OPENSSL_cleanse(derived.data(), derived.size());
        of_ = of;
    }
    return *key_;
}

signed_request sign_headers(const subject& what, const identity& who, std::string_view region,
                            std::string_view service, std::string_view stamp, path_rules rules,
                            key_cache& keys) {
    const scope of = scope_of(stamp, region, service);
    const auto scope_text = of.text();
    auto headers = canonical_headers(what.headers);
    signed_request out;
    out.canonical_request = assemble(what, canonical_query(what.query), headers, rules);
    out.signed_headers = std::move(headers.names);
    finish(out, of, scope_text, stamp, who, keys);
    auto& a = out.authorization;
    a.reserve(algorithm.size() + who.access_key_id.size() + scope_text.size() + out.signed_headers.size() +
              112);
    a.append(algorithm).append(" Credential=").append(who.access_key_id).append("/").append(scope_text);
    a.append(", SignedHeaders=").append(out.signed_headers).append(", Signature=").append(out.signature);
    return out;
}

signed_request presign(const subject& what, const identity& who, std::string_view region,
                       std::string_view service, std::string_view stamp, std::chrono::seconds expires,
                       path_rules rules, key_cache& keys) {
    const scope of = scope_of(stamp, region, service);
    const auto scope_text = of.text();
    auto headers = canonical_headers(what.headers);
    std::string query(what.query);
    const auto add = [&query](std::string_view name, std::string_view value) {
        if (!query.empty()) query += '&';
        query.append(name).append("=").append(http::encode_query(value));
    };
    add("X-Amz-Algorithm", algorithm);
    add("X-Amz-Credential", who.access_key_id + "/" + scope_text);
    add("X-Amz-Date", stamp);
    add("X-Amz-Expires", std::to_string(expires.count()));
    if (!who.session_token.empty()) add("X-Amz-Security-Token", who.session_token.reveal());
    add("X-Amz-SignedHeaders", headers.names);
    signed_request out;
    out.query = canonical_query(query);
    out.canonical_request = assemble(what, out.query, headers, rules);
    out.signed_headers = std::move(headers.names);
    finish(out, of, scope_text, stamp, who, keys);
    out.query.append("&X-Amz-Signature=").append(out.signature);
    return out;
}

}  // namespace firehose::storage::sigv4
