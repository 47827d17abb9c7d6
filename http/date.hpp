/// The dates of HTTP headers.
#pragma once
#include "pipeline/time_source.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace firehose::http {

/// "Sun, 06 Nov 1994 08:49:37 GMT", the form every server sends; nothing for anything else.
std::optional<time_source::wall> parse_date(std::string_view text);

std::string format_date(time_source::wall when);

/// A Retry-After value, seconds or a date; dates that have passed are zero. Capped at an hour,
/// because a longer wait belongs to the spool and not to a waiting request.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text, time_source::wall now);

}  // namespace firehose::http
