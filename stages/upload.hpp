/// Sink: puts each event into its store; what cannot be put now is spooled, what never can is parked.
#pragma once
#include "pipeline/stage.hpp"
#include "stages/by_service.hpp"
#include "stages/delivery.hpp"
#include "stages/event.hpp"

#include <memory>

namespace firehose::stages {

/// Delivers the targets that `which` picks. Every event ends in exactly one place per target:
/// delivered, spooled, parked, or `lost`, when the spool cannot take it either.
///
/// A destination's queue in memory is bounded. When it is full and another destination could go on,
/// its events are spooled, so that a slow or dead one costs disk and nobody's time; when all are
/// full, the source waits. One that fails pushes nobody's events to the disk, however idle it is.
///
/// The spool is written behind the deliveries' back, many events in one write; the source waits only when the
/// disk takes less than arrives (delivery_options::spool_gather_bytes).
///
/// Events that come out of a spool stay there until they are delivered or parked: a failure only
/// gives the record a new schedule.
///
/// Cancellation: requests under way are abandoned and their events spooled; events still waiting
/// behind them are spooled too. What the spool refuses reports `lost`.
class upload {
public:
    using input_type = event;

    upload(std::shared_ptr<delivery> shared, service_filter which)
        : shared_(std::move(shared)), which_(std::move(which)) {}

    task<> run(receiver<event> in, context& x);

private:
    std::shared_ptr<delivery> shared_;
    service_filter which_;
};

}  // namespace firehose::stages
