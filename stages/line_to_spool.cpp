#include "stages/line_to_spool.hpp"

#include <boost/asio/redirect_error.hpp>

#include <utility>

namespace firehose::stages {

void line_to_spool::spool(delivery_job job, error why) {
    bytes_ += job.bytes();
    job.because(std::move(why));
    spilled_.push_back(std::move(job));
    changed_.wake_all();
}

void line_to_spool::park(delivery_job job, error why) {
    bytes_ += job.bytes();
    job.because(std::move(why));
    parked_.push_back(std::move(job));
    changed_.wake_all();
}

void line_to_spool::close() {
    closed_ = true;
    changed_.wake_all();
}

task<> line_to_spool::work() {
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!closed_ || !empty()) {
        if (empty()) {
            error_code interrupted;
            auto quiet = asio::redirect_error(use_task, interrupted);
            co_await changed_.async_wait(quiet);
            continue;
        }
        co_await pause();
        co_await flush();
    }
}

/// A sync of the disk costs the same for one event as for many, and what can be delivered goes first.
task<> line_to_spool::pause() {
    const auto& how = shared_.options();
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool hurried = closed_ || state.cancelled() != asio::cancellation_type::none;
    if (hurried || bytes_ >= how.spool_gather_bytes) co_return;
    auto& time = shared_.shard().time;
    const auto until = time.now() + how.spool_gather;
    try {
        co_await time.sleep_until(until);
    } catch (const boost::system::system_error& e) {
        if (e.code() != asio::error::operation_aborted) throw;
    }
}

task<> line_to_spool::flush() {
    const auto taken = bytes_;
    auto hopeless = std::exchange(parked_, {});
    auto later = std::exchange(spilled_, {});
    if (!hopeless.empty()) co_await park_jobs(shared_, hopeless);
    if (!later.empty()) co_await spool_jobs(shared_, later);
    bytes_ -= taken;
    changed_.wake_all();
}

}  // namespace firehose::stages
