/// All time comes from here: two clocks to read, one way to sleep.
#pragma once
#include "pipeline/task.hpp"

#include <chrono>

namespace firehose {

/// Deadlines are points of `steady`; `wall` is for signatures, names and logs. Single shard, except
/// that reading real_time's clocks is safe anywhere. Outlives the sleepers.
class time_source {
public:
    using steady = std::chrono::steady_clock::time_point;
    using wall = std::chrono::system_clock::time_point;
    virtual ~time_source() = default;
    virtual steady now() const = 0;
    virtual wall wall_now() const = 0;
    /// Returns at `when` or later, at once if it is past. May be cancelled; leaves nothing behind.
    virtual task<> sleep_until(steady when) = 0;
};

/// The system's clocks and a timer of the awaiting coroutine's context.
class real_time final : public time_source {
public:
    steady now() const override;
    wall wall_now() const override;
    task<> sleep_until(steady when) override;
};

}  // namespace firehose
