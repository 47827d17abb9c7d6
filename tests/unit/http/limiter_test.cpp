#include "http/limiter.hpp"

#include "http/retry.hpp"
#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <iostream>
#include <vector>

using namespace firehose;
using namespace std::chrono_literals;

namespace {

/// A destination in virtual time: each request takes `latency`, and `judge` decides when it comes.
class destination final : public http::transport {
public:
    explicit destination(shard_fixture& shard) : shard_(shard), began_(shard.time.now()) {}
    std::chrono::milliseconds latency{100};
    std::function<std::optional<disposition>(std::size_t at_once)> judge = [](std::size_t) {
        return std::nullopt;
    };
    std::size_t running = 0;
    std::size_t most = 0;
    std::size_t requests = 0;
    std::size_t refused = 0;
    std::vector<std::string> order{};

    task<result<http::response>> send(http::request& req, time_source::steady) override {
        ++requests;
        order.push_back(req.target);
        most = std::max(most, ++running);
        const auto verdict = judge(running);
        const struct leaving {
            std::size_t& n;
            ~leaving() { --n; }
        } at_end{running};
        co_await shard_.time.sleep_until(shard_.time.now() + latency);
        if (!verdict) co_return http::response{200, {}, {}, false};
        ++refused;
        co_return error(*verdict, "told to refuse");
    }
    std::chrono::milliseconds elapsed() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(shard_.time.now() - began_);
    }

private:
    shard_fixture& shard_;
    time_source::steady began_;
};

struct limiter_fixture : shard_fixture {
    destination far{*this};
    bool stop_calling = false;

    task<> call_once(http::transport& through, std::string name,
                     time_source::steady deadline = time_source::steady::max()) {
        http::request req;
        req.target = std::move(name);
        auto answer = co_await through.send(req, deadline);
        if (!answer.has_value()) last_error = answer.error();
    }
    /// One call after the other until told to stop.
    task<> keep_calling(http::transport& through) {
        while (!stop_calling) {
            http::request req;
            auto answer = co_await through.send(req, time_source::steady::max());
            if (!answer.has_value()) last_error = answer.error();
        }
    }
    void start_callers(std::size_t how_many, http::transport& through) {
        for (std::size_t i = 0; i < how_many; ++i) callers.push_back(start(keep_calling(through)));
        settle();
    }
    void end_callers() {
        stop_calling = true;
        for (auto& c : callers) finish(c);
    }
    void round_trips(int how_many) {
        while (how_many-- > 0) advance(far.latency);
    }
    std::vector<started_task> callers{};
    std::optional<error> last_error{};
};

const auto slow_down_always = [](std::size_t) { return disposition::slow_down; };

}  // namespace

BOOST_FIXTURE_TEST_SUITE(limiter, limiter_fixture)

BOOST_AUTO_TEST_CASE(one_round_trip_cuts_once_and_never_below_the_floor) {
    http::limiting layer(far, x, {8, 1, 64});
    far.judge = slow_down_always;
    start_callers(16, layer);
    BOOST_TEST(far.running == 8U);
    for (const std::size_t expected : {4U, 2U, 1U, 1U, 1U}) {
        advance(99ms);
        const auto before = layer.state().limit();
        advance(1ms);  // all that ran come back refused in this millisecond
        BOOST_TEST(layer.state().limit() == expected);
        BOOST_TEST(far.running == expected);
        BOOST_TEST(before >= expected);
    }
    BOOST_TEST(count["http_limit_cuts"] == 5U);
    end_callers();
    BOOST_TEST(layer.state().running() == 0U);
}

BOOST_AUTO_TEST_CASE(it_grows_by_one_per_round_trip_up_to_the_cap) {
    http::limiting layer(far, x, {2, 1, 5});
    start_callers(20, layer);
    for (const std::size_t expected : {2U, 3U, 4U, 5U, 5U}) {
        BOOST_TEST(far.running == expected);
        advance(100ms);
    }
    end_callers();
}

BOOST_AUTO_TEST_CASE(a_limit_nobody_reaches_does_not_grow) {
    http::limiting layer(far, x, {4, 1, 64});
    start_callers(3, layer);
    round_trips(100);
    BOOST_TEST(layer.state().limit() == 4U);
    end_callers();
}

BOOST_AUTO_TEST_CASE(the_first_refusal_halves_what_was_running_and_not_the_untried_limit) {
    http::limiting layer(far, x, {1024, 1, 1024});
    far.judge = slow_down_always;
    start_callers(64, layer);
    BOOST_TEST(far.running == 64U);
    advance(100ms);
    BOOST_TEST(layer.state().limit() == 32U);
    end_callers();
}

BOOST_AUTO_TEST_CASE(other_failures_leave_the_limit_alone) {
    for (const auto what : {disposition::retry, disposition::park, disposition::stop}) {
        http::limiting layer(far, x, {8, 1, 64});
        far.judge = [what](std::size_t) { return what; };
        run(call_once(layer, "x"));
        BOOST_TEST(layer.state().limit() == 8U);
    }
}

BOOST_AUTO_TEST_CASE(it_halves_on_slow_down_and_recovers) {
    http::limiting layer(far, x, {64, 1, 64});
    start_callers(200, layer);
    round_trips(10);
    BOOST_TEST(layer.state().limit() == 64U);
    far.judge = slow_down_always;
    advance(100ms);  // sent before, answered well
    advance(100ms);
    BOOST_TEST(layer.state().limit() == 32U);
    far.judge = [](std::size_t) { return std::nullopt; };
    advance(100ms);  // sent while it was bad: one more halving
    BOOST_TEST(layer.state().limit() == 16U);
    for (std::size_t limit = 16; limit < 64; ++limit) {
        BOOST_TEST(layer.state().limit() == limit);
        advance(100ms);
    }
    BOOST_TEST(layer.state().limit() == 64U);
    end_callers();
}

BOOST_AUTO_TEST_CASE(it_finds_what_the_destination_takes) {
    http::limiting layer(far, x, {1024, 1, 1024});
    far.judge = [](std::size_t at_once) {
        return at_once > 20 ? std::optional(disposition::slow_down) : std::nullopt;
    };
    start_callers(256, layer);
    round_trips(100);
    far.requests = far.refused = far.most = 0;
    round_trips(600);
    std::cout << "limiter: a destination that takes 20 at once, 256 callers, a minute: " << far.requests
              << " requests, " << far.refused << " refused, at most " << far.most << " at once\n";
    BOOST_TEST(far.most <= 21U);
    BOOST_TEST(far.refused * 50 < far.requests);       // under 2 %
    BOOST_TEST(far.requests > 20U * 600U * 70 / 100);  // and 70 % of what it can do
    end_callers();
}

BOOST_AUTO_TEST_CASE(who_waits_is_served_in_order_and_the_cancelled_are_passed_over) {
    http::limiting layer(far, x, {1, 1, 1});
    auto a = start(call_once(layer, "a"));
    auto b = start(call_once(layer, "b"));
    auto c = start(call_once(layer, "c"));
    auto d = start(call_once(layer, "d"));
    settle();
    b.cancel();
    settle();
    BOOST_TEST(b.was_cancelled());
    for (auto* t : {&a, &c, &d}) finish(*t);
    BOOST_TEST((far.order == std::vector<std::string>{"a", "c", "d"}));
    BOOST_TEST(far.elapsed().count() == 300);
}

BOOST_AUTO_TEST_CASE(cancelled_in_flight_gives_its_permit_to_the_next) {
    http::limiting layer(far, x, {1, 1, 1});
    auto a = start(call_once(layer, "a"));
    auto b = start(call_once(layer, "b"));
    advance(40ms);
    a.cancel();
    finish(b);
    BOOST_TEST(far.elapsed().count() == 140);
}

BOOST_AUTO_TEST_CASE(waiting_ends_at_the_deadline_to_the_millisecond) {
    http::limiting layer(far, x, {1, 1, 1});
    auto a = start(call_once(layer, "a"));
    auto b = start(call_once(layer, "b", time.now() + 60ms));
    auto c = start(call_once(layer, "c"));
    advance(59ms);
    BOOST_TEST(!b.done());
    advance(1ms);
    BOOST_TEST(b.done());
    BOOST_REQUIRE(last_error);
    BOOST_TEST((last_error->what() == disposition::retry));
    BOOST_TEST(last_error->context().find("waited for the 1 others") != std::string::npos);
    finish(a);
    finish(c);
    BOOST_TEST((far.order == std::vector<std::string>{"a", "c"}));
    BOOST_TEST(far.elapsed().count() == 200);
}

BOOST_AUTO_TEST_CASE(a_back_off_holds_no_permit) {
    struct full final : randomness {
        double uniform() override { return 1.0; }
        void fill(std::span<std::byte>) override {}
    } longest;
    http::limiting layer(far, x, {1, 1, 1});
    http::retrying calls(layer, time, longest, {1000ms, 1000ms, 2});
    bool first = true;
    far.judge = [&first](std::size_t) {
        return std::exchange(first, false) ? std::optional(disposition::retry) : std::nullopt;
    };
    auto a = start(call_once(calls, "a"));
    auto b = start(call_once(calls, "b"));
    round_trips(2);
    BOOST_TEST(b.done());
    finish(a);
    BOOST_TEST((far.order == std::vector<std::string>{"a", "b", "a"}));
    BOOST_TEST(far.elapsed().count() == 1200);
}

BOOST_AUTO_TEST_SUITE_END()
