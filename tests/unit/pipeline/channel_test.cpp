#include "pipeline/channel.hpp"

#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <vector>

namespace firehose {
namespace {

using ints = channel<int>;
using boxes = channel<std::unique_ptr<int>>;

task<> send_one(ints& c, int value, std::size_t weight, std::string& log) {
    int item = value;
    const bool sent = co_await c.send(item, weight);
    log += (sent ? "+" : "-") + std::to_string(value);
}

task<> send_box(boxes& c, std::unique_ptr<int>& item, bool& sent) {
    sent = true;
    const bool ok = co_await c.send(item, 1);
    sent = ok;
}

task<> receive_all(ints& c, std::vector<int>& got) {
    for (;;) {
        auto item = co_await c.receive();
        if (!item) co_return;
        got.push_back(*item);
    }
}

task<> receive_one(ints& c, std::vector<int>& got) {
    auto item = co_await c.receive();
    if (item) got.push_back(*item);
}

task<> wait_readable(ints& c) { co_await c.readable(); }

struct channel_fixture : shard_fixture {
    std::string log;
    std::vector<int> got;
    bool put(ints& c, int value, std::size_t weight = 1) { return c.try_send(value, weight); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(channels, channel_fixture)

BOOST_AUTO_TEST_CASE(close_drains_before_it_ends) {
    ints c(x.ex, 10);
    put(c, 1);
    put(c, 2);
    put(c, 3);
    c.close();
    BOOST_TEST(!c.ended());
    run(receive_all(c, got));
    BOOST_TEST(got == (std::vector<int>{1, 2, 3}));
    BOOST_TEST(c.ended());
    BOOST_TEST(!put(c, 4));
}

BOOST_AUTO_TEST_CASE(a_parked_receiver_sees_the_end) {
    ints c(x.ex, 10);
    auto r = start(receive_all(c, got));
    settle();
    c.close();
    finish(r);
    BOOST_TEST(got.empty());
}

BOOST_AUTO_TEST_CASE(a_sender_parked_at_close_keeps_its_item) {
    boxes c(x.ex, 1);
    auto first = std::make_unique<int>(1), second = std::make_unique<int>(2);
    BOOST_TEST(c.try_send(first, 1));
    bool sent = false;
    auto s = start(send_box(c, second, sent));
    settle();
    BOOST_TEST(!s.done());
    c.close();
    finish(s);
    BOOST_TEST(!sent);
    BOOST_REQUIRE(second);
    BOOST_TEST(*second == 2);
}

BOOST_AUTO_TEST_CASE(an_item_heavier_than_the_capacity_passes_alone) {
    ints c(x.ex, 10);
    BOOST_TEST(put(c, 1, 1000));
    BOOST_TEST(!put(c, 2, 1));
    BOOST_TEST(*c.try_receive() == 1);
    BOOST_TEST(put(c, 2, 1));
    BOOST_TEST(!put(c, 3, 1000));
}

BOOST_AUTO_TEST_CASE(weightless_items_still_fill_it) {
    ints c(x.ex, 2);
    BOOST_TEST(put(c, 1, 0));
    BOOST_TEST(put(c, 2, 0));
    BOOST_TEST(!put(c, 3, 0));
}

BOOST_AUTO_TEST_CASE(a_heavy_sender_is_not_overtaken) {
    ints c(x.ex, 10);
    put(c, 0, 5);
    put(c, 0, 5);
    auto heavy = start(send_one(c, 1, 10, log));
    auto light = start(send_one(c, 2, 1, log));
    settle();
    BOOST_TEST(!put(c, 3, 1));
    c.try_receive();  // room for the light one, but it is not its turn
    settle();
    BOOST_TEST(log == "");
    BOOST_TEST(!put(c, 3, 1));
    c.try_receive();
    settle();
    BOOST_TEST(log == "+1");
    c.try_receive();
    settle();
    BOOST_TEST(log == "+1+2");
}

BOOST_AUTO_TEST_CASE(one_removal_lets_several_light_senders_in) {
    ints c(x.ex, 10);
    put(c, 0, 10);
    std::vector<started_task> all;
    for (int i = 1; i <= 4; ++i) all.push_back(start(send_one(c, i, 2, log)));
    settle();
    c.try_receive();
    settle();
    BOOST_TEST(log == "+1+2+3+4");
}

BOOST_AUTO_TEST_CASE(a_cancelled_sender_lets_the_next_one_in) {
    ints c(x.ex, 10);
    put(c, 0, 5);
    auto heavy = start(send_one(c, 1, 10, log));
    auto light = start(send_one(c, 2, 1, log));
    settle();
    BOOST_TEST(log == "");
    heavy.cancel();
    settle();
    BOOST_TEST(heavy.was_cancelled());
    BOOST_TEST(log == "+2");
}

BOOST_AUTO_TEST_CASE(a_sender_cancelled_between_wake_and_run_loses_no_wake) {
    ints c(x.ex, 1);
    put(c, 0, 1);
    auto first = start(send_one(c, 1, 1, log));
    auto second = start(send_one(c, 2, 1, log));
    settle();
    c.try_receive();  // wakes the first
    first.cancel();   // before it runs
    settle();
    c.try_receive();
    settle();
    BOOST_TEST(second.done());
    BOOST_TEST(!second.failed());
}

BOOST_AUTO_TEST_CASE(a_cancelled_receive_loses_nothing) {
    ints c(x.ex, 10);
    auto r = start(receive_one(c, got));
    settle();
    r.cancel();
    settle();
    BOOST_TEST(r.was_cancelled());
    BOOST_TEST(put(c, 1));
    run(receive_one(c, got));
    BOOST_TEST(got == std::vector<int>{1});
}

BOOST_AUTO_TEST_CASE(a_receive_cancelled_between_wake_and_run_loses_nothing) {
    ints c(x.ex, 10);
    auto a = start(receive_one(c, got));
    auto b = start(receive_one(c, got));
    settle();
    put(c, 1);
    a.cancel();
    settle();
    c.close();
    settle();
    BOOST_TEST(got == std::vector<int>{1});
}

BOOST_AUTO_TEST_CASE(each_item_wakes_one_receiver) {
    ints c(x.ex, 10);
    auto a = start(receive_one(c, got));
    auto b = start(receive_one(c, got));
    settle();
    put(c, 1);
    put(c, 2);
    settle();
    BOOST_TEST(a.done());
    BOOST_TEST(b.done());
    BOOST_TEST(got == (std::vector<int>{1, 2}));
}

BOOST_AUTO_TEST_CASE(abandon_destroys_what_is_queued_and_refuses_the_rest) {
    auto witness = std::make_shared<int>(1);
    channel<std::shared_ptr<int>> c(x.ex, 10);
    auto copy = witness;
    c.try_send(copy, 1);
    BOOST_TEST(witness.use_count() == 2);
    c.abandon();
    BOOST_TEST(witness.use_count() == 1);
    copy = witness;
    BOOST_TEST(!c.try_send(copy, 1));
    BOOST_TEST(copy.get() == witness.get());
    BOOST_TEST(c.ended());
}

BOOST_AUTO_TEST_CASE(a_nudge_wakes_who_waits_for_something_to_read) {
    ints c(x.ex, 10);
    auto r = start(wait_readable(c));
    settle();
    BOOST_TEST(!r.done());
    c.nudge();
    settle();
    BOOST_TEST(r.done());
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace firehose
