#include "pipeline/ack.hpp"

#include "pipeline/ack_window.hpp"
#include "pipeline/batch.hpp"
#include "tests/unit/pipeline/parts.hpp"

#include <boost/test/unit_test.hpp>

namespace firehose {
namespace {

using test::ledger;

task<> wait_for_room(ack_window& w, std::size_t limit) { co_await w.room(limit); }

task<> wait_until_settled(ack_window& w) { co_await w.settled(); }

struct ack_fixture : shard_fixture {
    std::vector<std::uint64_t> committed;
    ack_window window{[this](std::uint64_t p) { committed.push_back(p); }, x.ex};
    ledger books;
};

using positions = std::vector<std::uint64_t>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(acks, ack_fixture)

BOOST_AUTO_TEST_CASE(a_token_destroyed_is_lost) {
    { const auto token = books.open(); }
    BOOST_TEST(books.of(outcome::lost) == 1);
}

BOOST_AUTO_TEST_CASE(a_token_overwritten_is_lost_and_the_new_one_lives) {
    ledger other;
    auto token = books.open();
    token = other.open();
    BOOST_TEST(books.of(outcome::lost) == 1);
    BOOST_TEST(other.answered() == 0);
    auto& same = token;
    token = std::move(same);  // to itself: nothing happens
    token.resolve(outcome::stored);
    BOOST_TEST(other.of(outcome::stored) == 1);
}

BOOST_AUTO_TEST_CASE(only_the_first_verdict_counts) {
    auto token = books.open();
    token.resolve(outcome::stored);
    token.resolve(outcome::lost);
    BOOST_TEST(!token);
    BOOST_TEST(books.of(outcome::stored) == 1);
    BOOST_TEST(books.answered() == 1);
}

BOOST_AUTO_TEST_CASE(a_moved_token_speaks_once) {
    auto token = books.open();
    auto moved = std::move(token);
    moved.resolve(outcome::spooled);
    BOOST_TEST(books.of(outcome::spooled) == 1);
    BOOST_TEST(books.answered() == 1);
}

BOOST_AUTO_TEST_CASE(the_worst_of_all_shares_wins_and_is_told_last) {
    for (const auto worst : {outcome::stored, outcome::spooled, outcome::rejected, outcome::lost}) {
        ledger each;
        auto a = each.open();
        auto b = a.split();
        auto c = b.split();
        b.resolve(worst);
        c.resolve(outcome::stored);
        BOOST_TEST(each.answered() == 0);
        a.resolve(outcome::stored);
        BOOST_TEST(each.of(worst) == 1);
        BOOST_TEST(each.balanced());
    }
}

BOOST_AUTO_TEST_CASE(an_empty_token_splits_into_empty_ones) {
    const ack_token none;
    BOOST_TEST(!none.split());
}

BOOST_AUTO_TEST_CASE(a_batch_shares_its_items_and_splits_its_obligation) {
    batch<std::string> b({"a", "b"}, 10, books.open(), {copy_to_slab("ab")});
    auto copy = b.share();
    BOOST_TEST(&copy.items() == &b.items());
    BOOST_TEST(copy.bytes() == 10U);
    BOOST_TEST(copy.slabs().size() == 1U);
    b.take_ack().resolve(outcome::stored);
    BOOST_TEST(books.answered() == 0);
    copy = batch<std::string>();
    BOOST_TEST(books.of(outcome::lost) == 1);
    BOOST_TEST(copy.items().empty());
}

BOOST_AUTO_TEST_CASE(the_window_commits_a_contiguous_prefix) {
    auto a = window.open(10), b = window.open(20), c = window.open(30);
    c.resolve(outcome::stored);
    b.resolve(outcome::spooled);
    BOOST_TEST(committed.empty());
    BOOST_TEST(window.in_flight() == 3U);
    a.resolve(outcome::rejected);
    BOOST_TEST(committed == positions{30});
    BOOST_TEST(window.in_flight() == 0U);
}

BOOST_AUTO_TEST_CASE(a_lost_position_stops_the_prefix) {
    auto a = window.open(10), b = window.open(20), c = window.open(30);
    b.resolve(outcome::lost);
    c.resolve(outcome::stored);
    BOOST_TEST(!window.stalled());
    a.resolve(outcome::stored);
    BOOST_TEST(committed == positions{10});
    BOOST_TEST(window.stalled());
}

BOOST_AUTO_TEST_CASE(after_a_restart_old_verdicts_go_nowhere) {
    auto a = window.open(10), b = window.open(20);
    a.resolve(outcome::lost);
    BOOST_TEST(window.stalled());
    window.restart();
    BOOST_TEST(!window.stalled());
    auto again = window.open(10);
    b.resolve(outcome::stored);
    BOOST_TEST(committed.empty());
    again.resolve(outcome::stored);
    BOOST_TEST(committed == positions{10});
}

BOOST_AUTO_TEST_CASE(a_token_may_outlive_the_window) {
    ack_token late;
    {
        ack_window shorter([](std::uint64_t) { BOOST_ERROR("committed after its end"); });
        late = shorter.open(1);
    }
    late.resolve(outcome::stored);
}

BOOST_AUTO_TEST_CASE(the_source_waits_for_room) {
    auto a = window.open(1), b = window.open(2);
    auto w = start(wait_for_room(window, 2));
    settle();
    b.resolve(outcome::stored);
    settle();
    BOOST_TEST(!w.done());
    a.resolve(outcome::stored);
    settle();
    BOOST_TEST(w.done());
}

BOOST_AUTO_TEST_CASE(the_source_waits_for_the_last_verdict) {
    auto a = window.open(1), b = window.open(2);
    auto w = start(wait_until_settled(window));
    a.resolve(outcome::stored);
    settle();
    BOOST_TEST(!w.done());
    b.resolve(outcome::spooled);
    settle();
    BOOST_TEST(w.done());
}

BOOST_AUTO_TEST_CASE(a_stall_ends_the_wait) {
    auto a = window.open(1), b = window.open(2);
    auto w = start(wait_until_settled(window));
    settle();
    b.resolve(outcome::lost);
    settle();
    BOOST_TEST(!w.done());
    a.resolve(outcome::stored);
    settle();
    BOOST_TEST(w.done());
    BOOST_TEST(window.stalled());
}

BOOST_AUTO_TEST_CASE(waiting_may_be_cancelled) {
    auto a = window.open(1);
    auto w = start(wait_until_settled(window));
    settle();
    w.cancel();
    settle();
    BOOST_TEST(w.was_cancelled());
    a.resolve(outcome::stored);
    BOOST_TEST(committed == positions{1});
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace firehose
