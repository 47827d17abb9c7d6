/// A file in parts that are read at the same time.
#pragma once
#include "pipeline/error.hpp"
#include "stages/line_splitter.hpp"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace firehose::stages {

/// Where `parts` parts of about the same size begin, the first at 0; fewer when they would be smaller than
/// `least` bytes.
std::vector<std::uint64_t> starts_of_parts(std::uint64_t size, unsigned parts, std::uint64_t least);

/// From each start to the next one, the last to the end of the file, however long it has become.
std::vector<line_range> ranges_from(const std::vector<std::uint64_t>& starts);

/// Of a regular file that can be read in parts; 0 for others and for what cannot be looked at.
std::uint64_t size_in_parts(const std::filesystem::path& path);

/// How many lines of the file begin before `offset`. Reads all that lies before it. Blocks.
result<std::uint64_t> lines_before(const std::filesystem::path& path, std::uint64_t offset);

}  // namespace firehose::stages
