/// Cuts a JSON array or object into the texts of its elements or members, without reading what they say.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::stages {

/// True when the first byte that is no white space opens an array.
bool looks_like_array(std::string_view text) noexcept;

/// The elements byte for byte, without the white space around them. Brackets, commas and strings are checked,
/// the elements themselves are not: what lies in one must still be parsed. Why it is no array, in words,
/// goes to `problem`.
std::optional<std::vector<std::string_view>> split_array(std::string_view text, std::string& problem);

struct json_member {
    std::string_view name{};  ///< between its quotes, escapes as they stand
    std::string_view value{};
};

/// The same for an object.
std::optional<std::vector<json_member>> split_object(std::string_view text, std::string& problem);

}  // namespace firehose::stages
