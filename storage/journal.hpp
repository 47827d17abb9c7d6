/// An append-only log of records in segment files: what is appended survives a power cut.
#pragma once
#include "pipeline/stage.hpp"
#include "pipeline/wait_queue.hpp"
#include "storage/file_system.hpp"
#include "storage/journal_index.hpp"
#include "storage/journal_recovery.hpp"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace firehose::storage {

struct journal_request;
struct journal_commit;
struct open_segment;

/// What append() is given; the payload is `head` followed by `body`. Copied during the call.
struct journal_input {
    std::uint16_t type = 0;
    std::uint32_t count = 1;  ///< sequences it takes
    bytes_view head{};
    bytes_view body{};
};

/// A record that was read; `payload` lives in `backing`.
struct journal_record {
    record_location where{};
    std::uint16_t type = 0;
    std::uint32_t count = 1;
    bytes_view payload{};
    slab backing{};
};

/// synced: survives a power cut. written: survives the end of the process.
enum class durability { synced, written };

struct journal_options {
    std::uint64_t segment_bytes = 64u << 20;    ///< a segment that has grown to this is followed by another
    std::uint32_t max_payload = 64u << 20;      ///< of one record; longer ones are refused
    std::uint64_t max_commit_bytes = 8u << 20;  ///< of what shares one sync
    /// How far read_from() may have to read ahead of a sequence that no reader has come to yet; 0: up to a
    /// segment. Costs 16 bytes of memory for each.
    std::uint32_t index_every = 0;
};

/// Single shard; all file calls run on the blocking pool. Outlives its running calls. The owner
/// of the directory holds a lock (lock_directory()). Format and reasons: storage/JOURNAL.md.
///
/// Appends of one moment share one write and one fdatasync. A failed write or sync fails those appends
/// and abandons the segment: it is never written or synced again, and the next append starts another.
/// The records that were reported failed may still be found after a restart, never the other way round.
class journal {
public:
    /// Recovers what is in `directory` (made if missing; its parent must be there) and visits every intact
    /// record on the blocking pool.
    static task<result<std::unique_ptr<journal>>> open(context& x, file_system& fs,
                                                       std::filesystem::path directory,
                                                       journal_options options, record_visitor visit);
    /// The same; segments that `hooks` know are not read.
    static task<result<std::unique_ptr<journal>>> open(context& x, file_system& fs,
                                                       std::filesystem::path directory,
                                                       journal_options options, record_visitor visit,
                                                       recovery_hooks hooks);
    journal(const journal&) = delete;
    journal& operator=(const journal&) = delete;

    /// All records or none, one after the other. Their bytes are read, not copied, until this ends. May be
    /// cancelled until the write begins, then nothing is left behind; afterwards it runs to its end.
    task<result<std::vector<record_location>>> append(std::span<const journal_input> records,
                                                      durability how = durability::synced);

    /// Reads records, one answer each. An answer with errno EBADMSG is damage: the bytes are not
    /// what was appended. Memory: the records' lengths.
    task<std::vector<result<journal_record>>> read(std::vector<record_location> where);

    /// The intact records with sequences from `from` on, in order, up to `max_bytes` but at least one unless
    /// there is none; only what append() reported. A reader goes on at the last record's first + count;
    /// what was removed meanwhile is passed over.
    task<result<std::vector<journal_record>>> read_from(sequence from, std::size_t max_bytes);

    /// Unlinks the oldest segments as far as all their records come before `keep_from`, one after the other,
    /// each made durable before the next. May be cancelled between two segments.
    task<result<>> remove_before(sequence keep_from);
    /// The next append starts a new segment, so that the records so far can be removed before it. May be
    /// cancelled.
    task<result<>> seal();
    /// Whether remove_before() would find something.
    bool removable(sequence keep_from) const;

    /// Higher than every sequence given so far.
    sequence next_sequence() const noexcept { return next_; }
    /// No record has a lower sequence; next_sequence() when there is none.
    sequence first_sequence() const noexcept;
    /// The oldest first; the one that is written to is the last.
    std::vector<segment_info> segments() const;
    std::size_t segment_count() const noexcept;
    std::optional<segment_info> oldest_segment() const;
    /// Of all segments. Like the two above it costs the same however many there are.
    std::uint64_t size_on_disk() const noexcept { return sealed_bytes_ + current_info_.size; }
    const recovery_counts& recovered() const noexcept { return recovered_; }

private:
    struct busy_mark;
    struct withdrawal;

    journal(context& x, file_system& fs, std::filesystem::path directory, journal_options options);
    result<std::shared_ptr<journal_request>> make_request(std::span<const journal_input> records,
                                                          durability how) const;
    journal_commit take_requests();
    task<> commit_round();
    void finish_commit(journal_commit& done);
    void close_current();
    task<bool> wait_until_idle();
    std::optional<segment_info> segment_from(sequence from, const journal_format::segment_name& after) const;

    context& x_;
    file_system& fs_;
    const std::filesystem::path directory_;
    const journal_options options_;
    recovery_counts recovered_{};
    std::deque<segment_info> sealed_;  // oldest first
    std::uint64_t sealed_bytes_ = 0;
    std::shared_ptr<open_segment> current_;  // touched on the blocking pool while busy_
    segment_info current_info_{};            // what is acknowledged of it
    sequence next_ = 1;
    std::deque<std::shared_ptr<journal_request>> pending_;
    // Where a reader that goes on at this sequence finds it without searching its segment.
    struct read_hint {
        journal_format::segment_name segment{};
        std::uint64_t offset = 0;
    };
    static constexpr std::size_t hints_limit = 256;
    std::map<sequence, read_hint> hints_;
    journal_index index_;
    bool busy_ = false;  // a commit or a removal is running
    wait_queue changed_;
};

/// Reads records of the journal in `directory`, one answer each, as journal::read() does. Blocks.
std::vector<result<journal_record>> read_records(file_system& fs, const std::filesystem::path& directory,
                                                 const std::vector<record_location>& where,
                                                 std::uint32_t max_payload);

/// Takes `directory` for this process until the file is closed; refuses one that others can write to or
/// that another process has. Blocks.
result<std::unique_ptr<file>> lock_directory(file_system& fs, const std::filesystem::path& directory);

}  // namespace firehose::storage
