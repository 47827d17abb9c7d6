/// `"delivery": {"destinations": […]}`: how objects are stored, by destination.
#pragma once
#include "examples/firehose/config.hpp"

#include <boost/json/value.hpp>

#include <string>
#include <vector>

namespace firehose::app {

/// A list of rules: `match` with patterns for service, bucket, prefix and credential_id, and settings for
/// the destinations that match; the first rule that does counts. Faults are noted with their place.
std::vector<storage::settings_rule> read_destinations(const boost::json::value& from,
                                                      const std::string& pointer, std::vector<fault>& faults);

}  // namespace firehose::app
