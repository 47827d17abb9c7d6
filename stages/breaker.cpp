#include "stages/breaker.hpp"

#include "pipeline/backoff.hpp"

#include <algorithm>

namespace firehose::stages {

breaker::admission breaker::admit(time_source::steady now) {
    if (state_ == state::closed) return admission::go;
    if (state_ == state::open) {
        if (now < probe_at_) return admission::refuse;
        state_ = state::half_open;
    }
    if (probing_) return admission::wait;
    probing_ = true;
    return admission::go;
}

void breaker::succeeded() {
    state_ = state::closed;
    failures_ = 0;
    openings_ = 0;
    probing_ = false;
    reason_.reset();
}

void breaker::failed(const error& why, time_source::steady now) {
    // An answer about one event says the destination is well.
    if (why.what() == disposition::park) return succeeded();
    ++failures_;
    const bool hopeless = why.what() == disposition::stop;
    // Attempts that were under way when the breaker opened say nothing new.
    if (state_ == state::open) return;
    if (state_ == state::half_open || hopeless || failures_ >= how_.failures) open(why, now);
}

void breaker::abandoned() {
    probing_ = false;
    // Half-open means that a probe is under way, and others wait for it; the next one is due already.
    if (state_ == state::half_open) state_ = state::open;
}

void breaker::probe_now() noexcept { probe_at_ = time_source::steady::min(); }

void breaker::open(const error& why, time_source::steady now) {
    auto pause = full_jitter(how_.base, how_.cap, openings_, uniform_());
    if (why.what() == disposition::stop) pause = std::max(pause, how_.after_stop);
    if (why.retry_after()) pause = std::max(pause, *why.retry_after());
    ++openings_;
    state_ = state::open;
    probing_ = false;
    probe_at_ = now + pause;
    reason_ = why;
}

}  // namespace firehose::stages
