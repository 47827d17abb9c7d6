/// Sink: keeps every event for later instead of sending it now.
#pragma once
#include "pipeline/stage.hpp"
#include "stages/by_service.hpp"
#include "stages/delivery.hpp"
#include "stages/event.hpp"

#include <memory>
#include <string>

namespace firehose::stages {

/// Spools the targets that `which` picks, one write for a batch; targets with a problem are parked.
/// For maintenance windows, and as the last part of a pipeline that has no network. The same records
/// as upload() leaves behind. May be cancelled between batches.
class spool {
public:
    using input_type = event;

    /// `reason` is what `spool ls` shows as the last error.
    spool(std::shared_ptr<delivery> shared, service_filter which, std::string reason = "kept on purpose")
        : shared_(std::move(shared)), which_(std::move(which)), reason_(std::move(reason)) {}

    task<> run(receiver<event> in, context& x);

private:
    std::shared_ptr<delivery> shared_;
    service_filter which_;
    std::string reason_;
};

}  // namespace firehose::stages
