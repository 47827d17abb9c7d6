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

/// "development", "ports" and "networks" of an object that may have other members too.
void read_guard(const object_reader& from, http::address_guard& out);

}  // namespace firehose::app
