#include "pipeline/semaphore.hpp"

#include "tests/unit/pipeline/parts.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <string>

namespace firehose {
namespace {

using namespace std::chrono_literals;

task<> take_and_hold(semaphore& s, context& x, std::chrono::milliseconds d, std::string& order, char name) {
    permit p = co_await s.acquire();
    order.push_back(name);
    const auto wake = x.time.now() + d;
    co_await x.time.sleep_until(wake);
}

task<> wait_for(stop_state& s, std::string& events) {
    co_await s.wait_for_drain();
    events.push_back('d');
    co_await s.wait_for_cancel();
    events.push_back('c');
}

task<> sleep_for(context& x, std::chrono::milliseconds d) {
    const auto wake = x.time.now() + d;
    co_await x.time.sleep_until(wake);
}

task<int> answer() { co_return 42; }

task<> hang(context& x) {
    channel<int> never(x.ex, 1);
    co_await never.receive();
}

struct small_parts_fixture : shard_fixture {
    std::string order;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(semaphores, small_parts_fixture)

BOOST_AUTO_TEST_CASE(bounds_what_runs_and_serves_in_order) {
    semaphore s(x.ex, 2);
    std::vector<started_task> all;
    for (const char name : {'a', 'b', 'c', 'd'}) all.push_back(start(take_and_hold(s, x, 10ms, order, name)));
    settle();
    BOOST_TEST(order == "ab");
    BOOST_TEST(s.available() == 0U);
    advance(10ms);
    BOOST_TEST(order == "abcd");
    advance(10ms);
    BOOST_TEST(s.available() == 2U);
}

BOOST_AUTO_TEST_CASE(a_newcomer_does_not_overtake_who_waits) {
    semaphore s(x.ex, 1);
    auto held = s.try_acquire();
    auto waiting = start(take_and_hold(s, x, 1h, order, 'a'));
    settle();
    held = permit();  // the permit is free, the one who waits has not run yet
    BOOST_TEST(!s.try_acquire());
    settle();
    BOOST_TEST(order == "a");
    waiting.cancel();
    settle();
}

BOOST_AUTO_TEST_CASE(a_cancelled_acquire_takes_nothing_and_passes_its_turn_on) {
    semaphore s(x.ex, 1);
    auto held = s.try_acquire();
    auto first = start(take_and_hold(s, x, 1h, order, 'a'));
    auto second = start(take_and_hold(s, x, 10ms, order, 'b'));
    settle();
    first.cancel();
    settle();
    BOOST_TEST(first.was_cancelled());
    held = permit();
    settle();
    BOOST_TEST(order == "b");
    advance(10ms);
    BOOST_TEST(s.available() == 1U);
}

BOOST_AUTO_TEST_CASE(cancelled_between_release_and_run_no_permit_is_lost) {
    semaphore s(x.ex, 1);
    auto held = s.try_acquire();
    auto first = start(take_and_hold(s, x, 1h, order, 'a'));
    auto second = start(take_and_hold(s, x, 10ms, order, 'b'));
    settle();
    held = permit();
    first.cancel();
    settle();
    advance(10ms);
    settle();
    BOOST_TEST(second.done());
    BOOST_TEST(s.available() == 1U);
}

BOOST_AUTO_TEST_CASE(assigning_over_a_permit_gives_the_old_one_back) {
    semaphore s(x.ex, 2);
    auto p = s.try_acquire();
    p = s.try_acquire();
    BOOST_TEST(s.available() == 1U);
    p = permit();
    BOOST_TEST(s.available() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(stopping, small_parts_fixture)

BOOST_AUTO_TEST_CASE(phases_only_move_forward) {
    auto t = start(wait_for(stop, order));
    settle();
    BOOST_TEST(order == "");
    stop.request_drain();
    stop.request_drain();
    settle();
    BOOST_TEST(order == "d");
    BOOST_TEST(stop.draining());
    BOOST_TEST(!stop.cancelling());
    stop.request_cancel();
    stop.request_drain();
    settle();
    BOOST_TEST(order == "dc");
    BOOST_TEST(stop.cancelling());
}

BOOST_AUTO_TEST_CASE(cancelling_implies_draining) {
    auto t = start(wait_for(stop, order));
    stop.request_cancel();
    settle();
    BOOST_TEST(order == "dc");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(support, small_parts_fixture)

BOOST_AUTO_TEST_CASE(virtual_time_jumps_to_the_next_sleeper) {
    const auto begin = time.now();
    const auto wall = time.wall_now();
    run(sleep_for(x, 90min));
    BOOST_TEST((time.now() - begin == 90min));
    BOOST_TEST((time.wall_now() - wall == 90min));
}

BOOST_AUTO_TEST_CASE(a_cancelled_sleeper_does_not_hold_time_back) {
    const auto begin = time.now();
    auto t = start(sleep_for(x, 10h));
    settle();
    t.cancel();
    settle();
    run(sleep_for(x, 24h));
    BOOST_TEST((time.now() - begin == 24h));
}

BOOST_AUTO_TEST_CASE(results_come_out_of_a_run) { BOOST_TEST(run(answer()) == 42); }

BOOST_AUTO_TEST_CASE(a_task_that_hangs_is_reported_and_cleaned_up) {
    BOOST_CHECK_THROW(run(hang(x)), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(the_systems_clock_sleeps_and_is_cancelled) {
    real_time real;
    context y{.ex = x.ex, .time = real, .random = random, .stop = stop, .count = count, .blocking = blocking};
    asio::co_spawn(io, sleep_for(y, 1ms), [](std::exception_ptr e) { BOOST_TEST(!e); });
    io.run();
    auto t = start(sleep_for(y, 1h));
    io.restart();
    io.poll();
    t.cancel();
    io.restart();
    io.run();
    BOOST_TEST(t.was_cancelled());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(random_numbers)

BOOST_AUTO_TEST_CASE(a_seed_repeats_the_sequence) {
    seeded_randomness a(7), b(7), c(8);
    std::array<std::byte, 13> x{}, y{};
    for (int i = 0; i < 100; ++i) BOOST_TEST(a.uniform() == b.uniform());
    a.fill(x);
    b.fill(y);
    BOOST_TEST((x == y));
    BOOST_TEST(a.uniform() != c.uniform());
}

BOOST_AUTO_TEST_CASE(the_sequence_is_the_same_on_every_machine) {
    seeded_randomness r(1);  // the first outputs of mt19937_64 are fixed by the standard
    std::array<std::byte, 8> x{};
    r.fill(x);
    std::uint64_t word = 0;
    for (std::size_t i = 8; i-- > 0;) word = (word << 8U) | std::to_integer<std::uint64_t>(x[i]);
    BOOST_TEST(word == std::mt19937_64(1)());
}

BOOST_AUTO_TEST_CASE(uniform_stays_in_its_interval) {
    seeded_randomness seeded(3);
    system_randomness real;
    for (randomness* r : {static_cast<randomness*>(&seeded), static_cast<randomness*>(&real)}) {
        double sum = 0;
        for (int i = 0; i < 2000; ++i) {
            const double u = r->uniform();
            BOOST_REQUIRE(u >= 0.0);
            BOOST_REQUIRE(u < 1.0);
            sum += u;
        }
        BOOST_TEST(sum / 2000 > 0.4);
        BOOST_TEST(sum / 2000 < 0.6);
    }
}

BOOST_AUTO_TEST_CASE(the_systems_bytes_differ) {
    system_randomness r;
    std::array<std::byte, 16> x{}, y{};
    r.fill(x);
    r.fill(y);
    BOOST_TEST((x != y));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(counting)

BOOST_AUTO_TEST_CASE(references_stay_valid) {
    counters c;
    auto& first = c["m"];
    for (int i = 0; i < 1000; ++i) c["n" + std::to_string(i)] = 1;
    ++first;
    BOOST_TEST(&c["m"] == &first);
    const auto copy = c.snapshot();
    BOOST_TEST(copy.at("m") == 1U);
    BOOST_TEST(copy.size() == 1001U);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace firehose
