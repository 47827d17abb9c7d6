#include "pipeline/time_source.hpp"

#include <boost/asio/basic_waitable_timer.hpp>

namespace firehose {

time_source::steady real_time::now() const { return std::chrono::steady_clock::now(); }

time_source::wall real_time::wall_now() const { return std::chrono::system_clock::now(); }

task<> real_time::sleep_until(steady when) {
    using clock_type = std::chrono::steady_clock;
    using timer = asio::basic_waitable_timer<clock_type, asio::wait_traits<clock_type>, executor>;
    auto ex = co_await asio::this_coro::executor;
    timer alarm(ex, when);
    co_await alarm.async_wait(use_task);
}

}  // namespace firehose
