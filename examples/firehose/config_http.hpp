/// "delivery" → "http": how servers are reached.
#pragma once
#include "examples/firehose/config_reader.hpp"
#include "http/options.hpp"

#include <filesystem>
#include <vector>

namespace firehose::app {

/// `base` is where relative paths of secrets start.
void read_http(const object_reader& from, const std::filesystem::path& base, secrets how,
               http::client_options& out, std::vector<fault>& warnings);

}  // namespace firehose::app
