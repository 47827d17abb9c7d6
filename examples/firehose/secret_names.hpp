/// Names under which secrets stand in the configuration, and in what the API is given.
#pragma once
#include <algorithm>
#include <array>
#include <string_view>

namespace firehose::app {

inline constexpr std::array<std::string_view, 9> secret_names{
    "password",          "token",         "session_token",   "secret_access_key",
    "connection_string", "client_secret", "credentials_key", "previous_credentials_keys",
    "refresh_token"};

inline bool names_a_secret(std::string_view name) {
    return std::ranges::find(secret_names, name) != secret_names.end();
}

}  // namespace firehose::app
