#include "http/head_guard.hpp"

#include "pipeline/text.hpp"

#include <algorithm>
#include <array>

namespace firehose::http {
namespace {

constexpr std::string_view separators = "\"(),/:;<=>?@[\\]{}";

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_visible(char c) noexcept { return c > ' ' && c < 0x7f; }
bool is_token_char(char c) noexcept { return is_visible(c) && separators.find(c) == std::string_view::npos; }
bool is_token(std::string_view text) noexcept {
    return !text.empty() && std::ranges::all_of(text, is_token_char);
}
/// HTAB, blanks, visible ASCII, and what is no ASCII at all.
bool is_value_char(char c) noexcept { return c == '\t' || c >= ' ' ? c != 0x7f : c < 0; }

refusal bad(std::string text) { return {400, "bad_request", std::move(text)}; }
refusal bad(int status, std::string code, std::string text) {
    return {status, std::move(code), std::move(text)};
}

refusal line_too_long(const head_limits& most) {
    return bad(414, "target_too_long",
               "the request line is longer than " + std::to_string(most.line) + " bytes");
}
refusal head_too_long(const head_limits& most) {
    return bad(431, "headers_too_large", "the head is larger than " + std::to_string(most.head) + " bytes");
}

constexpr std::array<std::string_view, 7> methods{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};

std::optional<refusal> check_method(std::string_view method) {
    if (!is_token(method)) return bad("the method is not a token");
    if (std::ranges::find(methods, method) != methods.end()) return std::nullopt;
    if (method == "CONNECT" || method == "TRACE")
        return bad(405, "method_not_allowed", "this server neither tunnels nor traces");
    return bad(501, "not_implemented", "nobody here knows this method");
}

std::optional<refusal> check_version(std::string_view version, int& minor) {
    const bool shaped = version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) &&
                        version[6] == '.' && is_digit(version[7]);
    if (!shaped) return bad("the request line does not end in an HTTP version");
    if (version[5] != '1' || version[7] > '1')
        return bad(505, "version_not_supported", "only HTTP/1.1 and HTTP/1.0 are spoken here");
    minor = version[7] - '0';
    return std::nullopt;
}

/// A name or address and perhaps a port, as Host has it.
bool is_host(std::string_view text) noexcept {
    if (text.empty() || text.size() > 300) return false;
    std::string_view port;
    bool has_port = false;
    std::string_view name = text;
    if (text.front() == '[') {
        const auto end = text.find(']');
        if (end == std::string_view::npos || end < 3) return false;
        name = text.substr(1, end - 1);
        const auto rest = text.substr(end + 1);
        has_port = !rest.empty();
        if (has_port && rest.front() != ':') return false;
        port = has_port ? rest.substr(1) : rest;
        const auto of_address = [](char c) {
            return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
        };
        if (!std::ranges::all_of(name, of_address)) return false;
    } else {
        const auto colon = text.find(':');
        has_port = colon != std::string_view::npos;
        name = text.substr(0, colon);
        if (has_port) port = text.substr(colon + 1);
        const auto of_name = [](char c) {
            return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
                   c == '_';
        };
        if (name.empty() || !std::ranges::all_of(name, of_name)) return false;
    }
    if (!has_port) return true;
    if (port.empty() || port.size() > 5 || !std::ranges::all_of(port, is_digit)) return false;
    return std::stoul(std::string(port)) <= 65535;
}

std::optional<refusal> read_target(std::string_view text, guarded_head& out, std::string_view& authority) {
    if (text.empty() || !std::ranges::all_of(text, is_visible))
        return bad("the target holds bytes that are not visible ASCII");
    if (text.find('#') != std::string_view::npos) return bad("the target has a fragment");
    if (text.front() == '/') {
        out.target = text;
        return std::nullopt;
    }
    if (text == "*" && out.method == "OPTIONS") {
        out.target = text;
        return std::nullopt;
    }
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!same_name(text.substr(0, scheme.size()), scheme)) continue;
        const auto rest = text.substr(scheme.size());
        const auto slash = std::min(rest.find_first_of("/?"), rest.size());
        authority = rest.substr(0, slash);
        if (!is_host(authority)) return bad("the target's authority is malformed");
        out.target = rest.substr(slash);
        if (out.target.empty() || out.target.front() != '/') out.target.insert(0, 1, '/');
        return std::nullopt;
    }
    return bad("the target must begin with a slash");
}

std::optional<refusal> read_request_line(std::string_view line, const head_limits& most, guarded_head& out,
                                         std::string_view& authority) {
    if (line.size() > most.line) return line_too_long(most);
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last)
        return bad("the request line is not a method, a target and a version");
    if (auto why = check_version(line.substr(last + 1), out.minor)) return why;
    if (auto why = check_method(line.substr(0, first))) return why;
    out.method = line.substr(0, first);
    return read_target(line.substr(first + 1, last - first - 1), out, authority);
}

std::optional<refusal> read_field(std::string_view line, guarded_head& out) {
    if (line.front() == ' ' || line.front() == '\t') return bad("a header is folded over two lines");
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return bad("a header has no colon");
    const auto name = line.substr(0, colon);
    if (!is_token(name)) return bad("a header's name is not a token");
    const auto value = line.substr(colon + 1);
    if (!std::ranges::all_of(value, is_value_char)) return bad("a header's value holds control characters");
    out.headers.emplace_back(std::string(name), std::string(trim(value, " \t")));
    return std::nullopt;
}

std::size_t count_of(const header_list& headers, std::string_view name) {
    return static_cast<std::size_t>(
        std::ranges::count_if(headers, [&](const auto& h) { return same_name(h.first, name); }));
}

std::optional<refusal> check_host(const guarded_head& head, std::string_view authority) {
    const auto hosts = count_of(head.headers, "Host");
    if (hosts > 1) return bad("there is more than one Host header");
    if (hosts == 0 && head.minor == 1) return bad("the Host header is missing");
    if (hosts == 0) return std::nullopt;
    const auto& host = *find_header(head.headers, "Host");
    if (!is_host(host)) return bad("the Host header is malformed");
    if (!authority.empty() && !same_name(authority, host))
        return bad("the target's authority and the Host header differ");
    return std::nullopt;
}

std::optional<refusal> check_transfer_encoding(guarded_head& head) {
    const auto fields = count_of(head.headers, "Transfer-Encoding");
    if (fields == 0) return std::nullopt;
    if (fields > 1) return bad("there is more than one Transfer-Encoding header");
    if (head.minor == 0) return bad("HTTP/1.0 has no Transfer-Encoding");
    if (count_of(head.headers, "Content-Length") > 0)
        return bad("there are a Transfer-Encoding and a Content-Length");
    const auto& value = *find_header(head.headers, "Transfer-Encoding");
    if (value.empty()) return bad("the Transfer-Encoding is empty");
    if (!same_name(value, "chunked"))
        return bad(501, "not_implemented", "the only Transfer-Encoding spoken here is chunked");
    head.chunked = true;
    return std::nullopt;
}

std::optional<refusal> check_length(guarded_head& head) {
    const auto fields = count_of(head.headers, "Content-Length");
    if (fields == 0) return std::nullopt;
    if (fields > 1) return bad("there is more than one Content-Length header");
    const auto& value = *find_header(head.headers, "Content-Length");
    if (value.empty() || value.size() > 18 || !std::ranges::all_of(value, is_digit))
        return bad("the Content-Length is not a number");
    head.length = std::stoull(value);
    return std::nullopt;
}

std::optional<refusal> check_expect(guarded_head& head) {
    const auto fields = count_of(head.headers, "Expect");
    if (fields == 0 || head.minor == 0) return std::nullopt;  // 1.0: to be ignored
    if (fields > 1 || !same_name(*find_header(head.headers, "Expect"), "100-continue"))
        return bad(417, "expectation_failed", "the only expectation met here is 100-continue");
    head.expects_continue = head.chunked || head.length.value_or(0) > 0;
    return std::nullopt;
}

bool wants_close(const header_list& headers) {
    for (const auto& [name, value] : headers) {
        if (!same_name(name, "Connection")) continue;
        std::string_view rest = value;
        while (!rest.empty()) {
            const auto comma = std::min(rest.find(','), rest.size());
            if (same_name(trim(rest.substr(0, comma), " \t"), "close")) return true;
            rest.remove_prefix(std::min(comma + 1, rest.size()));
        }
    }
    return false;
}

}  // namespace

std::optional<refusal> check_partial_head(std::string_view bytes, std::size_t& checked,
                                          const head_limits& most) {
    for (; checked < bytes.size(); ++checked) {
        const char c = bytes[checked];
        const bool after_cr = checked > 0 && bytes[checked - 1] == '\r';
        if (c == '\n' ? !after_cr : after_cr) return bad("a line does not end in CR LF");
        if (c != '\n' && c != '\r' && !is_value_char(c)) return bad("the head holds control characters");
    }
    const auto line = std::min(bytes.find("\r\n"), bytes.size());
    if (line > most.line) return line_too_long(most);
    if (bytes.size() > most.head) return head_too_long(most);
    return std::nullopt;
}

std::variant<guarded_head, refusal> guard_head(std::string_view bytes, const head_limits& most) {
    std::size_t checked = 0;
    if (auto why = check_partial_head(bytes, checked, most)) return *why;
    guarded_head out;
    std::string_view authority;
    bool first = true;
    while (true) {
        const auto end = bytes.find("\r\n");
        const auto line = bytes.substr(0, end);
        bytes.remove_prefix(end + 2);
        if (line.empty()) break;
        auto why = first ? read_request_line(line, most, out, authority) : read_field(line, out);
        if (why) return *why;
        if (!first && out.headers.size() > most.headers)
            return bad(431, "headers_too_large",
                       "there are more than " + std::to_string(most.headers) + " headers");
        first = false;
    }
    if (first) return bad("the request line is missing");
    if (auto why = check_host(out, authority)) return *why;
    if (auto why = check_transfer_encoding(out)) return *why;
    if (auto why = check_length(out)) return *why;
    if (auto why = check_expect(out)) return *why;
    out.keep_alive = out.minor == 1 && !wants_close(out.headers);
    return out;
}

}  // namespace firehose::http
