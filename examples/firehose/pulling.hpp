/// The streams of the configuration as serve pulls them, and one question to each for validate.
#pragma once
#include "examples/firehose/config.hpp"
#include "pipeline/stage.hpp"
#include "stages/append_to_log.hpp"
#include "storage/file_system.hpp"

#include <string>

namespace firehose::app {

/// Pulls all streams into the log until the drain. A stream that ends before is logged and does not end the
/// others. The arguments outlive the call; `append` is called on this shard.
task<> pull_streams(context& x, const configuration& how, storage::file_system& files,
                    stages::append_to_log::append_function append);

/// Asks for the end of the stream, which changes nothing there and here. What is wrong, or nothing.
task<std::string> ask_stream(context& x, const pull_settings& which, storage::file_system& files);

/// Logs how a source ended; true when something is wrong.
bool report_stream(const logger& log, const std::string& name, const stages::ingest_stream::report& what);

}  // namespace firehose::app
