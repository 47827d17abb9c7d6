#include "pipeline/fan_out.hpp"

#include "tests/unit/pipeline/parts.hpp"

#include <boost/test/unit_test.hpp>

namespace firehose {
namespace {

using namespace std::chrono_literals;
using namespace test;

struct fan_out_fixture : shard_fixture {
    ledger books;
    std::vector<std::vector<int>> left, right;
    std::vector<int> stored;
    int failures = 0;
    ~fan_out_fixture() { BOOST_TEST(books.balanced()); }
    bool logged(std::string_view text) const {
        return std::any_of(log_lines.begin(), log_lines.end(),
                           [text](const std::string& l) { return l.find(text) != std::string::npos; });
    }
};

struct fails_at_multiples {
    using input_type = int;
    int of;
    task<> run(receiver<int> in, context&) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;
            const int item = b->items().front();
            if (item > 0 && item % of == 0) throw std::runtime_error("bad disk");
            b->take_ack().resolve(outcome::stored);
        }
    }
};

/// Leaves after the first batch although more would come.
struct leaves {
    using input_type = int;
    std::vector<int>* got;
    task<> run(receiver<int> in, context&) {
        auto b = co_await in.next();
        if (!b) co_return;
        got->push_back(b->items().front());
        b->take_ack().resolve(outcome::stored);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(fan_outs, fan_out_fixture)

BOOST_AUTO_TEST_CASE(every_branch_gets_everything) {
    auto p = numbers{&books, 5, 2} | fan_out(collecting<int>{&left}, collecting<int>{&right});
    run(p.run(x));
    BOOST_TEST(flatten(left) == upto(10));
    BOOST_TEST(flatten(right) == upto(10));
    BOOST_TEST(books.of(outcome::stored) == 5);
}

BOOST_AUTO_TEST_CASE(the_worst_verdict_of_the_branches_wins) {
    auto p = numbers{&books, 3} |
             fan_out(collecting<int>{&left}, passing{} | collecting<int>{&right, outcome::spooled});
    run(p.run(x));
    BOOST_TEST(books.of(outcome::spooled) == 3);
}

BOOST_AUTO_TEST_CASE(branches_whose_number_is_known_at_run_time) {
    for (std::size_t n : {0U, 1U, 5U}) {
        left.clear();
        std::vector<collecting<int>> branches(n, collecting<int>{&left});
        auto p = numbers{&books, 4} | fan_out(branches);
        run(p.run(x));
        BOOST_TEST(left.size() == 4 * n);
    }
    BOOST_TEST(books.of(outcome::stored) == 12);
}

BOOST_AUTO_TEST_CASE(a_failing_branch_takes_down_only_itself_and_comes_back) {
    failures = 1;
    auto p = paced_numbers{&books, 50, 10ms} |
             fan_out(failing_sink{10, &failures, &stored}, collecting<int>{&left});
    run(p.run(x));
    BOOST_TEST(flatten(left) == upto(50));  // the healthy one misses nothing
    BOOST_TEST(count["fan_out.failures"] == 1U);
    BOOST_TEST(count["fan_out.restarts"] == 1U);
    const auto missed = 50 - stored.size();
    BOOST_TEST(missed >= 5U);   // at least half of 100 ms passed before the restart
    BOOST_TEST(missed <= 12U);  // and no more than the whole
    BOOST_TEST(books.of(outcome::lost) == missed);
    BOOST_TEST(stored.back() == 49);
    BOOST_TEST(count["fan_out.batches_refused"] == missed - 1);  // one was in its hands
    BOOST_TEST(logged("bad disk"));
    BOOST_TEST(logged("branch restarted branch=0 failures=1"));
}

BOOST_AUTO_TEST_CASE(what_a_failing_branch_had_queued_is_lost) {
    failures = 1;
    auto p = numbers{&books, 6} | fan_out(failing_sink{2, &failures, &stored}, collecting<int>{&left});
    run(p.run(x));
    BOOST_TEST(stored == upto(2));
    BOOST_TEST(left.size() == 6U);
    BOOST_TEST(books.of(outcome::stored) == 2);
    BOOST_TEST(books.of(outcome::lost) == 4);
}

BOOST_AUTO_TEST_CASE(the_back_off_grows) {
    failures = 3;
    auto p = paced_numbers{&books, 200, 10ms} | fan_out(failing_sink{0, &failures, &stored});
    run(p.run(x));
    BOOST_TEST(count["fan_out.restarts"] == 3U);
    // 100, 200 and 400 ms, each between its half and its whole
    BOOST_TEST(stored.front() >= 35);
    BOOST_TEST(stored.front() <= 73);
}

BOOST_AUTO_TEST_CASE(failing_too_often_ends_everything) {
    failures = 100;
    auto p = endless_numbers{&books} | fan_out(failing_sink{0, &failures, &stored}, collecting<int>{&left});
    auto t = start(p.run(x));
    BOOST_CHECK_THROW(finish(t), std::runtime_error);
    BOOST_TEST(describe(t.failure()) == "bad disk");
    BOOST_TEST(count["fan_out.failures"] == 4U);
}

BOOST_AUTO_TEST_CASE(the_number_of_restarts_is_an_option) {
    failures = 100;
    fan_out_options options;
    options.restarts = 0;
    auto p = endless_numbers{&books} | fan_out(options, failing_sink{0, &failures, &stored});
    BOOST_CHECK_THROW(run(p.run(x)), std::runtime_error);
    BOOST_TEST(failures == 99);
}

BOOST_AUTO_TEST_CASE(failures_far_apart_are_forgiven) {
    fan_out_options options;
    options.restarts = 1;
    options.healthy_after = 20ms;
    auto forgiving = paced_numbers{&books, 100, 10ms} | fan_out(options, fails_at_multiples{25});
    run(forgiving.run(x));
    BOOST_TEST(count["fan_out.failures"] == 3U);
    options.healthy_after = 1h;
    auto strict = paced_numbers{&books, 100, 10ms} | fan_out(options, fails_at_multiples{25});
    BOOST_CHECK_THROW(run(strict.run(x)), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(a_branch_that_is_down_blocks_nobody) {
    failures = 1;
    x.queue_bytes = 100;
    fan_out_options options;
    options.backoff = 1h;
    options.longest_backoff = 1h;
    auto p =
        numbers{&books, 100} | fan_out(options, failing_sink{0, &failures, &stored}, collecting<int>{&left});
    const auto begin = time.now();
    run(p.run(x));
    BOOST_TEST(left.size() == 100U);
    BOOST_TEST((time.now() == begin));  // nor does the end wait for the back-off
    BOOST_TEST(books.of(outcome::lost) == 100);
}

BOOST_AUTO_TEST_CASE(a_push_that_waits_for_a_failing_branch_goes_on) {
    failures = 1;
    x.queue_bytes = 100;
    auto slow_then_dead =
        transform([](const int& i) { return i; }) | passing{} | failing_sink{3, &failures, &stored};
    auto p = numbers{&books, 30} | fan_out(slow_then_dead, collecting<int>{&left});
    run(p.run(x));
    BOOST_TEST(left.size() == 30U);
}

BOOST_AUTO_TEST_CASE(a_branch_that_returns_early_has_failed) {
    auto p = paced_numbers{&books, 3, 1s} | fan_out(leaves{&stored}, collecting<int>{&left});
    run(p.run(x));
    BOOST_TEST(stored == upto(3));  // restarted for each
    BOOST_TEST(count["fan_out.failures"] >= 2U);
    BOOST_TEST(logged("returned before its input ended"));
}

BOOST_AUTO_TEST_CASE(cancellation_is_no_failure_of_a_branch) {
    auto p = endless_numbers{&books} | fan_out(collecting<int>{&left}, stuck_sink{});
    auto t = start(p.run(x));
    settle();
    advance(100ms);
    t.cancel();
    settle();
    BOOST_TEST(t.was_cancelled());
    BOOST_TEST(count["fan_out.failures"] == 0U);
}

BOOST_AUTO_TEST_CASE(cancelled_at_any_step_every_batch_is_accounted_for) {
    for (int steps = 0; steps < 80; ++steps) {
        shard_fixture shard;
        shard.x.queue_bytes = 250;
        ledger mine;
        int taken = 0, bad = 2;
        std::vector<int> sometimes;
        auto p = paced_numbers{&mine, 30, 7ms} | passing{} |
                 fan_out(slow_sink{10ms, &taken}, passing{} | failing_sink{4, &bad, &sometimes});
        auto t = shard.start(p.run(shard.x));
        for (int i = 0; i < steps * 4; ++i) {
            shard.io.restart();
            if (shard.io.poll_one() == 0) shard.time.advance_to_next();
        }
        t.cancel();
        shard.settle();
        BOOST_TEST(t.done());
        BOOST_TEST(mine.balanced());
    }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace firehose
