/// ASCII text, whatever the locale.
#pragma once
#include <string>
#include <string_view>

namespace firehose {

/// What JSON, HTTP and configuration files call white space.
inline constexpr std::string_view blanks = " \t\r\n";

/// `text` without the blanks around it; a view into it.
std::string_view trim(std::string_view text, std::string_view of = blanks) noexcept;

/// What stands before the first end of a line.
std::string_view first_line(std::string_view text) noexcept;

/// A to Z made small; all other bytes stay.
std::string to_lower(std::string_view text);

}  // namespace firehose
