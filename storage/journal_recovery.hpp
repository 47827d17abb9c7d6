/// Finds every intact record of a journal from its files alone, whatever happened to them.
#pragma once
#include "pipeline/time_source.hpp"
#include "storage/file_system.hpp"
#include "storage/journal_format.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace firehose::storage {

/// Where a record lies. Stays valid until its segment is removed.
struct record_location {
    sequence first = 0;  ///< 0: unknown, not compared when it is read
    journal_format::segment_name segment{};
    std::uint32_t offset = 0;  ///< of the record's header in the segment
    std::uint32_t length = 0;  ///< header and payload; 0: unknown, read() finds out
};

/// A record during recovery; `payload` is valid during the call only.
struct recovered_record {
    record_location where{};
    std::uint16_t type = 0;
    std::uint32_t count = 1;
    bytes_view payload{};
};

struct segment_info {
    journal_format::segment_name name{};
    sequence end = 0;        ///< one past its highest sequence
    std::uint64_t size = 0;  ///< bytes
    time_source::wall created{};
    bool has_damage = false;  ///< with damaged bytes that could not be kept elsewhere: never unlinked
};

/// What recovery met. A number above 0 means that a person may want to look.
struct recovery_counts {
    std::uint64_t records = 0;           ///< intact
    std::uint64_t torn_bytes = 0;        ///< cut from the end of the last segment; a crash leaves them
    std::uint64_t damaged_ranges = 0;    ///< elsewhere, found for the first time
    std::uint64_t damaged_bytes = 0;     ///< of those
    std::uint64_t unreadable_files = 0;  ///< skipped: no permission, an I/O error, not a file
    std::uint64_t newer_files = 0;       ///< of a later format version; kept in quarantine
};

struct recovery {
    std::vector<segment_info> segments{};  ///< in order
    sequence next = 1;                     ///< higher than any sequence ever given
    recovery_counts counts{};
    std::vector<std::string> notes{};  ///< one sentence per finding that is new, for the log
};

/// For who remembers what segments hold and need not read them again.
struct recovery_hooks {
    /// What is known of a segment that looks like this, without damage; it is not read then, and none of its
    /// records is visited.
    std::function<std::optional<segment_info>(const journal_format::segment_name&, const entry_status&)>
        known{};
    /// All records of a segment have been visited. `whole`: it has no damage, and no torn end was cut off.
    std::function<void(const segment_info&, bool whole)> scanned{};
};

struct recovery_options {
    std::uint32_t max_payload = 64u << 20;
    recovery_hooks hooks{};
    /// repair: cut torn tails, keep damaged bytes in `quarantine/`, remove empty files. look: change nothing
    /// and tolerate a running writer.
    enum class mode { repair, look } what = mode::repair;
};

using record_visitor = std::function<void(const recovered_record&)>;

/// Visits the intact records segment by segment in the order of the file; a record whose bytes exist twice
/// after damage is visited twice. Fails only when the system does (directory unreadable, too many open
/// files), never for what a file holds. Memory: one record plus 1 MiB. Blocks.
result<recovery> recover_journal(file_system& fs, const std::filesystem::path& directory,
                                 const recovery_options& how, const record_visitor& visit);

}  // namespace firehose::storage
