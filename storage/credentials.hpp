/// What a destination is accessed with. Secrets are of a type that cannot be printed.
#pragma once
#include "pipeline/error.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace firehose::storage {

/// A string that leaves only through reveal(). It has no stream operator, no conversion and no
/// comparison, so that it cannot get into a log, an error or a configuration dump by accident.
class secret {
public:
    secret() = default;
    explicit secret(std::string value) : value_(std::move(value)) {}
    const std::string& reveal() const noexcept { return value_; }
    bool empty() const noexcept { return value_.empty(); }

private:
    std::string value_;
};

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
};

/// By id. Replaced as a whole when the configuration changes.
using credential_map = std::map<std::string, credential, std::less<>>;

}  // namespace firehose::storage
