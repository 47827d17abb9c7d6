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

/// Files that secrets of a credential were read from, to be read again; empty: not from a file.
struct secret_files {
    std::string username{};
    std::string password{};
    std::string session_token{};
    std::string token{};
    std::string client_secret{};

    bool none() const noexcept {
        return username.empty() && password.empty() && session_token.empty() && token.empty() &&
               client_secret.empty();
    }
};

/// A credential object as LeadConduit defines it (spec 2.4), plus where to connect and, where the secret is
/// not part of it, who gives one out. aws: username = access key id, password = secret access key. azure:
/// token = connection string.
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

    std::string provider{};  ///< see storage/credential_rules.hpp; empty: "static", what stands above
    secret_files files{};
    std::string profile{};                  ///< provider profile; empty: AWS_PROFILE, or "default"
    std::string role_arn{};                 ///< web_identity; empty: AWS_ROLE_ARN
    std::string web_identity_token_file{};  ///< web_identity; empty: AWS_WEB_IDENTITY_TOKEN_FILE
    std::string sts_endpoint{};             ///< web_identity; empty: the region's own
    std::string account{};                  ///< the storage account of an identity without connection string
    std::string tenant_id{};                ///< client_secret
    std::string client_id{};  ///< client_secret; of a managed identity only if it is one of several
    secret client_secret{};
    std::string authority_host{};  ///< client_secret; empty: "https://login.microsoftonline.com"
};

/// By id. Replaced as a whole when the configuration changes.
using credential_map = std::map<std::string, credential, std::less<>>;

}  // namespace firehose::storage
