#include "examples/firehose/request_rate.hpp"

#include <algorithm>

namespace firehose::app {

request_rate::request_rate(const std::vector<token_entry>& tokens, unsigned per_second, unsigned burst)
    : each_(per_second == 0 ? 0 : std::chrono::nanoseconds(std::chrono::seconds(1)).count() / per_second),
      most_(each_ * burst) {
    for (const auto& token : tokens) tokens_.try_emplace(token.name, 0);
}

std::optional<std::chrono::nanoseconds> request_rate::take(std::string_view user,
                                                           time_source::steady now) noexcept {
    if (each_.count() == 0) return std::nullopt;
    const auto found = tokens_.find(user);
    auto& bucket = found == tokens_.end() ? others_ : found->second;
    const auto at = std::chrono::nanoseconds(now.time_since_epoch()).count();
    auto full = bucket.load(std::memory_order_relaxed);
    for (;;) {
        const auto then = std::max(full, at) + each_.count();
        if (then - at > most_.count()) return std::chrono::nanoseconds(then - at - most_.count());
        if (bucket.compare_exchange_weak(full, then, std::memory_order_relaxed)) return std::nullopt;
    }
}

}  // namespace firehose::app
