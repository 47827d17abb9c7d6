/// Tells events that were seen from those that were not, by the sequence of what they are about.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace firehose::stages {

/// The consumer's rule of the event stream: of one resource the sequence only grows, and the same may be sent
/// more than once; what is not higher than the highest seen was seen. Remembers at least the `most / 2`
/// resources seen last and at most `most`; of one that was forgotten a repeat passes. Plain state.
class sequence_check {
public:
    explicit sequence_check(std::size_t most) : half_(most / 2) {}

    /// False: it was seen. `most` 0: always true.
    bool is_new(std::string_view type, std::string_view id, std::uint64_t sequence);

    /// Whatever was seen may come again: it did not become durable.
    void forget();

private:
    std::size_t half_;
    std::unordered_map<std::string, std::uint64_t> young_{}, old_{};
};

}  // namespace firehose::stages
