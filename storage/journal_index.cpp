#include "storage/journal_index.hpp"

#include <algorithm>

namespace firehose::storage {

std::uint64_t journal_index::offset_before(const journal_format::segment_name& segment,
                                           sequence wanted) const {
    const auto found = marks_.find(segment);
    if (found == marks_.end()) return 0;
    const auto& marks = found->second;
    const auto after = std::ranges::upper_bound(marks, wanted, {}, &mark::first);
    return after == marks.begin() ? 0 : std::prev(after)->offset;
}

}  // namespace firehose::storage
