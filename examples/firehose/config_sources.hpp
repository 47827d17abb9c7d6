/// "sources": where events come from besides HTTP.
#pragma once
#include "examples/firehose/config_reader.hpp"

#include <boost/json/value.hpp>

namespace firehose::app {

/// Fills `inputs` and `streams`; needs data_dir, flows and delivery, which are read before. The faults go
/// where `out` has them.
void read_sources(const boost::json::value& value, secrets how, loaded& out);

}  // namespace firehose::app
