/// The request line and headers as they go over the wire. Internal to http: not installed.
#pragma once
#include "http/message.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace firehose::http {

/// Whether the body waits for the server's "100 Continue".
enum class body_goes : std::uint8_t { at_once, on_leave };

/// Replaces what is in `out`, whose memory is used again. False when something in the request could be
/// taken for the end of a line or of a word: such a request must not be sent.
bool write_head(std::string& out, const request& req, std::string_view user_agent, body_goes when);

}  // namespace firehose::http
