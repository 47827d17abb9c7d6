#include "http/limiter.hpp"

#include <algorithm>

namespace firehose::http {

limiter::limiter(context& shard, limiter_options how)
    : shard_(shard),
      how_(how),
      limit_(std::clamp(how.start, how.least, how.most)),
      cuts_(shard.count["http_limit_cuts"]),
      waits_(shard.count["http_limit_waits"]) {}

std::optional<limiter::permit> limiter::try_enter() {
    if (running_ >= limit_ || !line_.empty()) return std::nullopt;
    return take();
}

task<result<limiter::permit>> limiter::enter(time_source::steady deadline) {
    turn mine(*this);
    ++waits_;
    while (!mine.has_come()) {
        if (shard_.time.now() >= deadline)
            co_return error(disposition::retry, "the time for the request ended while it waited for the " +
                                                    std::to_string(running_) +
                                                    " others that the destination takes at once");
        auto bounded = wait_until(mine, deadline);
        co_await std::move(bounded);
    }
    co_return take();
}

/// In a scope of its own, whose other child is the alarm.
task<> limiter::wait_until(turn& mine, time_source::steady deadline) {
    return with_scope(shard_.ex, [this, &mine, deadline](task_scope& s) {
        if (deadline != time_source::steady::max()) s.spawn(ring(mine, deadline));
        return wait_in_line(mine, deadline, s);
    });
}

task<> limiter::wait_in_line(turn& mine, time_source::steady deadline, task_scope& s) {
    while (!mine.has_come() && shard_.time.now() < deadline) co_await mine.woken.async_wait(use_task);
    s.cancel();
}

task<> limiter::ring(turn& mine, time_source::steady deadline) {
    co_await shard_.time.sleep_until(deadline);
    mine.woken.wake_all();
}

limiter::permit limiter::take() {
    peak_ = std::max(peak_, ++running_);
    return {this, generation_};
}

void limiter::leave() {
    --running_;
    wake_next();
}

void limiter::wake_next() {
    if (running_ < limit_ && !line_.empty()) line_.front().woken.wake_one();
}

void limiter::grow(std::uint64_t generation) {
    // A limit that nobody reaches proves nothing, and must not drift away from what was proved.
    const bool bound = running_ >= limit_ || !line_.empty();
    if (generation != generation_ || !bound || limit_ >= how_.most) return;
    if (++successes_ < limit_) return;
    successes_ = 0;
    ++limit_;
    wake_next();
}

void limiter::cut(std::uint64_t generation) {
    if (generation != generation_) return;
    limit_ = std::max(how_.least, std::min(limit_, peak_) / 2);
    peak_ = running_;
    successes_ = 0;
    ++generation_;
    ++cuts_;
}

task<result<response>> limiting::send(request& req, time_source::steady deadline) {
    auto mine = limiter_.try_enter();
    if (!mine) {
        auto waited = co_await limiter_.enter(deadline);
        if (!waited.has_value()) co_return waited.error();
        mine.emplace(std::move(*waited));
    }
    auto answer = co_await next_.send(req, deadline);
    if (answer.has_value()) {
        mine->succeeded();
    } else if (answer.error().what() == disposition::slow_down) {
        mine->told_to_slow_down();
    }
    co_return answer;
}

}  // namespace firehose::http
