#include "http/request_head.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace firehose::http {

namespace {

/// Like std::isgraph and blanks, without locale; obs-text is allowed.
bool sendable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c == '\t' || (c >= ' ' && c != 0x7f) || c < 0; });
}

bool is_name(std::string_view text) {
    return !text.empty() && sendable(text) && text.find_first_of(": \t") == std::string_view::npos;
}

void append_number(std::string& out, std::size_t value) {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out.append(digits.data(), end);
}

}  // namespace

bool write_head(std::string& out, const request& req, std::string_view user_agent, body_goes when) {
    out.clear();
    if (req.target.empty() || req.target.find_first_of(" \t") != std::string::npos) return false;
    if (!sendable(req.method) || !sendable(req.target)) return false;
    out.append(req.method).append(" ").append(req.target).append(" HTTP/1.1\r\n");
    bool names_agent = user_agent.empty();
    for (const auto& [name, value] : req.headers) {
        if (!is_name(name) || !sendable(value)) return false;
        names_agent = names_agent || same_name(name, "User-Agent");
        out.append(name).append(": ").append(value).append("\r\n");
    }
    if (!names_agent) out.append("User-Agent: ").append(user_agent).append("\r\n");
    const std::size_t length = body_size(req);
    if (length > 0 || req.method == "PUT" || req.method == "POST") {
        out.append("Content-Length: ");
        append_number(out, length);
        out.append("\r\n");
    }
    if (when == body_goes::on_leave) out.append("Expect: 100-continue\r\n");
    out.append("\r\n");
    return true;
}

}  // namespace firehose::http
