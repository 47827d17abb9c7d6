#include "pipeline/blocking.hpp"

#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace firehose {
namespace {

task<std::thread::id> where_it_ran(context& x) {
    auto work = [] { return std::this_thread::get_id(); };
    co_return co_await run_blocking(x.blocking, work);
}

task<> failing(context& x) {
    auto work = [] { throw std::runtime_error("disk on fire"); };
    co_await run_blocking(x.blocking, work);
}

task<std::unique_ptr<int>> move_only(context& x) {
    auto work = [] { return std::make_unique<int>(7); };
    co_return co_await run_blocking(x.blocking, work);
}

/// `local` lives in this frame: under ASan a resume before the end of the work would be caught.
task<> cancelled_in_the_middle(context& x, std::promise<void>& entered, std::shared_future<void> gate,
                               std::string& result, bool& went_on) {
    std::string local;
    auto work = [&local, &entered, gate] {
        entered.set_value();
        gate.wait();
        local = "written by the pool";
    };
    co_await run_blocking(x.blocking, work);
    result = local;
    co_await x.time.sleep_until(x.time.now() + std::chrono::seconds(1));
    went_on = true;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(blocking, shard_fixture)

BOOST_AUTO_TEST_CASE(runs_on_a_thread_of_the_pool) {
    BOOST_TEST((run(where_it_ran(x)) != std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(passes_exceptions_on) { BOOST_CHECK_THROW(run(failing(x)), std::runtime_error); }

BOOST_AUTO_TEST_CASE(returns_move_only_results) { BOOST_TEST(*run(move_only(x)) == 7); }

BOOST_AUTO_TEST_CASE(cancellation_waits_for_the_end_of_the_work) {
    std::promise<void> entered, gate;
    std::string result;
    bool went_on = false;
    auto running = start(cancelled_in_the_middle(x, entered, gate.get_future().share(), result, went_on));
    io.poll();
    entered.get_future().wait();
    running.cancel();
    io.poll();
    BOOST_TEST(!running.done());
    gate.set_value();
    settle();
    BOOST_TEST(running.was_cancelled());
    BOOST_TEST(result == "written by the pool");
    BOOST_TEST(!went_on);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace firehose
