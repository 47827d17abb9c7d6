/// A credential as the API takes, keeps and shows it.
#pragma once
#include "examples/firehose/config.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace firehose::app {

/// What somebody wants to save. It brings its secrets itself: what would make the server look into its own
/// files, environment or cloud identity belongs into the configuration, and is a fault here. A user has
/// username and password (or access_key_id and secret_access_key), a token its token (or connection_string),
/// or client_id and client_secret with the provider client_secret. The members id, created_at and updated_at
/// are the server's own and passed over. Faults, all of them at once, never quote a value.
storage::credential read_saved_credential(const std::string& id, const boost::json::object& from,
                                          const storage::registry& stores, std::vector<fault>& faults);

/// For everybody to see: what is no secret, and the names of the secrets there are. `from` may also be one of
/// the configuration. `origin` is "api" or "configuration".
boost::json::object visible_credential(const std::string& id, const boost::json::object& from,
                                       std::string_view origin);

}  // namespace firehose::app
