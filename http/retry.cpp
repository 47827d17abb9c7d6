#include "http/retry.hpp"

#include "pipeline/backoff.hpp"

#include <algorithm>

namespace firehose::http {

std::optional<std::chrono::milliseconds> next_wait(const error& why, const request& req, int attempt,
                                                   double uniform, const backoff& how) {
    const bool passing = why.what() == disposition::retry || why.what() == disposition::slow_down;
    if (!passing || !req.idempotent || attempt >= how.attempts) return std::nullopt;
    auto wait = full_jitter(how.base, how.cap, static_cast<unsigned>(attempt - 1), uniform);
    if (why.retry_after()) wait = std::max(wait, *why.retry_after());
    return wait;
}

task<result<response>> retrying::send(request& req, time_source::steady deadline) {
    unsigned paid = 0;
    for (int attempt = 1;; ++attempt) {
        auto answer = co_await next_.send(req, deadline);
        if (answer.has_value()) {
            budget_.succeeded(paid);
            co_return answer;
        }
        const auto wait = next_wait(answer.error(), req, attempt, random_.uniform(), how_);
        if (!wait) co_return answer;
        const auto wake = time_.now() + *wait;
        if (wake >= deadline) co_return answer;
        const auto cost = budget_.take(answer.error());
        if (!cost) co_return answer;
        paid = *cost;
        co_await time_.sleep_until(wake);
    }
}

}  // namespace firehose::http
