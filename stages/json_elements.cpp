#include "stages/json_elements.hpp"

#include "pipeline/text.hpp"

namespace firehose::stages {
namespace {

/// Where the element that begins at `at` ends: at a comma or the array's bracket, outside of all strings
/// and brackets of its own. The end of the text when it is cut.
std::size_t end_of_element(std::string_view text, std::size_t at) noexcept {
    std::size_t depth = 0;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '"') {
            for (++at; at < text.size() && text[at] != '"'; ++at)
                if (text[at] == '\\') ++at;
        } else if (c == '[' || c == '{') {
            ++depth;
        } else if (c == ']' || c == '}') {
            if (depth == 0) return at;
            --depth;
        } else if (c == ',' && depth == 0) {
            return at;
        }
    }
    return text.size();
}

/// `"name" : value`; nothing when it is no member.
std::optional<json_member> split_member(std::string_view text) noexcept {
    if (!text.starts_with('"')) return std::nullopt;
    std::size_t end = 1;
    for (; end < text.size() && text[end] != '"'; ++end)
        if (text[end] == '\\') ++end;
    if (end >= text.size()) return std::nullopt;
    const auto rest = trim(text.substr(end + 1));
    if (!rest.starts_with(':')) return std::nullopt;
    const json_member found{text.substr(1, end - 1), trim(rest.substr(1))};
    return found.value.empty() ? std::nullopt : std::optional(found);
}

}  // namespace

bool looks_like_array(std::string_view text) noexcept {
    const auto begin = text.find_first_not_of(blanks);
    return begin != std::string_view::npos && text[begin] == '[';
}

std::optional<std::vector<std::string_view>> split_array(std::string_view text, std::string& problem) {
    std::vector<std::string_view> out;
    text = trim(text);
    if (!looks_like_array(text)) {
        problem = "not an array";
        return std::nullopt;
    }
    std::size_t at = 1;
    if (trim(text.substr(1)) == "]") return out;
    for (;;) {
        const auto end = end_of_element(text, at);
        if (end >= text.size()) {
            problem = "the array is not closed";
            return std::nullopt;
        }
        const auto element = trim(text.substr(at, end - at));
        if (element.empty()) {
            problem = "element " + std::to_string(out.size() + 1) + " of the array is missing";
            return std::nullopt;
        }
        out.push_back(element);
        at = end + 1;
        if (text[end] == ',') continue;
        if (text[end] == ']' && at == text.size()) return out;
        problem = "the array is not closed, or something follows it";
        return std::nullopt;
    }
}

std::optional<std::vector<json_member>> split_object(std::string_view text, std::string& problem) {
    std::vector<json_member> out;
    text = trim(text);
    if (!text.starts_with('{')) {
        problem = "not an object";
        return std::nullopt;
    }
    std::size_t at = 1;
    if (trim(text.substr(1)) == "}") return out;
    for (;;) {
        const auto end = end_of_element(text, at);
        if (end >= text.size()) {
            problem = "the object is not closed";
            return std::nullopt;
        }
        const auto member = split_member(trim(text.substr(at, end - at)));
        if (!member) {
            problem = "member " + std::to_string(out.size() + 1) + " of the object is none";
            return std::nullopt;
        }
        out.push_back(*member);
        at = end + 1;
        if (text[end] == ',') continue;
        if (text[end] == '}' && at == text.size()) return out;
        problem = "the object is not closed, or something follows it";
        return std::nullopt;
    }
}

}  // namespace firehose::stages
