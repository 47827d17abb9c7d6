/// The event log: what was accepted, durable before anybody is told so, readable by position for days.
#pragma once
#include "http/digest.hpp"
#include "pipeline/semaphore.hpp"
#include "pipeline/stage.hpp"
#include "stages/ingest_options.hpp"
#include "stages/log_block.hpp"
#include "storage/file_system.hpp"
#include "storage/journal.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace firehose::stages {

struct log_receipt {
    log_position first = 0;
    std::uint32_t count = 0;
    bool replayed = false;  ///< accepted before, under the same key
};

/// Files below `<data_dir>/events/`: `journal/` (storage/JOURNAL.md; each record is a log_block), `delivered`
/// with the delivery cursor, `lock`. The journal is the only truth: `delivered` is written after the fact and
/// may be lost or old, then some events are delivered once more, under the same keys; it is never ahead.
///
/// Positions count events, from 1; they are given once. Single shard; one process owns the directory.
class event_log {
public:
    static task<result<std::unique_ptr<event_log>>>
    open(context& x, storage::file_system& fs, std::filesystem::path data_dir, event_log_options how);
    event_log(const event_log&) = delete;
    event_log& operator=(const event_log&) = delete;

    /// What is appended from now on is accepted under this change of the configuration.
    void set_stamp(routing_stamp now) noexcept { stamp_ = now; }
    /// The highest stamp of any event in the log when it was opened.
    routing_stamp last_stamp() const noexcept { return last_stamp_; }

    /// The lowest stamp of what is being appended at the moment.
    std::optional<routing_stamp> appending() const;

    /// All events or none; success means they survive a power cut. An error's status() is what to answer: 503
    /// when the disk does not take it, 409 while a request with the same key is under way, 422 when the key
    /// came before with other events.
    task<result<log_receipt>> append(log_append what);

    /// Whole blocks that hold positions from `from` on, in order, about `max_bytes` of them; empty at the end
    /// of the log. Events before `from` may be among those of the first block. What was removed is passed
    /// over, what is damaged counted (event_log_unreadable_blocks).
    task<result<std::vector<log_block>>> read(log_position from, std::size_t max_bytes);

    /// The oldest position that may still be there.
    log_position begin() const noexcept { return journal_->first_sequence(); }
    /// The position the next event gets.
    log_position end() const noexcept { return journal_->next_sequence(); }
    /// Returns when end() > `from`. May be cancelled.
    task<> grown(log_position from);

    /// All events before this position are delivered or kept elsewhere. Only grows.
    log_position delivered() const noexcept { return delivered_; }
    void set_delivered(log_position upto);
    /// Writes the cursor if it has moved since; a failure is counted and tried again next time.
    task<> save_delivered();
    /// Where delivery goes on should the process end now; at most delivered().
    log_position saved() const noexcept { return saved_; }

    /// Removes whole segments whose events are older than the retention and delivered.
    task<result<>> trim();
    /// trim() once a minute, until cancelled.
    task<> keep_trimmed();

    std::uint64_t bytes() const;
    /// Of segments that are old enough to go and are kept because something in them is undelivered.
    std::uint64_t overdue_bytes() const;
    const storage::recovery_counts& recovered() const noexcept { return journal_->recovered(); }

private:
    struct remembered {
        http::sha256_value digest{};
        log_position first = 0;
        std::uint32_t count = 0;
        time_source::wall when{};
    };
    class busy_key;
    class stamped;

    event_log(context& x, storage::file_system& fs, std::filesystem::path root, event_log_options how);
    void visit(const storage::recovered_record& r);
    void remember(const http::sha256_value& key, remembered what);
    void forget_old_keys();
    task<result<>> read_delivered();
    bool is_old(const std::vector<storage::segment_info>& all, std::size_t i) const;
    task<result<>> mark_end();

    context& x_;
    storage::file_system& fs_;
    const std::filesystem::path root_;
    const event_log_options how_;
    std::unique_ptr<storage::file> lock_{};
    std::unique_ptr<storage::journal> journal_{};
    wait_queue grown_;
    semaphore saving_;
    log_position delivered_ = 1, saved_ = 0;
    std::map<http::sha256_value, remembered> keys_{};
    std::deque<http::sha256_value> key_order_{};
    std::set<http::sha256_value> busy_keys_{};
    time_source::wall opened_;
    bool last_is_mark_ = false;
    routing_stamp stamp_ = 0, last_stamp_ = 0;
    std::multiset<routing_stamp> appending_{};
};

}  // namespace firehose::stages
