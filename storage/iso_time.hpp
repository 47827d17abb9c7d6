/// The one form of ISO 8601 that clouds write times in.
#pragma once
#include "pipeline/time_source.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace firehose::storage {

/// "2026-01-01T00:00:00Z", also with a fraction of a second, which is dropped, and "+00:00" for "Z"; nothing
/// for any other text.
std::optional<time_source::wall> parse_iso_time(std::string_view text);

/// "2026-01-01T00:00:00Z".
std::string to_iso_time(time_source::wall when);

}  // namespace firehose::storage
