/// The credentials of the configuration.
#pragma once
#include "examples/firehose/config_reader.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace firehose::app {

/// One member of "credentials": what storage::credential_faults() says is noted with its place. Secrets that
/// come from files are read now, so that a missing one is a fault, and their files remembered, to be read
/// again.
storage::credential read_credential(const std::string& id, const object_reader& from,
                                    const std::filesystem::path& base, secrets how,
                                    std::vector<fault>& warnings);

}  // namespace firehose::app
