/// Where the directory spool keeps what, and how to find it again. Blocking.
#pragma once
#include "storage/file_system.hpp"

#include <filesystem>
#include <vector>

namespace firehose::stages {

/// The directories `<service>/<bucket>/<prefix-hash>` under a spool's root. Files and links are passed over,
/// and so is what disappears meanwhile.
result<std::vector<std::filesystem::path>> destination_directories(storage::file_system& fs,
                                                                   const std::filesystem::path& root);

/// Removes a destination's directory if nothing but what is for people, bodies without records and empty
/// directories is in it, and the empty directories above it, up to the root. Failures do not matter: it
/// stays.
void remove_if_empty(storage::file_system& fs, const std::filesystem::path& root,
                     const std::filesystem::path& directory);

}  // namespace firehose::stages
