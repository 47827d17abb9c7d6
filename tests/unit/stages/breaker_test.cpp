#include "stages/breaker.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <deque>

namespace {

using namespace firehose;
using namespace std::chrono_literals;
using stages::breaker;
using state = breaker::state;
using admission = breaker::admission;

error fault(disposition what = disposition::retry) { return {what, "it did not work"}; }

error fault_with_retry_after(std::chrono::milliseconds floor) {
    error_details d;
    d.context = "asked to wait";
    d.retry_after = floor;
    return {disposition::slow_down, std::move(d)};
}

/// A breaker with a scripted jitter and a clock of its own.
struct bench {
    std::deque<double> draws{};
    time_source::steady now{1h};
    breaker gate;

    explicit bench(breaker::options how = {3, 1000ms, 60'000ms, 30'000ms})
        : gate(how, [this] {
              BOOST_REQUIRE_MESSAGE(!draws.empty(), "more randomness drawn than scripted");
              const double d = draws.front();
              draws.pop_front();
              return d;
          }) {}

    admission admit() { return gate.admit(now); }
    void fail_times(int n, const error& why = fault()) {
        for (int i = 0; i < n; ++i) {
            BOOST_TEST((admit() == admission::go));
            gate.failed(why, now);
        }
    }
    /// Refused one millisecond earlier, a probe at the millisecond itself.
    void check_probe_exactly_after(std::chrono::milliseconds pause) {
        BOOST_TEST((gate.probe_at() == now + pause));
        now += pause - 1ms;
        BOOST_TEST((admit() == admission::refuse));
        now += 1ms;
        BOOST_TEST((admit() == admission::go));
        BOOST_TEST((gate.current() == state::half_open));
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(breaker_behaviour)

BOOST_AUTO_TEST_CASE(stays_closed_below_the_number_of_failures_and_opens_at_it) {
    bench b;
    b.fail_times(2);
    BOOST_TEST((b.gate.current() == state::closed));
    BOOST_TEST(!b.gate.reason());
    b.draws = {0.5};
    b.fail_times(1);
    BOOST_TEST((b.gate.current() == state::open));
    BOOST_REQUIRE(b.gate.reason());
    BOOST_TEST(b.gate.reason()->context() == "it did not work");
    BOOST_TEST((b.admit() == admission::refuse));
}

BOOST_AUTO_TEST_CASE(a_success_starts_the_count_anew) {
    bench b;
    b.fail_times(2);
    b.gate.succeeded();
    b.fail_times(2);
    BOOST_TEST((b.gate.current() == state::closed));
}

BOOST_AUTO_TEST_CASE(pauses_with_full_jitter_to_the_millisecond_and_doubles_its_ceiling) {
    bench b;
    b.draws = {0.5};
    b.fail_times(3);
    b.check_probe_exactly_after(500ms);
    b.draws = {0.5};
    b.gate.failed(fault(), b.now);
    b.check_probe_exactly_after(1000ms);
    b.draws = {0.25};
    b.gate.failed(fault(), b.now);
    b.check_probe_exactly_after(1000ms);
}

BOOST_AUTO_TEST_CASE(the_ceiling_is_capped) {
    bench b({1, 1000ms, 3000ms, 30'000ms});
    b.draws = {0.5};
    b.fail_times(1);
    for (const auto pause : {500ms, 1000ms, 1500ms, 1500ms, 1500ms}) {
        b.check_probe_exactly_after(pause);
        b.draws = {0.5};
        b.gate.failed(fault(), b.now);
    }
}

BOOST_AUTO_TEST_CASE(a_successful_probe_closes_it_and_forgets_how_often_it_was_open) {
    bench b;
    b.draws = {0.5, 0.5};
    b.fail_times(3);
    b.check_probe_exactly_after(500ms);
    b.gate.failed(fault(), b.now);
    b.check_probe_exactly_after(1000ms);
    b.gate.succeeded();
    BOOST_TEST((b.gate.current() == state::closed));
    BOOST_TEST(!b.gate.reason());
    BOOST_TEST((b.admit() == admission::go));
    BOOST_TEST((b.admit() == admission::go));  // no more probes: any number at once
    b.draws = {0.5};
    b.fail_times(3);
    b.check_probe_exactly_after(500ms);
}

BOOST_AUTO_TEST_CASE(lets_one_probe_through_and_makes_the_others_wait) {
    bench b;
    b.draws = {0.0};
    b.fail_times(3);
    BOOST_TEST((b.admit() == admission::go));
    BOOST_TEST((b.admit() == admission::wait));
    BOOST_TEST((b.admit() == admission::wait));
}

BOOST_AUTO_TEST_CASE(an_abandoned_probe_makes_room_for_the_next) {
    bench b;
    b.draws = {0.0};
    b.fail_times(3);
    BOOST_TEST((b.admit() == admission::go));
    b.gate.abandoned();
    BOOST_TEST((b.gate.current() == state::open));  // nobody is to wait for a probe that is not there
    BOOST_TEST((b.admit() == admission::go));
    BOOST_TEST((b.admit() == admission::wait));
}

BOOST_AUTO_TEST_CASE(stop_opens_at_once_and_for_longer) {
    bench b;
    b.draws = {0.5};
    BOOST_TEST((b.admit() == admission::go));
    b.gate.failed(fault(disposition::stop), b.now);
    BOOST_TEST((b.gate.current() == state::open));
    b.check_probe_exactly_after(30'000ms);
}

BOOST_AUTO_TEST_CASE(retry_after_is_a_floor_and_no_ceiling) {
    bench b;
    b.draws = {0.5};
    b.fail_times(3, fault_with_retry_after(7000ms));
    b.check_probe_exactly_after(7000ms);
    b.draws = {0.5};
    b.gate.failed(fault_with_retry_after(10ms), b.now);
    b.check_probe_exactly_after(1000ms);
}

BOOST_AUTO_TEST_CASE(an_answer_about_one_event_is_no_failure_of_the_destination) {
    bench b;
    b.fail_times(50, fault(disposition::park));
    BOOST_TEST((b.gate.current() == state::closed));
    b.fail_times(2);
    b.fail_times(1, fault(disposition::park));
    b.fail_times(2);
    BOOST_TEST((b.gate.current() == state::closed));
}

BOOST_AUTO_TEST_CASE(a_probe_answered_about_its_event_alone_closes_it) {
    bench b;
    b.draws = {0.0};
    b.fail_times(3);
    BOOST_TEST((b.admit() == admission::go));
    b.gate.failed(fault(disposition::park), b.now);
    BOOST_TEST((b.gate.current() == state::closed));
}

BOOST_AUTO_TEST_CASE(probe_now_lets_the_next_one_try_whatever_the_clock_says) {
    bench b;
    b.draws = {0.9};
    b.gate.failed(fault(disposition::stop), b.now);
    BOOST_TEST((b.admit() == admission::refuse));
    b.gate.probe_now();
    BOOST_TEST((b.admit() == admission::go));
    BOOST_TEST((b.admit() == admission::wait));
    b.draws = {0.5};
    b.gate.failed(fault(), b.now);
    BOOST_TEST((b.admit() == admission::refuse));  // once, not for ever
}

BOOST_AUTO_TEST_CASE(probe_now_changes_nothing_while_closed) {
    bench b;
    b.gate.probe_now();
    BOOST_TEST((b.gate.current() == state::closed));
    b.draws = {0.5};
    b.fail_times(3);
    b.check_probe_exactly_after(500ms);
}

BOOST_AUTO_TEST_CASE(attempts_under_way_when_it_opened_neither_prolong_the_pause_nor_draw) {
    bench b;
    b.draws = {0.5};
    b.fail_times(3);
    const auto planned = b.gate.probe_at();
    b.now += 100ms;
    b.gate.failed(fault(), b.now);
    b.gate.failed(fault(disposition::stop), b.now);
    BOOST_TEST((b.gate.probe_at() == planned));
}

BOOST_AUTO_TEST_CASE(a_straggler_that_succeeds_closes_it) {
    bench b;
    b.draws = {0.5};
    b.fail_times(3);
    b.gate.succeeded();
    BOOST_TEST((b.gate.current() == state::closed));
    BOOST_TEST((b.admit() == admission::go));
}

BOOST_AUTO_TEST_SUITE_END()
