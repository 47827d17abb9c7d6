#include "http/retry.hpp"

#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
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

BOOST_AUTO_TEST_SUITE_END()
