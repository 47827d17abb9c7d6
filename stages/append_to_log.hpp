/// Sink: pulled events into the event log, where they are durable and delivery reads them.
#pragma once
#include "pipeline/stage.hpp"
#include "stages/event.hpp"
#include "stages/event_log.hpp"

#include <functional>

namespace firehose::stages {

/// Appends each batch as one block, one after the other, so that the log has them in the source's order. A
/// batch is `stored` once the log has made it durable and `lost` when the log does not take it: the source
/// brings it again. The events of a batch are JSON objects and of one flow, that of the first. May be
/// cancelled: what was not durable yet reports `lost`.
class append_to_log {
public:
    using input_type = raw_event;
    using append_function = std::function<task<result<log_receipt>>(log_append)>;

    explicit append_to_log(append_function append) : append_(std::move(append)) {}

    task<> run(receiver<raw_event> in, context& x);

private:
    append_function append_;
};

}  // namespace firehose::stages
