/// AWS Signature Version 4: pure functions from a request, a key and a time to a signature.
#pragma once
#include "http/digest.hpp"
#include "http/message.hpp"
#include "pipeline/time_source.hpp"
#include "storage/credentials.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace firehose::storage::sigv4 {

/// How the path of the request line becomes the canonical one.
enum class path_rules : std::uint8_t {
    s3,       ///< verbatim: it is encoded once, on the wire, and never normalised
    generic,  ///< dot segments and double slashes removed, then encoded once more
    generic_unnormalized,
};

/// What is signed. Views; the headers must hold Host. Not signed are the headers that intermediaries
/// may change: Authorization, Connection, Expect, Transfer-Encoding, User-Agent, X-Amzn-Trace-Id.
struct subject {
    std::string_view method{};
    std::string_view path{};   ///< as on the request line
    std::string_view query{};  ///< as on the request line, without '?'
    const http::header_list& headers;
    std::string_view payload_hash{};
};

struct identity {
    std::string access_key_id{};
    secret secret_access_key{};
    secret session_token{};  ///< empty for long-lived keys
};

/// 20130524/us-east-1/s3/aws4_request
struct scope {
    std::string date{};
    std::string region{};
    std::string service{};

    std::string text() const;
    friend bool operator==(const scope&, const scope&) = default;
};

/// Every step, so that a refused signature can be compared with the server's.
struct signed_request {
    std::string canonical_request{};
    std::string string_to_sign{};
    std::string signature{};
    std::string signed_headers{};
    std::string authorization{};  ///< empty for a presigned query
    std::string query{};          ///< of a presigned request, signature included; else empty
};

inline constexpr std::string_view unsigned_payload = "UNSIGNED-PAYLOAD";
inline constexpr std::string_view empty_payload_hash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// "20130524T000000Z"; its first eight characters are the scope's date.
std::string format_stamp(time_source::wall when);

/// Sorted, decoded once and encoded again, `name` without value as `name=`.
std::string canonical_query(std::string_view query);

http::sha256_value derive_key(const secret& secret_access_key, const scope& of);

/// Derived keys of the last scope used. Single shard; one per secret.
class key_cache {
public:
    http::hmac_key& get(const secret& secret_access_key, const scope& of);

private:
    scope of_{};
    std::optional<http::hmac_key> key_{};
};

/// Signature in the Authorization header. The caller has put x-amz-date (equal to `stamp`), the
/// session token and, for S3, x-amz-content-sha256 into the headers.
signed_request sign_headers(const subject& what, const identity& who, std::string_view region,
                            std::string_view service, std::string_view stamp, path_rules rules,
                            key_cache& keys);

/// Signature in the query: all X-Amz- parameters are added to what.query here. For S3 the payload
/// hash is unsigned_payload.
signed_request presign(const subject& what, const identity& who, std::string_view region,
                       std::string_view service, std::string_view stamp, std::chrono::seconds expires,
                       path_rules rules, key_cache& keys);

}  // namespace firehose::storage::sigv4
