#include "http/message.hpp"

namespace firehose::http {

namespace {
char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
}  // namespace

bool same_name(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (lower(a[i]) != lower(b[i])) return false;
    return true;
}

const std::string* find_header(const header_list& headers, std::string_view name) noexcept {
    for (const auto& [key, value] : headers)
        if (same_name(key, name)) return &value;
    return nullptr;
}

void set_header(header_list& headers, std::string_view name, std::string value) {
    for (auto& [key, old] : headers)
        if (same_name(key, name)) {
            old = std::move(value);
            return;
        }
    headers.emplace_back(std::string(name), std::move(value));
}

std::size_t body_size(const request& req) noexcept {
    std::size_t total = 0;
    for (const auto& part : req.body) total += part.size();
    return total;
}

std::string_view path_of(const request& req) noexcept {
    return std::string_view(req.target).substr(0, req.target.find('?'));
}

}  // namespace firehose::http
