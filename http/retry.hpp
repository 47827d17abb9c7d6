/// A transport that tries again: full jitter, Retry-After as a floor, within a budget and the deadline.
#pragma once
#include "http/retry_budget.hpp"
#include "http/transport.hpp"
#include "pipeline/randomness.hpp"

#include <chrono>
#include <optional>

namespace firehose::http {

struct backoff {
    std::chrono::milliseconds base{100};    ///< ceiling of the first wait; doubles with each
    std::chrono::milliseconds cap{20'000};  ///< ceiling of any wait
    int attempts = 3;                       ///< in all, the first included
    retry_costs costs{};
};

/// How long to wait after attempt number `attempt` (from 1) failed with `why`; nothing: give up.
/// `uniform` lies in [0, 1).
std::optional<std::chrono::milliseconds> next_wait(const error& why, const request& req, int attempt,
                                                   double uniform, const backoff& how);

/// Repeats idempotent requests whose error says retry or slow_down. When the next attempt could not
/// begin before the deadline, or the budget is spent, the last error is returned at once. One per
/// destination, whose budget all calls share.
class retrying final : public transport {
public:
    retrying(transport& next, time_source& time, randomness& random, backoff how)
        : next_(next), time_(time), random_(random), how_(how), budget_(how.costs) {}

    task<result<response>> send(request& req, time_source::steady deadline) override;
    const retry_budget& budget() const noexcept { return budget_; }

private:
    transport& next_;
    time_source& time_;
    randomness& random_;
    backoff how_;
    retry_budget budget_;
};

}  // namespace firehose::http
