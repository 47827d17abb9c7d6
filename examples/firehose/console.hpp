/// Where lines for people go: logs by spdlog on standard error, and the progress line.
#pragma once
#include "examples/firehose/config.hpp"
#include "pipeline/log.hpp"
#include "pipeline/stage.hpp"
#include "stages/account.hpp"

#include <functional>

namespace firehose::app {

/// Time, level and line on standard error; colours on a terminal.
logger console_log();

/// Prints faults and warnings to standard error; true when there are no faults.
bool print_faults(const std::string& file, const loaded& configuration);

/// Until cancelled: a line that rewrites itself twice a second on a terminal, a plain log line every
/// ten seconds elsewhere.
task<> show_progress(context& x, std::function<stages::account()> books);

/// Removes the progress line from a terminal.
void clear_progress();

}  // namespace firehose::app
