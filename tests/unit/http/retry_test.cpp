#include "http/retry.hpp"

#include "tests/support/shard_fixture.hpp"

#include <boost/asio/error.hpp>
#include <boost/test/unit_test.hpp>

#include <deque>
#include <iostream>
#include <vector>

using namespace firehose;
using namespace std::chrono_literals;

namespace {

/// Fails as told, then succeeds; notes when it was called.
class scripted final : public http::transport {
public:
    explicit scripted(time_source& time) : time_(time), began_(time.now()) {}
    std::deque<error> failures{};
    std::vector<std::chrono::milliseconds> calls{};

    task<result<http::response>> send(http::request&, time_source::steady) override {
        calls.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(time_.now() - began_));
        if (failures.empty()) co_return http::response{200, {}, {}, false};
        error next = failures.front();
        failures.pop_front();
        co_return next;
    }

private:
    time_source& time_;
    time_source::steady began_;
};

class constant final : public randomness {
public:
    explicit constant(double value) : value_(value) {}
    double uniform() override { return value_; }
    void fill(std::span<std::byte>) override {}

private:
    double value_;
};

error failure(disposition what, std::optional<std::chrono::milliseconds> after = {}) {
    error_details d;
    d.context = "told to fail";
    d.retry_after = after;
    return {what, std::move(d)};
}

struct retry_fixture : shard_fixture {
    scripted below{time};
    constant full{1.0};
    http::backoff how{100ms, 20'000ms, 10};
    bool succeeded = false;

    task<> send(time_source::steady deadline, bool idempotent) {
        http::retrying layer(below, time, full, how);
        http::request req;
        req.idempotent = idempotent;
        auto answer = co_await layer.send(req, deadline);
        succeeded = answer.has_value();
    }
    std::vector<std::chrono::milliseconds> attempts(std::chrono::milliseconds limit = 1h,
                                                    bool idempotent = true) {
        run(send(time.now() + limit, idempotent));
        return below.calls;
    }
};

using times = std::vector<std::chrono::milliseconds>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(retry, retry_fixture)

BOOST_AUTO_TEST_CASE(waits_double_and_retry_after_is_a_floor) {
    for (int i = 0; i < 3; ++i) below.failures.push_back(failure(disposition::retry));
    below.failures.push_back(failure(disposition::slow_down, 5000ms));
    const times expected = {0ms, 100ms, 300ms, 700ms, 5700ms};
    BOOST_TEST((attempts() == expected));
    BOOST_TEST(succeeded);
}

BOOST_AUTO_TEST_CASE(a_short_retry_after_does_not_shorten_the_wait) {
    below.failures.push_back(failure(disposition::retry, 1ms));
    BOOST_TEST((attempts() == times{0ms, 100ms}));
}

BOOST_AUTO_TEST_CASE(jitter_scales_the_wait) {
    full = constant(0.25);
    for (int i = 0; i < 2; ++i) below.failures.push_back(failure(disposition::retry));
    BOOST_TEST((attempts() == times{0ms, 25ms, 75ms}));
}

BOOST_AUTO_TEST_CASE(waits_are_capped) {
    how = {100ms, 150ms, 10};
    for (int i = 0; i < 4; ++i) below.failures.push_back(failure(disposition::retry));
    BOOST_TEST((attempts() == times{0ms, 100ms, 250ms, 400ms, 550ms}));
}

BOOST_AUTO_TEST_CASE(attempts_are_counted) {
    how.attempts = 3;
    for (int i = 0; i < 9; ++i) below.failures.push_back(failure(disposition::retry));
    BOOST_TEST((attempts() == times{0ms, 100ms, 300ms}));
    BOOST_TEST(!succeeded);
}

BOOST_AUTO_TEST_CASE(never_past_the_deadline) {
    for (int i = 0; i < 9; ++i) below.failures.push_back(failure(disposition::retry));
    BOOST_TEST((attempts(300ms) == times{0ms, 100ms}));         // the third would begin at 300 ms: too late
    BOOST_TEST((time.now().time_since_epoch() % 1h == 100ms));  // and nobody waits for nothing
}

BOOST_AUTO_TEST_CASE(a_retry_after_beyond_the_deadline_ends_it_at_once) {
    below.failures.push_back(failure(disposition::retry, 10min));
    BOOST_TEST((attempts(1min) == times{0ms}));
}

BOOST_AUTO_TEST_CASE(only_what_may_pass_is_tried_again) {
    for (const auto what : {disposition::stop, disposition::park}) {
        below.calls.clear();
        below.failures.assign(1, failure(what));
        BOOST_TEST(attempts().size() == 1U);
    }
}

BOOST_AUTO_TEST_CASE(what_must_not_happen_twice_is_not_tried_again) {
    below.failures.push_back(failure(disposition::retry));
    BOOST_TEST(attempts(1h, false).size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_budget_pays_for_retries_and_successes_refill_it) {
    http::retry_budget budget;
    const auto late = [] {
        error_details d;
        d.code = asio::error::timed_out;
        return error(disposition::retry, std::move(d));
    }();
    BOOST_TEST(budget.left() == 500U);
    BOOST_TEST(*budget.take(failure(disposition::retry)) == 5U);
    BOOST_TEST(*budget.take(late) == 10U);
    BOOST_TEST(budget.left() == 485U);
    budget.succeeded(10);  // what the retry had cost
    budget.succeeded(0);
    BOOST_TEST(budget.left() == 496U);
    for (int i = 0; i < 99; ++i) BOOST_TEST(budget.take(failure(disposition::slow_down)).has_value());
    BOOST_TEST(budget.left() == 1U);
    BOOST_TEST(!budget.take(failure(disposition::retry)).has_value());
    for (int i = 0; i < 6; ++i) budget.succeeded(0);
    BOOST_TEST(!budget.take(late).has_value());
    BOOST_TEST(budget.take(failure(disposition::retry)).has_value());
    for (int i = 0; i < 1000; ++i) budget.succeeded(0);
    BOOST_TEST(budget.left() == 500U);
}

BOOST_AUTO_TEST_CASE(a_spent_budget_makes_the_first_error_final_without_waiting) {
    how.costs.tokens = 14;
    for (int i = 0; i < 9; ++i) below.failures.push_back(failure(disposition::retry));
    BOOST_TEST((attempts() == times{0ms, 100ms, 300ms}));  // 5, 5, and 4 are too few
    BOOST_TEST(!succeeded);
    BOOST_TEST((time.now().time_since_epoch() % 1h == 300ms));
}

/// Fails always, 50 ms after it was asked.
class broken final : public http::transport {
public:
    explicit broken(time_source& time) : time_(time) {}
    std::size_t requests = 0;

    task<result<http::response>> send(http::request&, time_source::steady) override {
        ++requests;
        co_await time_.sleep_until(time_.now() + 50ms);
        co_return failure(disposition::retry);
    }

private:
    time_source& time_;
};

/// Sends one call a second, as long as told.
task<> one_a_second(http::transport& through, time_source& time, time_source::steady end,
                    std::size_t& calls) {
    for (auto next = time.now(); next < end; next += 1s) {
        co_await time.sleep_until(next);
        ++calls;
        http::request req;
        auto answer = co_await through.send(req, next + 900ms);
        BOOST_TEST(!answer.has_value());
    }
}

/// Requests per call, the first minute and the five after it.
std::pair<double, double> storm(shard_fixture& shard, http::retry_costs costs) {
    broken below(shard.time);
    http::retrying layer(below, shard.time, shard.random, {100ms, 20'000ms, 3, costs});
    std::size_t calls = 0;
    const auto began = shard.time.now();
    std::vector<started_task> callers;
    for (int i = 0; i < 64; ++i)
        callers.push_back(shard.start(one_a_second(layer, shard.time, began + 6min, calls)));
    while (shard.time.now() < began + 1min && (shard.settle() || shard.time.advance_to_next())) {}
    const auto first_calls = calls, first_requests = below.requests;
    for (auto& c : callers) shard.finish(c);
    return {static_cast<double>(first_requests) / static_cast<double>(first_calls),
            static_cast<double>(below.requests - first_requests) / static_cast<double>(calls - first_calls)};
}

BOOST_AUTO_TEST_CASE(a_destination_that_fails_for_minutes_gets_no_storm_of_retries) {
    const auto [first, later] = storm(*this, {});
    http::retry_costs unbounded;
    unbounded.retry = 0;
    const auto [worse, still_worse] = storm(*this, unbounded);
    std::cout << "retry storm, all fail, 64 calls a second for 6 minutes: requests per call " << first
              << " in the first minute, " << later << " after it (without the budget " << worse << " and "
              << still_worse << ")\n";
    BOOST_TEST(first < 1.05);
    BOOST_TEST(later == 1.0);
    BOOST_TEST(still_worse > 2.9);
}

BOOST_AUTO_TEST_SUITE_END()
