/// One large body into any store that takes parts: several at a time, failed ones again, all or nothing.
#pragma once
#include "http/retry.hpp"
#include "pipeline/semaphore.hpp"
#include "pipeline/stage.hpp"
#include "storage/destination_settings.hpp"
#include "storage/store.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace firehose::storage {

/// A large body that is read part by part.
class part_source {
public:
    struct part {
        payload bytes{};
        std::shared_ptr<const void> backing{};  ///< what the bytes lie in; null when somebody else keeps them
        permit room{};                          ///< given back with the part
    };

    virtual ~part_source() = default;
    virtual std::uint64_t size() const noexcept = 0;
    /// A range inside the body.
    virtual task<result<part>> read(byte_range which) = 0;
};

struct multipart_options {
    part_settings parts{};
    http::backoff retries{};  ///< of each part, and of the completion
    /// The token of an upload that an earlier call left behind; empty: a new one. When it is gone there, a
    /// new one is begun.
    std::string resume{};
    /// Told the token as soon as there is an upload. Whoever listens means to resume: what fails with retry
    /// or slow_down, or is cancelled, is then left there instead of aborted.
    std::function<void(const std::string& token)> begun{};
    /// Bounds each request, and each pause, for itself, beside the deadline of the whole: large bodies take
    /// as long as they take.
    std::optional<std::chrono::milliseconds> request_timeout{};
    /// Told of every answer, whatever it is.
    std::function<void()> answered{};
};

/// An upload with its first parts, which were sent before the rest of the body was there.
struct begun_upload {
    std::unique_ptr<multipart> upload{};
    std::uint64_t part_size = 0;
    int parts = 0;  ///< 1 to `parts` are there, all of part_size
};

/// Stores `body` in parts. The contract is put()'s: success is the whole object. The upload is aborted on
/// failure and cancellation, which waits for that, unless somebody means to resume it. The body's bytes are
/// read until the call returns or throws.
task<result<object_info>> upload_in_parts(store& to, context& x, const std::string& key, const payload& body,
                                          const put_options& how, time_source::steady deadline,
                                          const multipart_options& options);

/// The same of a body that is read as it is sent, in_flight parts at a time. A part that cannot be read fails
/// the upload with that error. Goes on with `so_far`, if there is an upload in it, with parts of its
/// size.
task<result<object_info>> upload_in_parts(store& to, context& x, const std::string& key, part_source& body,
                                          const put_options& how, time_source::steady deadline,
                                          const multipart_options& options, begun_upload so_far);

}  // namespace firehose::storage
