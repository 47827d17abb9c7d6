/// URLs that let others do one thing to one object for a while, without a key of their own.
#pragma once
#include "http/message.hpp"
#include "pipeline/error.hpp"
#include "pipeline/time_source.hpp"
#include "storage/s3_location.hpp"
#include "storage/sigv4.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firehose::storage {

struct presign_options {
    std::string method = "GET";          ///< GET, HEAD, PUT, POST or DELETE
    std::chrono::seconds expires{3600};  ///< 1 second to 7 days; a session token may end sooner
    http::header_list headers{};         ///< beside Host; whoever uses the URL must send the same
    /// Not encoded: {"response-content-type", "text/plain"}, {"uploadId", …}, {"versionId", …}.
    std::vector<std::pair<std::string, std::string>> query{};
};

/// The URL is a secret until it expires. Park: a method or a time that S3 does not take.
result<std::string> presign_s3(const sigv4::identity& who, const s3_location& at, std::string_view key,
                               const presign_options& how, time_source::wall now);

}  // namespace firehose::storage
