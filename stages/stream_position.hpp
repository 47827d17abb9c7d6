/// Positions of the event stream as its clients see them: opaque, checked, of one resource.
#pragma once
#include "stages/log_block.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace firehose::stages {

/// Whose stream a position belongs to; it means nothing in another.
struct stream_name {
    std::string_view account{};
    std::string_view resource{};
};

/// 28 characters of base64url (RFC 4648, no padding): version (1 byte), the place in the log of the next
/// event to read (8), a tag of the stream (4), and a check value over all of it (8). Stable: clients keep
/// them for days.
std::string encode_stream_position(log_position at, const stream_name& of);

/// Takes `=` at the end, which clients that know base64 add. Nothing for any other text than
/// encode_stream_position() makes for this stream; why, in words, goes to `problem`.
std::optional<log_position> decode_stream_position(std::string_view text, const stream_name& of,
                                                   std::string& problem);

}  // namespace firehose::stages
