/// How fast records leave a destination's spool: measured by who sends them, read by who looks.
#pragma once
#include "pipeline/error.hpp"
#include "pipeline/time_source.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firehose::stages {

/// Counts over windows of some seconds and smooths between them.
class drain_meter {
public:
    static constexpr std::string_view file_name = "drain.json";
    static constexpr std::chrono::seconds window{5};
    /// A rate that is older says nothing any more.
    static constexpr std::chrono::seconds valid{60};

    /// One more. True when a window has ended and there is news to tell.
    bool delivered(time_source::steady now);
    /// Records a second; 0 when nothing was delivered lately.
    double rate(time_source::steady now) const;

    /// {"at": seconds since 1970, "per_second": rate}
    std::string to_json(time_source::wall now) const;
    /// The rate that text tells, 0 if it is no such text or too old.
    static double from_json(std::string_view text, time_source::wall now);

private:
    std::optional<time_source::steady> begun_{};  // of this window
    time_source::steady told_{};
    std::uint64_t count_ = 0;
    double rate_ = 0;
};

}  // namespace firehose::stages
