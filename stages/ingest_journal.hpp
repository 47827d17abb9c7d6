/// Source: the event log from its delivery cursor on, batch by batch, for the delivery pipeline.
#pragma once
#include "pipeline/ack_window.hpp"
#include "pipeline/stage.hpp"
#include "stages/event.hpp"
#include "stages/event_log.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

namespace firehose::stages {

/// Moves the log's cursor over a contiguous prefix of what is stored, spooled or parked, and saves it once in
/// a while. A batch that comes back `lost` (mostly because the spool's disk is full) is read again after a
/// pause, together with what was read behind it: events may be delivered twice, under the same keys, and
/// are never passed over.
///
/// Ends when the shard drains, after everything it has handed out has its verdict and the cursor is
/// saved. May be cancelled: then the cursor stays where it was saved last.
class ingest_journal {
public:
    using output_type = raw_event;

    struct options {
        std::size_t batch_bytes = 256 << 10;          ///< of one read from the log
        std::size_t max_in_flight_bytes = 32 << 20;   ///< without a verdict
        std::size_t max_in_flight = 4096;             ///< batches without a verdict
        std::chrono::milliseconds save_every{1'000};  ///< the cursor
        /// Told for each batch, how long after the acceptance of its first events all of it had its verdict;
        /// may be empty.
        std::function<void(std::chrono::duration<double>)> settled{};
        std::chrono::milliseconds read_again{1'000};  ///< after a loss, or a log that cannot be read
        /// Pause at the end of the log, so that fewer and larger batches wait for a verdict.
        std::chrono::milliseconds linger{0};
        /// Where to begin, so that what was made of events on both sides of a position can be made again
        /// (cut_plan::begin_reading); the events before the position are marked `settled`. Empty: at the
        /// position.
        std::function<log_position(log_position)> begin_at{};
    };

    /// For the metrics; shared, because the source itself moves into the pipeline.
    struct view {
        std::uint64_t losses = 0;                   ///< times it had to read again
        std::optional<time_source::wall> oldest{};  ///< acceptance of the oldest event without a verdict
        routing_stamp stamp = 0;                    ///< of the last block that had its verdict
    };

    ingest_journal(event_log& from, options how) : from_(from), how_(how) {}

    std::shared_ptr<const view> look() const { return view_; }

    task<> run(sender<raw_event> out, context& x);

private:
    event_log& from_;
    options how_;
    std::shared_ptr<view> view_ = std::make_shared<view>();
};

}  // namespace firehose::stages
