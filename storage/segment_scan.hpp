/// Reads one segment from end to end, steps over what is damaged and says where that was.
#pragma once
#include "storage/journal_recovery.hpp"

#include <cstdint>
#include <vector>

namespace firehose::storage {

struct damaged_range {
    std::uint64_t begin = 0, end = 0;
    std::uint64_t size() const noexcept { return end - begin; }
};

struct segment_scan {
    journal_format::segment_header header{};
    std::uint64_t size = 0;
    std::uint64_t records = 0;
    sequence end = 0;                     ///< one past the highest sequence found; the name's first if none
    std::vector<damaged_range> damage{};  ///< in order, not touching each other
    std::uint64_t unreadable_bytes = 0;   ///< read as zeros, because the disk gave an error
};

/// Never fails: what cannot be read counts as damage. A file of a newer version is not looked into.
segment_scan scan_segment(file& from, std::uint64_t size, const journal_format::segment_name& name,
                          std::uint32_t max_payload, const record_visitor& visit);

/// Copies a range of a file into a new file, durably: temporary name, sync, rename, sync.
result<> keep_range(file_system& fs, file& from, const damaged_range& range, const std::filesystem::path& to);

}  // namespace firehose::storage
