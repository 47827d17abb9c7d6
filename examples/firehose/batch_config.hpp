/// The configuration of the layout "batch": "delivery": {"layout": "batch", "batch": {…}}.
#pragma once
#include "examples/firehose/config_reader.hpp"
#include "stages/event_reader.hpp"
#include "stages/gathering.hpp"

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace firehose::app {

/// Reads and checks it; faults go where the reader's go.
stages::batch_options read_batch(const object_reader& from);

/// What is gathered has no verdict before its object has one: gather() bounds it, not the source.
template <class Options> void leave_bounds_to_gather(Options& source) {
    source.max_in_flight = std::numeric_limits<std::size_t>::max();
    source.max_in_flight_bytes = std::numeric_limits<std::size_t>::max();
}

/// They fill whenever gather() waits for room; a few reads in each are enough to go on with.
inline constexpr std::size_t edge_bytes_before_gather = 1u << 20;

/// Where an event says when it happened: LeadConduit's place, then the event stream's.
std::vector<std::string> default_timestamps();

/// Makes the shape ask events for what the key template needs, and for no group, which only keys of single
/// events have.
void place_by(const stages::batch_options& how, const std::vector<std::string>& timestamps,
              stages::event_shape& shape);

}  // namespace firehose::app
