/// Tells inputs apart, so that a second run of the same file is known as such.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

namespace firehose::stages {

/// Of a regular file: where it lies on the disk, and a hash of its first line. The same before and after the
/// file has grown, another one for a file that took its name or its place. Nothing for pipes and for what
/// cannot be read. Blocks for one read.
std::optional<std::string> identity_of_file(const std::filesystem::path& path);

}  // namespace firehose::stages
