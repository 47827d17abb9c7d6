#include "stages/nearest_name.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace firehose::stages {
namespace {

/// Levenshtein's.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        auto diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto substituted = diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U);
            diagonal = row[j];
            row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

std::string_view nearest_name(std::string_view word, std::span<const std::string_view> known) {
    constexpr std::size_t longest_guessed = 64;  // the comparison is quadratic
    if (word.size() > longest_guessed) return {};
    std::string_view best;
    auto least = std::max<std::size_t>(2, word.size() / 2) + 1;
    for (const auto candidate : known) {
        const auto d = edit_distance(word, candidate);
        if (d < least) {
            least = d;
            best = candidate;
        }
    }
    return best;
}

std::string unknown_key_message(std::string_view word, std::span<const std::string_view> known) {
    std::string message = "unknown key; ";
    if (const auto guess = nearest_name(word, known); !guess.empty())
        return message.append("did you mean \"").append(guess).append("\"?");
    message.append("known are");
    for (const auto name : known) message.append(" ").append(name);
    return message;
}

}  // namespace firehose::stages
