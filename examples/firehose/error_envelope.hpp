/// Errors as the event stream API writes them: an envelope with a code, and the request's id to ask about.
#pragma once
#include "http/exchange.hpp"

#include <string>
#include <string_view>

namespace firehose::app {

inline constexpr std::string_view error_catalogue_path = "/docs/errors";

/// Where this server is, as its clients know it: `public_url` when it is not empty, else from the Host
/// header.
std::string base_url(const http::request_head& head, const std::string& public_url);

/// {"errors":[{"error":{"code","message","details"},"meta":{…}}],"meta":{…}} for paths below /v3. Links begin
/// with base_url().
http::error_writer error_envelope(std::string public_url);

/// What the codes mean, as text for people: where the envelope's links lead.
std::string error_catalogue();

}  // namespace firehose::app
