/// Bounds the retries of a destination in trouble: a bucket that retries empty and successes fill.
#pragma once
#include "pipeline/error.hpp"

#include <optional>

namespace firehose::http {

/// The figures of AWS' own clients ("standard" retry mode).
struct retry_costs {
    unsigned tokens = 500;              ///< to begin with, and at most
    unsigned retry = 5;                 ///< taken for each retry
    unsigned retry_after_timeout = 10;  ///< instead, when the attempt before ran out of time
    unsigned success = 1;               ///< given back by a call that needed no retry
};

/// One per destination. While most calls succeed it never runs dry; when all fail, the load on the
/// destination falls to one attempt per call after 100 retries, and rises again only with successes.
/// No clock. Single shard.
class retry_budget {
public:
    explicit retry_budget(retry_costs costs) : costs_(costs), left_(costs.tokens) {}
    retry_budget() : retry_budget(retry_costs()) {}

    /// Takes what a retry after `why` costs and says how much that was; nothing: there is too little
    /// left, the error is to be final.
    std::optional<unsigned> take(const error& why) noexcept;

    /// A call succeeded. `paid` is what its last retry cost, which it gets back; 0: it needed none.
    void succeeded(unsigned paid) noexcept;

    unsigned left() const noexcept { return left_; }

private:
    retry_costs costs_;
    unsigned left_;
};

}  // namespace firehose::http
