/// Where the undelivered records of one spool journal lie and when they are due: 48 bytes each.
#pragma once
#include "stages/spool_digest.hpp"
#include "stages/spool_record.hpp"
#include "storage/journal_recovery.hpp"

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace firehose::stages {

/// Single thread. Records are in the order of their sequences, in blocks that know when their first record
/// is due, so that a scan passes over what is not. Of a whole segment it may know only a summary: its
/// records count, but must be filled in before one of them is asked for.
class spool_index {
public:
    struct item {
        std::uint32_t delta = 0;         ///< sequence, relative to the block's first
        std::uint32_t offset = 0;        ///< in the segment of the block
        std::uint32_t length = 0;        ///< of the journal record
        std::uint32_t body = 0;          ///< bytes
        std::uint32_t first_failed = 0;  ///< seconds since 1970
        std::uint32_t attempts : 29 = 0;
        std::uint32_t earlier : 1 = 0;  ///< in the spool since before this process opened it
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
    static constexpr std::uint64_t segment_is_whole = std::numeric_limits<std::uint64_t>::max();

    enum class origin { earlier_run, this_run };

    /// A record of a sequence that is there already changes nothing.
    void put(const storage::record_location& where, const spool_record::schedule& when,
             std::size_t body_bytes, time_source::wall touched, origin since);
    void erase(storage::sequence record);

    /// Nothing but the summary of a segment.
    void put_summary(const segment_digest& of, time_source::wall touched, origin since);
    /// The segment whose records are not filled in, if `record` would be among them.
    std::optional<storage::journal_format::segment_name> unfilled(storage::sequence record);
    void fill(const storage::journal_format::segment_name& segment, std::span<const digest_put> records);
    /// Keeps only a summary of a segment if its records are as the digest says. True when it did.
    bool shrink(const segment_digest& to);

    bool contains(storage::sequence record) { return find(record) != nullptr; }

    void fail(storage::sequence record, unsigned attempts, time_source::wall next_at,
              const storage::record_location& mark);
    /// Returns when it was touched before.
    time_source::wall lease(storage::sequence record, time_source::wall now);
    void unlease(storage::sequence record, std::optional<time_source::wall> touched_before);
    void set_attempts(storage::sequence record, unsigned attempts);
    void give_up(storage::sequence record);
    void set_origin(storage::sequence record, origin since);

    struct found {
        storage::record_location where{};
        std::uint32_t body = 0;
        unsigned attempts = 0;
        time_source::wall next_at{};
        std::uint32_t first_failed = 0;  ///< seconds since 1970
        origin since = origin::this_run;
        bool held = false;  ///< leased, or unreadable
        std::optional<storage::record_location> mark{};
    };
    std::optional<found> at(storage::sequence record);
    struct due {
        std::optional<storage::sequence> record{};
        /// Must be filled in first, to know.
        std::optional<storage::journal_format::segment_name> unfilled{};
    };
    /// The first record from `from` on that `which` allows, leased ones and `which.skip` apart.
    due next_due(storage::sequence from, const lease_query& which);
    /// Likewise the last one before `before`.
    due last_due(storage::sequence before, const lease_query& which);

    /// What is undelivered of the oldest segment that the journal has: nothing if that is not the one the
    /// oldest record lies in, segment_is_whole if it is not filled in. Costs the same however many segments
    /// there are.
    std::uint64_t journal_bytes_of_oldest(const storage::journal_format::segment_name& segment) const;
    /// Those records, if all are filled in and none is leased or unreadable.
    std::vector<storage::sequence>
    movable_of_oldest(const storage::journal_format::segment_name& segment) const;

    /// Those with undelivered records, the oldest first.
    std::vector<storage::journal_format::segment_name> segments() const;

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
        std::uint64_t journal_bytes = 0;             ///< of the items' journal records
        std::uint64_t summed = 0, summed_bytes = 0;  ///< records that are not filled in
        std::uint32_t oldest = 0;                    ///< of those
        origin since = origin::this_run;             ///< of those
        bool changed = false;                        ///< an item is not as it was appended
        std::int64_t due_from = 0;                   ///< no item is due earlier, as far as known
        std::int64_t touched_from = 0;               ///< no item was touched earlier, likewise
    };
    std::deque<block>::iterator block_of(storage::sequence record);
    item* find(storage::sequence record);
    item* find_to_change(storage::sequence record);
    std::optional<storage::sequence> due_in(block& b, storage::sequence from, storage::sequence before,
                                            const lease_query& which);
    bool worth_a_look(const block& b, const lease_query& which) const;
    std::uint32_t number_of(const storage::journal_format::segment_name& segment);

    std::deque<block> blocks_;  // in order; none is empty
    std::vector<storage::journal_format::segment_name> marked_segments_;
    std::uint64_t records_ = 0, bytes_ = 0;
};

}  // namespace firehose::stages
