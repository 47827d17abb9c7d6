#include "storage/object_key.hpp"

#include "storage/text_hash.hpp"

namespace firehose::storage {
namespace {

constexpr std::size_t longest_component = 200;
constexpr std::size_t hash_digits = 32;

bool stays(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

void append_escaped(std::string& out, char c) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(digits[byte >> 4]);
    out.push_back(digits[byte & 15U]);
}

}  // namespace

std::string escape_component(std::string_view text) {
    if (text.empty()) return "%";
    const bool only_dots = text == "." || text == "..";
    std::string out;
    out.reserve(text.size());
    std::size_t cut = 0;  // the last escape boundary that leaves room for the hash
    for (const char c : text) {
        if (out.size() <= longest_component - hash_digits - 1) cut = out.size();
        if (stays(c) && !only_dots) {
            out.push_back(c);
        } else {
            append_escaped(out, c);
        }
        if (out.size() > longest_component) {
            out.resize(cut);
            out.append("~").append(sha256_hex(text), 0, hash_digits);
            break;
        }
    }
    return out;
}

std::string normalize_prefix(std::string_view prefix) {
    const auto first = prefix.find_first_not_of('/');
    if (first == std::string_view::npos) return {};
    const auto last = prefix.find_last_not_of('/');
    return std::string(prefix.substr(first, last - first + 1));
}

std::string event_key(std::string_view prefix, std::string_view group, std::string_view id) {
    std::string key = normalize_prefix(prefix);
    if (!key.empty()) key.push_back('/');
    if (!group.empty()) key.append(escape_component(group)).push_back('/');
    key.append(escape_component(id)).append(".json");
    return key;
}

}  // namespace firehose::storage
