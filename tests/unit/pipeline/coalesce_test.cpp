#include "pipeline/coalesce.hpp"

#include "tests/unit/pipeline/parts.hpp"

#include <boost/test/unit_test.hpp>

namespace firehose {
namespace {

using namespace std::chrono_literals;
using namespace test;

struct coalesce_fixture : shard_fixture {
    ledger books;
    std::vector<std::vector<int>> got;
    ~coalesce_fixture() { BOOST_TEST(books.balanced()); }
};

constexpr std::size_t plenty = 1 << 20;

std::vector<std::size_t> sizes(const std::vector<std::vector<int>>& batches) {
    std::vector<std::size_t> all;
    for (const auto& b : batches) all.push_back(b.size());
    return all;
}
using counts = std::vector<std::size_t>;

/// Notes when each batch came.
struct timed {
    using input_type = int;
    std::vector<time_source::steady>* when;
    task<> run(receiver<int> in, context& x) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;
            when->push_back(x.time.now());
            b->take_ack().resolve(outcome::stored);
        }
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(coalescing, coalesce_fixture)

BOOST_AUTO_TEST_CASE(by_count) {
    auto p = numbers{&books, 10, 1} | coalesce({plenty, 4, 1h}) | collecting<int>{&got};
    run(p.run(x));
    BOOST_TEST(sizes(got) == (counts{4, 4, 2}));
    BOOST_TEST(flatten(got) == upto(10));
    BOOST_TEST(books.of(outcome::stored) == 10);
}

BOOST_AUTO_TEST_CASE(by_bytes) {
    auto p = numbers{&books, 10, 1, 100} | coalesce({350, 1000, 1h}) | collecting<int>{&got};
    run(p.run(x));
    BOOST_TEST(sizes(got) == (counts{3, 3, 3, 1}));
}

BOOST_AUTO_TEST_CASE(by_age_of_the_oldest_item) {
    std::vector<time_source::steady> when;
    const auto begin = time.now();
    auto p = paced_numbers{&books, 10, 30ms} | coalesce({plenty, 1000, 100ms}) | timed{&when};
    run(p.run(x));
    // 0, 30, 60, 90 | 120, 150, 180, 210 | 240, 270, end of the input at 300
    BOOST_REQUIRE(when.size() == 3U);
    BOOST_TEST((when[0] - begin == 100ms));
    BOOST_TEST((when[1] - begin == 220ms));
    BOOST_TEST((when[2] - begin == 300ms));
}

BOOST_AUTO_TEST_CASE(a_flush_by_size_starts_the_age_anew) {
    std::vector<time_source::steady> when;
    const auto begin = time.now();
    auto p = paced_numbers{&books, 5, 40ms} | coalesce({plenty, 2, 100ms}) | timed{&when};
    run(p.run(x));
    // 0+40, 80+120, 160 alone until the input ends at 200, before its age
    BOOST_REQUIRE(when.size() == 3U);
    BOOST_TEST((when[0] - begin == 40ms));
    BOOST_TEST((when[1] - begin == 120ms));
    BOOST_TEST((when[2] - begin == 200ms));
}

BOOST_AUTO_TEST_CASE(a_single_large_batch_passes_as_it_is) {
    auto p = numbers{&books, 2, 50, 5000} | coalesce({350, 10, 1h}) | collecting<int>{&got};
    run(p.run(x));
    BOOST_TEST(sizes(got) == (counts{50, 50}));
}

BOOST_AUTO_TEST_CASE(the_verdict_is_that_of_every_part) {
    auto p = numbers{&books, 6} | coalesce({plenty, 3, 1h}) | collecting<int>{&got, outcome::spooled};
    run(p.run(x));
    BOOST_TEST(books.of(outcome::spooled) == 6);
}

BOOST_AUTO_TEST_CASE(an_empty_input_ends_at_once) {
    auto p = numbers{&books, 0} | coalesce() | collecting<int>{&got};
    run(p.run(x));
    BOOST_TEST(got.empty());
}

BOOST_AUTO_TEST_CASE(a_sink_that_is_gone_ends_it) {
    int failures = 1;
    std::vector<int> stored;
    auto p = endless_numbers{&books} | coalesce({plenty, 2, 1h}) | failing_sink{0, &failures, &stored};
    BOOST_CHECK_THROW(run(p.run(x)), std::runtime_error);
}

BOOST_AUTO_TEST_CASE(slabs_are_kept_and_shared_ones_only_once) {
    auto a = copy_to_slab("a"), b = copy_to_slab("b");
    std::vector<batch<int>> parts;
    parts.emplace_back(std::vector<int>{1}, 1, books.open(), std::vector<slab>{a});
    parts.emplace_back(std::vector<int>{2}, 1, books.open(), std::vector<slab>{a, b});
    auto merged = detail::merge(std::move(parts));
    BOOST_TEST(merged.slabs().size() == 2U);
    BOOST_TEST(merged.bytes() == 2U);
    BOOST_TEST(merged.items() == (std::vector<int>{1, 2}));
    merged.take_ack().resolve(outcome::stored);
    BOOST_TEST(books.of(outcome::stored) == 2);
}

BOOST_AUTO_TEST_CASE(cancelled_at_any_step_every_batch_is_accounted_for) {
    for (int steps = 0; steps < 120; ++steps) {
        shard_fixture shard;
        shard.x.queue_bytes = 250;
        ledger mine;
        int taken = 0;
        auto p = paced_numbers{&mine, 30, 7ms} | coalesce({plenty, 4, 20ms}) | slow_sink{15ms, &taken};
        auto t = shard.start(p.run(shard.x));
        for (int i = 0; i < steps * 2; ++i) {
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
