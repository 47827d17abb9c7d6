/// One large body into any store that takes parts: several at a time, failed ones again, all or nothing.
#pragma once
#include "http/retry.hpp"
#include "pipeline/stage.hpp"
#include "storage/destination_settings.hpp"
#include "storage/store.hpp"

#include <functional>
#include <string>

namespace firehose::storage {

struct multipart_options {
    part_settings parts{};
    http::backoff retries{};  ///< of each part, and of the completion
    /// The token of an upload that an earlier call left behind; empty: a new one. When it is gone there, a
    /// new one is begun.
    std::string resume{};
    /// Told the token as soon as there is an upload. Whoever listens means to resume: what fails with retry
    /// or slow_down, or is cancelled, is then left there instead of aborted.
    std::function<void(const std::string& token)> begun{};
};

/// Stores `body` in parts. The contract is put()'s: success is the whole object. The upload is aborted on
/// failure and cancellation, which waits for that, unless somebody means to resume it. The body's bytes are
/// read until the call returns or throws.
task<result<object_info>> upload_in_parts(store& to, context& x, const std::string& key, const payload& body,
                                          const put_options& how, time_source::steady deadline,
                                          const multipart_options& options);

}  // namespace firehose::storage
