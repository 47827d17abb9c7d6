/// How many requests a second each token may make.
#pragma once
#include "examples/firehose/server_settings.hpp"
#include "pipeline/time_source.hpp"

#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace firehose::app {

/// A bucket for each token, that of all who have none included, which holds `burst` requests and fills at
/// `per_second`. Shared by all shards, whose clocks are the same: a bucket is one number, the time at which
/// it is full again.
class request_rate {
public:
    /// 0 per second: as many as anybody likes.
    request_rate(const std::vector<token_entry>& tokens, unsigned per_second, unsigned burst);

    /// Takes one request from the bucket of that token's name; or says how long until there is one.
    std::optional<std::chrono::nanoseconds> take(std::string_view user, time_source::steady now) noexcept;

private:
    using full_at = std::atomic<std::chrono::nanoseconds::rep>;
    std::chrono::nanoseconds each_{};
    std::chrono::nanoseconds most_{};
    full_at others_{0};
    std::map<std::string, full_at, std::less<>> tokens_{};
};

}  // namespace firehose::app
