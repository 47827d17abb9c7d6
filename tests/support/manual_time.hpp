/// Virtual time: moves when the test says so, and jumps from sleeper to sleeper.
#pragma once
#include "pipeline/time_source.hpp"
#include "pipeline/wait_queue.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <utility>

namespace firehose {

/// Single shard. Wall and steady time move together; the wall starts at 2026-01-01T00:00:00Z unless
/// told otherwise. Sleepers that were cancelled do not hold time back.
class manual_time final : public time_source {
public:
    static constexpr wall default_start = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);

    explicit manual_time(executor ex, wall start = default_start)
        : ex_(std::move(ex)), wall_offset_(start.time_since_epoch() - now_.time_since_epoch()) {}

    steady now() const override { return now_; }
    wall wall_now() const override {
        return wall(duration_cast<wall::duration>(now_.time_since_epoch() + wall_offset_));
    }

    task<> sleep_until(steady when) override {
        if (when <= now_) co_return;
        auto& slot = sleepers_[when];
        if (!slot) slot = std::make_shared<wait_queue>(ex_);
        auto q = slot;
        co_await q->async_wait(use_task);
    }

    /// Jumps to the next sleeper and wakes it. False when nobody sleeps (one that sleeps until
    /// steady::max() sleeps for ever).
    bool advance_to_next() {
        while (!sleepers_.empty() && sleepers_.begin()->first != steady::max()) {
            auto node = sleepers_.extract(sleepers_.begin());
            if (node.mapped()->empty()) continue;  // cancelled
            now_ = std::max(now_, node.key());
            node.mapped()->wake_all();
            return true;
        }
        return false;
    }
    /// Moves by exactly `d`; wakes everybody whose time has come.
    void advance(std::chrono::nanoseconds d) {
        const steady target = now_ + d;
        while (!sleepers_.empty() && sleepers_.begin()->first <= target) {
            auto node = sleepers_.extract(sleepers_.begin());
            node.mapped()->wake_all();
        }
        now_ = target;
    }
    /// Moves the wall alone, as an operator or NTP does.
    void set_wall(wall to) { wall_offset_ = to.time_since_epoch() - now_.time_since_epoch(); }

private:
    executor ex_;
    steady now_{std::chrono::hours(1000)};
    std::chrono::nanoseconds wall_offset_;
    std::map<steady, std::shared_ptr<wait_queue>> sleepers_;
};

}  // namespace firehose
