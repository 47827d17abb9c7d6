#include "stages/spool_repeats.hpp"

#include "storage/crc32c.hpp"

namespace firehose::stages {
namespace {

std::uint64_t name(std::uint32_t length, std::uint32_t sum) { return std::uint64_t{length} << 32 | sum; }

}  // namespace

std::uint64_t spool_repeats::name_of(bytes_view body) {
    return name(static_cast<std::uint32_t>(body.size()), storage::crc32c(body));
}

void spool_repeats::learn(spool_index& index, const digest_folder& digests) {
    const auto segments = index.segments();
    std::size_t seen = 0;
    for (auto segment = segments.rbegin(); segment != segments.rend() && seen < most; ++segment) {
        for (const digest_put& one : digests.puts(*segment)) {
            // One that is not filled in has nothing said about it.
            if (!index.contains(one.record) && !index.unfilled(one.record)) continue;
            known_.emplace(name(one.body, one.body_sum), one.record);
            ++seen;
        }
    }
}

std::optional<storage::sequence> spool_repeats::find(bytes_view body) const {
    const auto found = known_.find(name_of(body));
    if (found == known_.end()) return std::nullopt;
    return found->second;
}

void spool_repeats::forget(bytes_view body) { known_.erase(name_of(body)); }

}  // namespace firehose::stages
