#include "pipeline/compose.hpp"

#include "tests/unit/pipeline/parts.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace elsewhere {

/// A part of a user's namespace.
struct plus_one {
    using input_type = int;
    using output_type = int;
    firehose::task<> run(firehose::receiver<int> in, firehose::sender<int> out, firehose::context&) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;
            std::vector<int> items = b->items();
            for (int& i : items) ++i;
            firehose::batch<int> next(std::move(items), b->bytes(), b->take_ack());
            const bool taken = co_await out.push(next);
            if (!taken) co_return;
        }
    }
};

}  // namespace elsewhere

namespace firehose {
namespace {

using namespace std::chrono_literals;
using namespace test;

struct compose_fixture : shard_fixture {
    ledger books;
    std::vector<std::vector<int>> got;
    std::vector<std::vector<std::string>> texts;
    ~compose_fixture() { BOOST_TEST(books.balanced()); }

    template <class P> static task<> run_whole(P& p, context& c) { co_await p.run(c); }
};

/// Reads two batches and then leaves.
struct leaves_early {
    using input_type = int;
    task<> run(receiver<int> in, context&) {
        for (int i = 0; i < 2; ++i) {
            auto b = co_await in.next();
            if (!b) co_return;
            b->take_ack().resolve(outcome::stored);
        }
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(composition, compose_fixture)

BOOST_AUTO_TEST_CASE(a_pipeline_drains_to_its_end) {
    auto p = numbers{&books, 10, 3} | passing{} | collecting<int>{&got};
    static_assert(runnable<decltype(p)>);
    run(p.run(x));
    BOOST_TEST(flatten(got) == upto(30));
    BOOST_TEST(books.of(outcome::stored) == 10);
}

BOOST_AUTO_TEST_CASE(closed_under_composition) {
    auto longer_source = numbers{&books} | passing{};
    auto longer_stage = passing{} | passing{};
    auto longer_sink = passing{} | collecting<int>{&got};
    static_assert(source<decltype(longer_source)>);
    static_assert(stage<decltype(longer_stage)>);
    static_assert(sink<decltype(longer_sink)>);
    auto p = longer_source | longer_stage | longer_sink;
    run(p.run(x));
    BOOST_TEST(flatten(got) == upto(10));
}

BOOST_AUTO_TEST_CASE(parts_of_another_namespace_by_chain) {
    auto p = chain(numbers{&books}, elsewhere::plus_one{}, elsewhere::plus_one{}, collecting<int>{&got});
    run(p.run(x));
    BOOST_TEST(flatten(got).front() == 2);
    BOOST_TEST(flatten(got).size() == 10U);
}

BOOST_AUTO_TEST_CASE(a_full_edge_holds_the_source_back) {
    x.queue_bytes = 200;
    int taken = 0;
    auto p = numbers{&books, 10} | slow_sink{10ms, &taken};
    auto t = start(p.run(x));
    settle();
    BOOST_TEST(books.opened <= 4U);  // two queued, one in the sink, one at the door
    finish(t);
    BOOST_TEST(taken == 10);
}

BOOST_AUTO_TEST_CASE(a_sink_that_leaves_ends_the_source_and_loses_only_what_was_under_way) {
    auto p = numbers{&books, 1000} | passing{} | leaves_early{};
    x.queue_bytes = 300;
    run(p.run(x));
    BOOST_TEST(books.of(outcome::stored) == 2);
    BOOST_TEST(books.opened < 20U);
    BOOST_TEST(books.of(outcome::lost) == books.opened - 2);
}

BOOST_AUTO_TEST_CASE(a_failing_part_cancels_the_others) {
    int failures = 1;
    std::vector<int> stored;
    auto p = endless_numbers{&books} | passing{} | failing_sink{5, &failures, &stored};
    BOOST_CHECK_THROW(run(p.run(x)), std::runtime_error);
    BOOST_TEST(stored == upto(5));
    BOOST_TEST(books.of(outcome::stored) == 5);
}

BOOST_AUTO_TEST_CASE(cancelled_at_any_step_every_batch_is_accounted_for) {
    for (int steps = 0; steps < 60; ++steps) {
        shard_fixture shard;
        shard.x.queue_bytes = 250;
        ledger mine;
        int taken = 0;
        auto p = numbers{&mine, 30} | passing{} | passing{} | slow_sink{1ms, &taken};
        auto t = shard.start(p.run(shard.x));
        for (int i = 0; i < steps; ++i) {
            shard.io.restart();
            if (shard.io.poll_one() == 0) shard.time.advance_to_next();
        }
        t.cancel();
        shard.settle();
        BOOST_TEST(t.done());
        BOOST_TEST(mine.balanced());
        BOOST_TEST(mine.of(outcome::stored) == static_cast<std::size_t>(taken));
    }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace firehose
