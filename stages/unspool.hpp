/// Source: takes records out of the spool and sends them again.
#pragma once
#include "pipeline/stage.hpp"
#include "stages/delivery.hpp"
#include "stages/event.hpp"

#include <chrono>
#include <memory>

namespace firehose::stages {

/// An ordinary source, to be followed by upload() with the same `delivery`, which settles each record:
/// `unspool(d, {}) | upload(d, every_service())`. Oldest first within a destination, destinations in
/// turn; one that refuses is passed over and its records stay where they are.
///
/// Ends when the shard drains, and with `once` when every record was tried once. May be cancelled:
/// records on their way stay in the spool.
class unspool {
public:
    using output_type = event;

    struct options {
        bool once = false;              ///< one pass, schedules ignored
        std::size_t max_in_flight = 8;  ///< batches without a verdict before it pauses
        std::size_t batch_bytes = 1 << 20;
        std::chrono::milliseconds look_again{1'000};  ///< how often an empty spool is looked at
    };

    unspool(std::shared_ptr<delivery> shared, options how) : shared_(std::move(shared)), how_(how) {}

    task<> run(sender<event> out, context& x);

private:
    std::shared_ptr<delivery> shared_;
    options how_;
};

}  // namespace firehose::stages
