/// What a client takes: the Accept header, against one media type (RFC 9110, 12.5.1).
#pragma once
#include "http/message.hpp"

#include <string_view>

namespace firehose::http {

/// `type` is one such as "application/json". The most specific range that covers it decides; one with q=0
/// refuses it. No Accept at all takes everything. Parameters other than q are not looked at, and what is
/// malformed covers nothing.
bool accepts(const header_list& headers, std::string_view type);

}  // namespace firehose::http
