/// Source: takes records out of the spool and sends them again.
#pragma once
#include "pipeline/stage.hpp"
#include "stages/delivery.hpp"
#include "stages/event.hpp"

#include <chrono>
#include <memory>

namespace firehose::stages {

/// An ordinary source, to be followed by upload() with the same `delivery`, which settles each record:
/// `unspool(d, {}) | upload(d, every_service())`. Oldest first within a destination unless asked otherwise,
/// destinations in turn; one that refuses is passed over and its records stay where they are.
///
/// Paced per destination: no more records are on their way to one than a share of its permits, so live events
/// keep the others, and one that hangs holds up only its own records.
///
/// Ends when the shard drains, and with `once` when every record was tried once. May be cancelled:
/// records on their way stay in the spool.
class unspool {
public:
    using output_type = event;

    struct options {
        bool once = false;  ///< one pass, schedules ignored
        bool newest_first = false;
        unsigned share_percent = 25;  ///< of delivery_options::in_flight, for each destination; at least one
        std::size_t max_bytes = 32 << 20;  ///< of bodies on their way, all destinations together
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
