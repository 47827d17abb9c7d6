#include "pipeline/fan_out.hpp"

#include <algorithm>
#include <stdexcept>

namespace firehose::detail {

void branch_health::started(context& x) {
    if (failures > 0) {
        ++x.count["fan_out.restarts"];
        x.log.info("branch restarted", {{"branch", number}, {"failures", failures}});
    }
    down = false;
    started_at = x.time.now();
}

void branch_health::failed(const std::exception_ptr& why, const fan_out_options& options, context& x) {
    const auto now = x.time.now();
    const bool was_healthy = now - started_at >= options.healthy_after;
    failures = was_healthy ? 1 : failures + 1;
    down = true;
    ++x.count["fan_out.failures"];
    const std::string reason = why ? describe(why) : "the branch returned before its input ended";
    x.log.error("branch failed", {{"branch", number}, {"failures", failures}, {"reason", reason}});
    if (failures > options.restarts) {
        if (why) std::rethrow_exception(why);
        throw std::runtime_error(reason);
    }
    const unsigned doublings = std::min(failures - 1, 20U);
    const std::chrono::milliseconds doubled = options.backoff * (1LL << doublings);
    const auto ceiling = std::min(doubled, options.longest_backoff);
    // Between half and the whole: never at once, and never in step with others.
    const std::chrono::duration<double, std::milli> wait = ceiling * (0.5 + 0.5 * x.random.uniform());
    restart_at = now + std::chrono::duration_cast<std::chrono::nanoseconds>(wait);
}

}  // namespace firehose::detail
