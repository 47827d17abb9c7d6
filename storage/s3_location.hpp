/// Where a bucket is reached: AWS's own names for every partition, or a configured endpoint.
#pragma once
#include "http/url.hpp"
#include "pipeline/error.hpp"
#include "storage/credentials.hpp"

#include <string>
#include <string_view>

namespace firehose::storage {

struct s3_location {
    http::authority to{};
    std::string base{};         ///< what comes before "/key": "/bucket" in path style, "" as a virtual host
    std::string region{};       ///< for the scope of the signature
    bool own_endpoint = false;  ///< configured; then a region changes the signature and not the host
};

/// A configured endpoint is used in path style. AWS is addressed by virtual host, but in path style
/// when the bucket's name holds dots, which no wildcard certificate covers.
result<s3_location> locate_s3(const credential& with, std::string_view bucket, std::string_view region);

/// The region of the credential, or the default.
std::string s3_region(const credential& with);

/// "amazonaws.com", "amazonaws.com.cn", …
std::string_view aws_domain(std::string_view region) noexcept;

/// Lower-case letters, digits and '-', at most 32: what may become part of a host name.
bool is_region(std::string_view text) noexcept;

/// What is wrong with a bucket's name; empty when nothing is. 3 to 63 characters, labels of lower-case
/// letters, digits and inner hyphens with single dots between them, not digits and dots alone.
std::string s3_bucket_problem(std::string_view bucket);

}  // namespace firehose::storage
