/// The blocking half of the journal: one write and one sync for what was appended in one moment.
#pragma once
#include "storage/journal.hpp"

#include <optional>

namespace firehose::storage {

/// One append() on its way. Shared between its coroutine and the commit that carries it.
struct journal_request {
    struct part {
        std::size_t offset = 0;  ///< in `fronts`
        std::size_t front = 0;   ///< bytes there: the record's header, not filled in yet, and the head
        bytes_view body{};       ///< the appender's: it waits until this is finished
        journal_format::record_header header{};
    };
    std::vector<std::byte> fronts{};
    std::vector<part> parts{};
    std::uint64_t size = 0;  ///< of all records
    durability how = durability::synced;
    bool taken = false;  ///< by a commit: cannot be withdrawn any more
    bool finished = false;
    std::optional<error> failure{};
    std::vector<record_location> where{};
};

struct open_segment {
    std::unique_ptr<file> to{};
    segment_info info{};            ///< size and end count what was written, acknowledged or not
    bool in_directory = false;      ///< its name is durable
    bool has_acknowledged = false;  ///< somebody was told that a record in it is safe
};

/// In: what to write and where. Out: what became of it.
struct journal_commit {
    std::vector<std::shared_ptr<journal_request>> requests{};
    std::shared_ptr<open_segment> segment{};  ///< out: null when it was abandoned
    sequence next = 1;                        ///< out: also advanced by what failed
    std::uint32_t salt = 0;                   ///< for a new segment
    time_source::wall now{};                  ///< likewise
    std::optional<error> failure{};
};

/// Never throws for a failed call: says so in `failure`. Blocks.
void run_commit(file_system& fs, const std::filesystem::path& directory, const journal_options& options,
                journal_commit& commit);

}  // namespace firehose::storage
