/// One stream that events are pulled from, as the configuration describes it.
#pragma once
#include "stages/ingest_stream.hpp"

#include <optional>

namespace firehose::app {

/// `run` ends at the top unless it is told to poll, `serve` polls unless it is told to end.
struct pull_settings {
    stages::ingest_stream::options common{};
    std::optional<stages::at_top> then{};
    std::optional<unsigned> attempts{};  ///< none: 10 where it ends at the top, else without end

    stages::ingest_stream::options of_run() const;
    stages::ingest_stream::options of_serve() const;
};

}  // namespace firehose::app
