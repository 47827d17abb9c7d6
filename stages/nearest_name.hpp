/// "did you mean": the known word that a misspelt one is nearest to.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace firehose::stages {

/// The known word nearest to `word`, when it is near enough to be meant; else empty.
std::string_view nearest_name(std::string_view word, std::span<const std::string_view> known);

/// "unknown key; did you mean "x"?", or all known ones when none is near.
std::string unknown_key_message(std::string_view word, std::span<const std::string_view> known);

}  // namespace firehose::stages
