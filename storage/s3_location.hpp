/// Where a bucket is reached: AWS's own names for every partition, or a configured endpoint.
#pragma once
#include "http/url.hpp"
#include "pipeline/error.hpp"
#include "storage/credentials.hpp"
#include "storage/destination_settings.hpp"

#include <string>
#include <string_view>

namespace firehose::storage {

struct s3_location {
    http::authority to{};
    std::string base{};         ///< what comes before "/key": "/bucket" in path style, "" as a virtual host
    std::string region{};       ///< for the scope of the signature
    bool own_endpoint = false;  ///< configured; then a region changes the signature and not the host
};

/// Unless `style` says otherwise a configured endpoint is used in path style and AWS by virtual host, but in
/// path style when the bucket's name holds dots, which no wildcard certificate covers. A host that is a
/// number has no names below it, so virtual hosts are refused there.
result<s3_location> locate_s3(const credential& with, std::string_view bucket, std::string_view region,
                              addressing style = addressing::automatic);

/// The region of the credential, or the default.
std::string s3_region(const credential& with);

/// One of AWS's separate worlds: no key of one is known in another.
struct aws_partition {
    std::string_view name;    ///< as in ARNs: "aws", "aws-cn", …
    std::string_view prefix;  ///< of the names of its regions; empty: all that no other partition has
    std::string_view domain;
};

/// The partition of a region, "aws" for those it does not know. From the table that AWS's SDKs share,
/// partitions.json of botocore 1.43 and of smithy.
const aws_partition& aws_partition_of(std::string_view region) noexcept;

/// "amazonaws.com", "amazonaws.com.cn", …
std::string_view aws_domain(std::string_view region) noexcept;

/// Lower-case letters, digits and '-', at most 32: what may become part of a host name.
bool is_region(std::string_view text) noexcept;

/// What is wrong with a bucket's name; empty when nothing is. 3 to 63 characters, labels of lower-case
/// letters, digits and inner hyphens with single dots between them, not digits and dots alone.
std::string s3_bucket_problem(std::string_view bucket);

}  // namespace firehose::storage
