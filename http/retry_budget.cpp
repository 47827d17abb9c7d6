#include "http/retry_budget.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>

namespace firehose::http {

std::optional<unsigned> retry_budget::take(const error& why) noexcept {
    const bool late = why.code() == boost::asio::error::timed_out;
    const unsigned cost = late ? costs_.retry_after_timeout : costs_.retry;
    if (cost > left_) return std::nullopt;
    left_ -= cost;
    return cost;
}

void retry_budget::succeeded(unsigned paid) noexcept {
    left_ = std::min(costs_.tokens, left_ + (paid > 0 ? paid : costs_.success));
}

}  // namespace firehose::http
