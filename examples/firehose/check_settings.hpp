/// "server" → "check": how credentials are tried out before they are saved.
#pragma once
#include "http/address_guard.hpp"

#include <chrono>
#include <filesystem>
#include <string>

namespace firehose::app {

class object_reader;

struct check_settings {
    http::address_guard guard{};         ///< what callers' endpoints may be
    std::string s3_endpoint{};           ///< for requests that name none; empty: AWS
    std::string s3_region{"us-east-1"};  ///< likewise
    std::string ca_file{};               ///< PEM file to trust instead of the system's roots
    bool azure_prefix = false;           ///< the file goes under the prefix on Azure too
    unsigned at_once = 8;                ///< checks under way in the process; more are told to come again
    unsigned requests_per_second = 5;    ///< for each token, all together; 0: as many as anybody likes
    unsigned burst = 50;                 ///< what a token may ask for at once after a pause
    std::chrono::milliseconds deadline{20'000};  ///< of a whole check
};

/// Faults go where the reader puts them; relative paths start at `base`.
check_settings read_check(const object_reader& from, const std::filesystem::path& base);

}  // namespace firehose::app
