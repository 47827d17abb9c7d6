/// What S3 finds wrong with a request before it looks for the object: who, when, and whether the bytes are
/// whole.
#pragma once
#include "tests/fakes/fake_s3.hpp"

#include <optional>
#include <string>

namespace firehose::fakes {

struct s3_refusal {
    int status = 0;
    std::string code{};
    std::string message{};
    std::string region{};  ///< the right one, when the signature is for another
};

/// The signature, in headers or in the query, of a request for a bucket in `region`; nothing: it is good.
/// `now` is the server's clock.
std::optional<s3_refusal> check_s3_signature(const fake_request& r,
                                             const std::map<std::string, s3_user, std::less<>>& users,
                                             const std::string& region, time_source::wall now);

/// The body against every hash and checksum that came with it.
std::optional<s3_refusal> check_s3_body(const fake_request& r);

/// The checksums in `headers` against a whole object; values with "-" are of parts and are passed over.
std::optional<s3_refusal> check_s3_checksums(const http::header_list& headers, const std::string& body);

/// The access key id that a request names, or "".
std::string s3_user_of(const fake_request& r);

}  // namespace firehose::fakes
