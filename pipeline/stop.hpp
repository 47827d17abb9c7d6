/// The two phases of stopping: drain (finish what is in hand), then cancel (abandon it).
#pragma once
#include "pipeline/wait_queue.hpp"

namespace firehose {

/// One per shard; no call may come from another thread. Phases only move forward.
class stop_state {
public:
    explicit stop_state(executor ex) : changed_(std::move(ex)) {}

    /// Sources end at their next opportunity; everything downstream finishes or spools.
    void request_drain();
    /// Terminal: what is still running is cancelled by whoever owns the scope.
    void request_cancel();

    bool draining() const noexcept { return phase_ != phase::running; }
    bool cancelling() const noexcept { return phase_ == phase::cancelling; }

    /// Returns once draining() is true. May be cancelled; leaves nothing behind.
    task<> wait_for_drain();
    /// Returns once cancelling() is true. May be cancelled; leaves nothing behind.
    task<> wait_for_cancel();

private:
    enum class phase { running, draining, cancelling };
    phase phase_ = phase::running;
    wait_queue changed_;
};

}  // namespace firehose
