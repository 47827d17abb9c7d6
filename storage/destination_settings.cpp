#include "storage/destination_settings.hpp"

#include <algorithm>

namespace firehose::storage {

std::optional<disposition> overridden_verdict(const destination_settings& given, int status,
                                              std::string_view code) {
    if (given.verdicts.empty()) return std::nullopt;
    auto found = code.empty() ? given.verdicts.end() : given.verdicts.find(code);
    if (found == given.verdicts.end()) found = given.verdicts.find(std::to_string(status));
    if (found == given.verdicts.end()) return std::nullopt;
    return found->second;
}

bool matches(std::string_view pattern, std::string_view text) noexcept {
    constexpr auto none = std::string_view::npos;
    std::size_t star = none;  // the last one, and how much of the text it stands for so far
    std::size_t taken = 0;
    std::size_t p = 0;
    std::size_t t = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            taken = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
            ++p;
            ++t;
        } else if (star != none) {
            p = star + 1;
            t = ++taken;
        } else {
            return false;
        }
    }
    return std::ranges::all_of(pattern.substr(p), [](char c) { return c == '*'; });
}

bool destination_pattern::matches(const destination& to) const noexcept {
    return storage::matches(service, to.service) && storage::matches(bucket, to.bucket) &&
           storage::matches(prefix, to.prefix) && storage::matches(credential_id, to.credential_id);
}

destination_settings find_settings(const std::vector<settings_rule>& rules, const destination& to) {
    const auto found =
        std::ranges::find_if(rules, [&to](const auto& rule) { return rule.match.matches(to); });
    return found == rules.end() ? destination_settings() : found->then;
}

}  // namespace firehose::storage
