#include "stages/sequence_check.hpp"

#include <utility>

namespace firehose::stages {

bool sequence_check::is_new(std::string_view type, std::string_view id, std::uint64_t sequence) {
    if (half_ == 0) return true;
    std::string key;
    key.append(type).push_back('\0');
    key.append(id);
    const auto old = old_.find(key);
    const bool was_old = old != old_.end();
    const auto [known, added] = young_.try_emplace(std::move(key), was_old ? old->second : sequence);
    if (was_old) old_.erase(old);
    const bool is_higher = (added && !was_old) || sequence > known->second;
    if (is_higher) known->second = sequence;
    if (young_.size() >= half_) old_ = std::exchange(young_, {});
    return is_higher;
}

void sequence_check::forget() {
    young_.clear();
    old_.clear();
}

}  // namespace firehose::stages
