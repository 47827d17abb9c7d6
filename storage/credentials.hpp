/// What a destination is accessed with. Secrets are of a type that cannot be printed.
#pragma once
#include "http/secret.hpp"
#include "pipeline/error.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace firehose::storage {

using http::equal;
using http::secret;
using http::wipe;

/// A credential object as LeadConduit defines it (spec 2.4), plus where to connect.
/// aws: username = access key id, password = secret access key. azure: token = connection string.
struct credential {
    std::string id{};
    std::string type{};  ///< "user" or "token"
    std::string username{};
    secret password{};
    secret session_token{};
    secret token{};
    std::string endpoint{};  ///< "http://127.0.0.1:9000"; empty: the provider's own
    std::string region{};    ///< empty: "us-east-1"
    std::string ca_file{};   ///< PEM file to trust instead of the system's roots; empty: the system's
    std::string client_certificate{};  ///< PEM file with the chain to show the server; empty: none
    std::string client_key{};          ///< PEM file with its key; empty: in the certificate's file
};

/// By id. Replaced as a whole when the configuration changes.
using credential_map = std::map<std::string, credential, std::less<>>;

}  // namespace firehose::storage
