/// From a configuration to what a workbench is opened with: the same for every verb that delivers.
#pragma once
#include "examples/firehose/config.hpp"
#include "stages/workbench.hpp"

namespace firehose::app {

stages::workbench_options bench_options(const configuration& how, const storage::registry& stores);

}  // namespace firehose::app
