#include "pipeline/counters.hpp"

namespace firehose {

std::uint64_t& counters::operator[](std::string_view name) {
    const auto at = values_.lower_bound(name);
    if (at != values_.end() && at->first == name) return at->second;
    return values_.emplace_hint(at, name, 0)->second;
}

std::map<std::string, std::uint64_t> counters::snapshot() const { return {values_.begin(), values_.end()}; }

}  // namespace firehose
