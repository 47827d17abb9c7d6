/// Where objects of one target go: service, bucket, prefix and the credential to use.
#pragma once
#include <compare>
#include <string>

namespace firehose::storage {

/// What makes two targets the same place. Holds the credential's id, never the secret, so it may be
/// written to disk and to logs.
struct destination {
    std::string service{};        ///< the name in the `services` object: "aws", "azure", "local", …
    std::string type{};           ///< which kind of store: "s3", "azure", "directory", or a user's own
    std::string bucket{};         ///< bucket, container or folder
    std::string prefix{};         ///< no leading or trailing slash; empty for none
    std::string credential_id{};  ///< empty where the type needs none

    friend auto operator<=>(const destination&, const destination&) = default;
};

/// "service bucket/prefix", for people and logs.
std::string describe(const destination& where);

/// 16 hex digits of a SHA-256 over all five members; stable across versions.
std::string hash(const destination& where);

/// `<service>/<bucket>/<prefix, escaped>-<hash>`, each part escaped so that it is one ordinary
/// path component whatever the member holds. Relative; no part is empty, "." or "..".
std::string directory_name(const destination& where);

}  // namespace firehose::storage
