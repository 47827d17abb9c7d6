#pragma once
#include "pipeline/wait_queue.hpp"
#include <boost/asio/basic_waitable_timer.hpp>
#include <chrono>
#include <map>

namespace firehose {
/// All time comes from here: two clocks to read, one way to sleep.
class time_source {
public:
    using steady = std::chrono::steady_clock::time_point;
    using wall = std::chrono::system_clock::time_point;
    virtual ~time_source() = default;
    virtual steady now() const = 0;
    virtual wall wall_now() const = 0;
    virtual task<> sleep_until(steady when) = 0;
};

class real_time final : public time_source {
public:
    steady now() const override { return std::chrono::steady_clock::now(); }
    wall wall_now() const override { return std::chrono::system_clock::now(); }
    task<> sleep_until(steady when) override {
        using timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                                 asio::wait_traits<std::chrono::steady_clock>, executor>;
        auto ex = co_await asio::this_coro::executor;
        timer t(ex, when);
        co_await t.async_wait(use_task);
    }
};

}  // namespace firehose
