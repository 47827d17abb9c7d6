#include "pipeline/stop.hpp"

namespace firehose {

void stop_state::request_drain() {
    if (phase_ != phase::running) return;
    phase_ = phase::draining;
    changed_.wake_all();
}

void stop_state::request_cancel() {
    if (phase_ == phase::cancelling) return;
    phase_ = phase::cancelling;
    changed_.wake_all();
}

task<> stop_state::wait_for_drain() {
    while (!draining()) co_await changed_.async_wait(use_task);
}

task<> stop_state::wait_for_cancel() {
    while (!cancelling()) co_await changed_.async_wait(use_task);
}

}  // namespace firehose
