/// Reading an object in ranges that fit into one answer each, all of them of one version.
#pragma once
#include "http/message.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace firehose::storage {

/// GET of the bytes first to last of an object, if it still has that ETag (empty: any). Success is an answer
/// of 200 or 206.
using range_call = std::function<task<result<http::response>>(std::uint64_t first, std::uint64_t last,
                                                              const std::string& etag)>;

/// The headers of such a call, the same for S3 and Azure.
void ask_for_range(http::request& req, std::uint64_t first, std::uint64_t last, const std::string& etag);

/// What of `which` there is; info.key is the caller's to fill in. Nothing: no byte of the object lies in the
/// range, so that its size has to be asked for by other means. Errors are those of the calls, except for 412,
/// which becomes retry: the object was replaced meanwhile.
task<result<std::optional<object_body>>> get_ranges(range_call ask, byte_range which);

}  // namespace firehose::storage
