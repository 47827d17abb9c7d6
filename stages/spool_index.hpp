/// Where the undelivered records of one spool journal lie and when they are due: 48 bytes each.
#pragma once
#include "stages/spool_record.hpp"
#include "storage/journal_recovery.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace firehose::stages {

/// Single thread. Records are in the order of their sequences, in blocks that know when their first record
/// is due, so that a scan passes over what is not.
class spool_index {
public:
    struct item {
        std::uint32_t delta = 0;         ///< sequence, relative to the block's first
        std::uint32_t offset = 0;        ///< in the segment of the block
        std::uint32_t length = 0;        ///< of the journal record
        std::uint32_t body = 0;          ///< bytes
        std::uint32_t first_failed = 0;  ///< seconds since 1970
        std::uint32_t attempts : 30 = 0;
        std::uint32_t leased : 1 = 0;
        std::uint32_t unreadable : 1 = 0;  ///< counted, never leased again by this process
        std::int64_t next_at = 0;          ///< wall clock ticks
        std::int64_t touched = 0;          ///< when it was appended or last leased, likewise
        std::uint32_t mark_segment =
            no_mark;                    ///< where its latest `failed` record lies: number of a segment …
        std::uint32_t mark_offset = 0;  ///< … and place in it
    };
    static_assert(sizeof(item) == 48);
    static constexpr std::uint32_t no_mark = 0xffffffff;

    /// A record of a sequence that is there already changes nothing.
    void put(const storage::record_location& where, const spool_record::schedule& when,
             std::size_t body_bytes, time_source::wall touched);
    void erase(storage::sequence record);
    bool contains(storage::sequence record) { return find(record) != nullptr; }

    void fail(storage::sequence record, unsigned attempts, time_source::wall next_at,
              const storage::record_location& mark);
    /// Returns when it was touched before.
    time_source::wall lease(storage::sequence record, time_source::wall now);
    void unlease(storage::sequence record, std::optional<time_source::wall> touched_before);
    void set_attempts(storage::sequence record, unsigned attempts);
    void give_up(storage::sequence record);

    struct found {
        storage::record_location where{};
        std::uint32_t body = 0;
        unsigned attempts = 0;
        time_source::wall next_at{};
        std::optional<storage::record_location> mark{};
    };
    std::optional<found> at(storage::sequence record);
    /// The first record from `from` on that `which` allows, leased ones and `which.skip` apart.
    std::optional<storage::sequence> next_due(storage::sequence from, const lease_query& which);

    std::uint64_t records() const noexcept { return records_; }
    std::uint64_t bytes() const noexcept { return bytes_; }
    /// Empty when there are no records.
    std::optional<storage::sequence> oldest() const;
    /// To the second.
    std::optional<time_source::wall> oldest_failure() const;
    std::optional<time_source::wall> earliest() const;

private:
    struct block {
        storage::sequence first = 0;
        storage::journal_format::segment_name segment{};
        std::vector<item> items{};
        std::int64_t due_from = 0;      ///< no item is due earlier, as far as known
        std::int64_t touched_from = 0;  ///< no item was touched earlier, likewise
    };
    std::deque<block>::iterator block_of(storage::sequence record);
    item* find(storage::sequence record);
    std::uint32_t number_of(const storage::journal_format::segment_name& segment);

    std::deque<block> blocks_;  // in order; none is empty
    std::vector<storage::journal_format::segment_name> marked_segments_;
    std::uint64_t records_ = 0, bytes_ = 0;
};

}  // namespace firehose::stages
