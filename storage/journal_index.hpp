/// Where in its segment a reader finds a sequence: a mark for every so many bytes, in memory.
#pragma once
#include "storage/journal_recovery.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace firehose::storage {

/// 16 bytes of memory for each `every` bytes of records. Knows nothing of records it was not told of: a
/// reader then begins at the start of the segment.
class journal_index {
public:
    /// 0: keeps no marks.
    explicit journal_index(std::uint32_t every) : every_(every) {}

    /// In the order in which they lie in their segment.
    void add(const record_location& where) {
        if (every_ == 0) return;
        auto& marks = marks_[where.segment];
        const bool far = marks.empty() || (where.first > marks.back().first &&
                                           where.offset >= std::uint64_t{marks.back().offset} + every_);
        if (far) marks.push_back({where.first, where.offset});
    }
    /// Of a record of this segment with this sequence or a lower one; 0 when none is known.
    std::uint64_t offset_before(const journal_format::segment_name& segment, sequence wanted) const;
    void forget(const journal_format::segment_name& segment) { marks_.erase(segment); }

private:
    struct mark {
        sequence first = 0;
        std::uint32_t offset = 0;
    };
    std::uint32_t every_;
    std::map<journal_format::segment_name, std::vector<mark>> marks_{};
};

}  // namespace firehose::storage
