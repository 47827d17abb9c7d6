#include "http/accept.hpp"

#include <algorithm>

namespace firehose::http {
namespace {

std::string_view without_blanks(std::string_view text) noexcept {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// Takes what comes before `end` from the front of `text`.
std::string_view take_until(std::string_view& text, char end) noexcept {
    const auto at = std::min(text.find(end), text.size());
    const auto part = without_blanks(text.substr(0, at));
    text.remove_prefix(std::min(at + 1, text.size()));
    return part;
}

/// 3 for the type itself, 2 for type/*, 1 for */*, 0 for another.
int closeness(std::string_view range, std::string_view type) {
    if (same_name(range, type)) return 3;
    if (range == "*/*") return 1;
    const auto slash = type.find('/') + 1;
    return range.ends_with("/*") && same_name(range.substr(0, range.size() - 1), type.substr(0, slash)) ? 2
                                                                                                        : 0;
}

bool is_refused(std::string_view parameters) {
    while (!parameters.empty()) {
        auto one = take_until(parameters, ';');
        const auto name = take_until(one, '=');
        one = without_blanks(one);
        if (same_name(name, "q"))
            return one.starts_with('0') && one.find_first_not_of("0.") == std::string_view::npos;
    }
    return false;
}

}  // namespace

bool accepts(const header_list& headers, std::string_view type) {
    bool said = false, taken = false;
    int closest = 0;
    for (const auto& [name, value] : headers) {
        if (!same_name(name, "Accept")) continue;
        said = true;
        for (std::string_view rest = value; !rest.empty();) {
            auto parameters = take_until(rest, ',');
            const auto range = take_until(parameters, ';');
            const int close = closeness(range, type);
            if (close <= closest) continue;
            closest = close;
            taken = !is_refused(parameters);
        }
    }
    return taken || !said;
}

}  // namespace firehose::http
