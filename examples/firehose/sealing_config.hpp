/// The keys that credentials saved by the API are sealed with: server.credentials_key and those before it.
#pragma once
#include "examples/firehose/config_reader.hpp"
#include "storage/sealing.hpp"

namespace firehose::app {

/// `server` is the section of that name. An empty ring without `credentials_key`, after a fault, and where
/// secrets are not needed.
storage::keyring read_keyring(const object_reader& server, const std::filesystem::path& base, secrets how,
                              std::vector<fault>& warnings);

}  // namespace firehose::app
