/// One question to a service that hands out credentials: sent as it is, no redirects, little time.
#pragma once
#include "http/url.hpp"
#include "storage/credential_provider.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace firehose::storage {

struct unsigned_call {
    http::authority to{};
    std::string method = "GET";
    std::string target{};
    http::header_list headers{};
    secret body{};
    std::chrono::milliseconds each{2'000};  ///< one attempt
    int attempts = 3;                       ///< in all
    /// What a refusal means; none: the status decides, and 404 stops.
    std::function<error(const http::response& r)> refusal{};
};

/// The body of a 200. Anything else is an error that names the place, the status and what refusal() says.
/// Connection failures, 429 and 5xx are tried again, after waits with full jitter, while there is time.
task<result<secret>> ask(const provider_parts& parts, unsigned_call what, time_source::steady deadline);

/// "https://host:port/path: 403 code: message": the one form of those errors.
error call_refused(const http::response& r, disposition what, std::string_view code,
                   std::string_view message);

}  // namespace firehose::storage
