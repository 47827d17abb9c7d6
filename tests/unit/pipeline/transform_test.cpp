#include "pipeline/transform.hpp"

#include "tests/unit/pipeline/parts.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

namespace firehose {
namespace {

using namespace std::chrono_literals;
using namespace test;

struct transform_fixture : shard_fixture {
    ledger books;
    std::vector<std::vector<int>> got;
    std::vector<std::vector<std::string>> texts;
    ~transform_fixture() { BOOST_TEST(books.balanced()); }
};

std::string name_of(const int& i) { return "n" + std::to_string(i); }
std::optional<int> even_only(const int& i) { return i % 2 == 0 ? std::optional(i) : std::nullopt; }
int doubled(const int& i) { return 2 * i; }

/// Pushes one batch whose receiver is gone, and keeps it.
task<> push_refused(sender<int>& out, batch<int>& b, bool& taken) {
    const bool ok = co_await out.push(b);
    taken = ok;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(transforms, transform_fixture)

BOOST_AUTO_TEST_CASE(changes_the_type_and_keeps_the_obligation) {
    auto p = numbers{&books, 3, 2} | transform(name_of) | collecting<std::string>{&texts};
    run(p.run(x));
    BOOST_TEST(texts.size() == 3U);
    BOOST_TEST(texts[2] == (std::vector<std::string>{"n4", "n5"}));
    BOOST_TEST(books.of(outcome::stored) == 3);
}

BOOST_AUTO_TEST_CASE(a_dropped_item_counts_as_stored) {
    auto p = numbers{&books, 4, 1} | transform(even_only) | collecting<int>{&got, outcome::spooled};
    run(p.run(x));
    BOOST_TEST(flatten(got) == (std::vector<int>{0, 2}));
    BOOST_TEST(books.of(outcome::stored) == 2);   // wholly dropped
    BOOST_TEST(books.of(outcome::spooled) == 2);  // passed on
}

BOOST_AUTO_TEST_CASE(a_partly_dropped_batch_keeps_the_rest) {
    auto p = numbers{&books, 2, 4} | transform(even_only) | collecting<int>{&got};
    run(p.run(x));
    BOOST_TEST(got.size() == 2U);
    BOOST_TEST(flatten(got) == (std::vector<int>{0, 2, 4, 6}));
}

BOOST_AUTO_TEST_CASE(gets_no_edge_of_its_own) {
    using whole = decltype(numbers{&books} | transform(doubled));
    using composed = decltype(transform(doubled) | transform(name_of));
    static_assert(source<whole>);
    static_assert(fused_stage<composed>);
    // With a capacity of one batch and a sink that never reads, a source gets rid of what the
    // edges hold: one edge, one batch, however many transforms stand between.
    x.queue_bytes = 100;
    auto p = numbers{&books, 10} | transform(doubled) | transform(doubled) | stuck_sink{};
    auto t = start(p.run(x));
    settle();
    BOOST_TEST(books.opened == 2U);  // one queued, one at the door
    t.cancel();
    settle();
    BOOST_TEST(books.of(outcome::lost) == 2);
}

BOOST_AUTO_TEST_CASE(fuses_to_the_right_when_it_comes_first) {
    auto branch = transform(even_only) | transform(doubled) | collecting<int>{&got};
    static_assert(sink<decltype(branch)>);
    x.queue_bytes = 100;
    auto p = numbers{&books, 5} | branch;
    run(p.run(x));
    BOOST_TEST(flatten(got) == (std::vector<int>{0, 4, 8}));
}

BOOST_AUTO_TEST_CASE(fuses_with_a_stage_on_either_side) {
    auto before = transform(doubled) | passing{};
    auto after = passing{} | transform(doubled);
    static_assert(stage<decltype(before)> && stage<decltype(after)>);
    auto p = numbers{&books, 3} | before | after | collecting<int>{&got};
    run(p.run(x));
    BOOST_TEST(flatten(got) == (std::vector<int>{0, 4, 8}));
}

BOOST_AUTO_TEST_CASE(stands_alone_between_two_edges) {
    auto only = transform(doubled);
    auto in = make_edge<int>(x), out = make_edge<int>(x);
    auto b = one_batch(books, upto(2));
    BOOST_TEST(in->try_send(b, 1));
    in->close();
    run(only.run(receiver(in), sender(out), x));
    auto result = out->try_receive();
    BOOST_REQUIRE(result);
    BOOST_TEST(result->items() == (std::vector<int>{0, 2}));
    result->take_ack().resolve(outcome::stored);
}

BOOST_AUTO_TEST_CASE(a_generic_function_takes_its_type_from_the_left) {
    auto twice = [](const auto& i) { return i + i; };
    auto p = numbers{&books, 3} | transform(twice) | collecting<int>{&got};
    run(p.run(x));
    BOOST_TEST(flatten(got) == (std::vector<int>{0, 2, 4}));
    auto branch = transform<int>(twice) | collecting<int>{&got};
    static_assert(sink<decltype(branch)>);
}

BOOST_AUTO_TEST_CASE(an_exception_ends_the_pipeline_and_loses_the_batch) {
    auto thrower = [](const int& i) {
        if (i == 3) throw std::runtime_error("cannot");
        return i;
    };
    auto p = numbers{&books, 10} | transform(thrower) | collecting<int>{&got};
    BOOST_CHECK_THROW(run(p.run(x)), std::runtime_error);
    BOOST_TEST(books.opened == 4U);
    BOOST_TEST(books.of(outcome::lost) >= 1U);
}

BOOST_AUTO_TEST_CASE(a_refused_batch_comes_back_whole) {
    auto only = transform(name_of);
    auto e = make_edge<std::string>(x);
    auto out = only.attach(sender(e));
    e->abandon();
    auto b = one_batch(books, upto(2));
    bool taken = true;
    run(push_refused(out, b, taken));
    BOOST_TEST(!taken);
    BOOST_TEST(b.items().size() == 2U);
    BOOST_TEST(books.answered() == 0U);
    b.take_ack().resolve(outcome::rejected);
    BOOST_TEST(books.of(outcome::rejected) == 1);
}

BOOST_AUTO_TEST_CASE(slabs_stay_with_the_batch) {
    auto view = [](const bytes_view& v) { return as_text(v).substr(1); };
    auto only = transform(view);
    auto in = make_edge<bytes_view>(x);
    auto mapped = only.attach(receiver(in));
    {
        auto block = copy_to_slab("xyz");
        const bytes_view all(block.get(), 3);
        batch<bytes_view> b({all}, 3, books.open(), {block});
        in->try_send(b, 3);
    }
    auto result = mapped.try_next();
    BOOST_REQUIRE(result);
    BOOST_TEST(result->items()[0] == "yz");
    result->take_ack().resolve(outcome::stored);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace firehose
