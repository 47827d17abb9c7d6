#include "pipeline/wait_queue.hpp"

#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

namespace firehose {
namespace {

task<> waiter(wait_queue& q, std::string& order, char name) {
    co_await q.async_wait(use_task);
    order.push_back(name);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(wait_queues, shard_fixture)

BOOST_AUTO_TEST_CASE(wakes_in_order_of_arrival) {
    wait_queue q(x.ex);
    std::string order;
    const auto a = start(waiter(q, order, 'a'));
    const auto b = start(waiter(q, order, 'b'));
    settle();
    BOOST_TEST(q.wake_one());
    settle();
    BOOST_TEST(order == "a");
    BOOST_TEST(!b.done());
    q.wake_all();
    settle();
    BOOST_TEST(order == "ab");
    BOOST_TEST(!q.wake_one());
}

BOOST_AUTO_TEST_CASE(a_wake_never_runs_inline) {
    wait_queue q(x.ex);
    std::string order;
    const auto a = start(waiter(q, order, 'a'));
    settle();
    q.wake_one();
    BOOST_TEST(order == "");
    settle();
    BOOST_TEST(order == "a");
}

BOOST_AUTO_TEST_CASE(a_cancelled_waiter_leaves_the_queue) {
    wait_queue q(x.ex);
    std::string order;
    auto a = start(waiter(q, order, 'a'));
    const auto b = start(waiter(q, order, 'b'));
    settle();
    a.cancel();
    settle();
    BOOST_TEST(a.was_cancelled());
    q.wake_one();
    settle();
    BOOST_TEST(order == "b");
}

BOOST_AUTO_TEST_CASE(a_waiter_that_was_woken_first_is_not_cancelled) {
    wait_queue q(x.ex);
    std::string order;
    auto a = start(waiter(q, order, 'a'));
    settle();
    a.cancel();  // runs before the woken coroutine does
    q.wake_one();
    settle();
    BOOST_TEST(order == "a");
    BOOST_TEST(!a.failed());
}

BOOST_AUTO_TEST_CASE(destruction_wakes_with_an_error) {
    std::string order;
    auto q = std::make_unique<wait_queue>(x.ex);
    const auto a = start(waiter(*q, order, 'a'));
    settle();
    q.reset();
    settle();
    BOOST_TEST(a.was_cancelled());
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace firehose
