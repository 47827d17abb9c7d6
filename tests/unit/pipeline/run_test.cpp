#include "pipeline/run.hpp"

#include "pipeline/shard_pool.hpp"
#include "tests/unit/pipeline/parts.hpp"

#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <mutex>
#include <set>
#include <thread>

namespace firehose {
namespace {

using namespace std::chrono_literals;
using namespace test;

/// Sleeping takes no time: the clock jumps to where the sleeper wants it, after others had a turn.
class jumping_time final : public time_source {
public:
    steady now() const override { return now_; }
    wall wall_now() const override { return {}; }
    task<> sleep_until(steady when) override {
        co_await asio::post(use_task);
        now_ = std::max(now_, when);
    }

private:
    steady now_{};
};

run_options quiet() {
    run_options options;
    options.handle_signals = false;
    return options;
}

task<> throws(const char* text) {
    throw std::runtime_error(text);
    co_return;
}

task<> until_cancelled(context& x, bool& cancelled) {
    channel<int> never(x.ex, 1);
    try {
        co_await never.receive();
    } catch (const boost::system::system_error&) {
        cancelled = true;
        throw;
    }
}

task<> drains_itself_and_hangs(context& x, bool& cancelled) {
    x.stop.request_drain();
    co_await until_cancelled(x, cancelled);
}

task<> until_drained(context& x) { co_await x.stop.wait_for_drain(); }

task<> raises_and_waits(context& x, int signal) {
    std::raise(signal);
    co_await x.stop.wait_for_drain();
}

task<> raises_twice(context& x, bool& cancelled) {
    std::raise(SIGTERM);
    co_await x.stop.wait_for_drain();
    std::raise(SIGINT);
    co_await until_cancelled(x, cancelled);
}

/// Deaf to the first cancellation.
task<> shielded_once(context& x, int& rounds) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    x.stop.request_cancel();
    const auto wake = x.time.now() + 10ms;
    co_await x.time.sleep_until(wake);
    ++rounds;
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    channel<int> never(x.ex, 1);
    co_await never.receive();
    ++rounds;
}

task<> counts_things(context& x) {
    ++x.count["things"];
    co_return;
}

/// A source that asks for the drain itself after `after` batches.
struct drains_after {
    using output_type = int;
    ledger* books;
    int after;
    task<> run(sender<int> out, context& x) {
        for (int i = 0; !x.stop.draining(); ++i) {
            auto b = one_batch(*books, std::vector<int>(1, i));
            const bool taken = co_await out.push(b);
            if (!taken) co_return;
            if (i + 1 == after) x.stop.request_drain();
        }
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(running)

BOOST_AUTO_TEST_CASE(a_pipeline_to_its_end) {
    ledger books;
    std::vector<std::vector<int>> got;
    const auto make = [&](context&) { return numbers{&books, 10} | passing{} | collecting<int>{&got}; };
    const auto report = run(make, quiet());
    BOOST_TEST((report.how == ending::finished));
    BOOST_TEST(report.what == "");
    BOOST_TEST(books.of(outcome::stored) == 10U);
}

BOOST_AUTO_TEST_CASE(a_task_will_do) {
    const auto report = run([](context& x) { return counts_things(x); }, quiet());
    BOOST_TEST((report.how == ending::finished));
    BOOST_TEST(report.counters.at("things") == 1U);
}

BOOST_AUTO_TEST_CASE(a_failure_is_reported_and_logged_not_thrown) {
    std::vector<std::string> lines;
    auto options = quiet();
    options.log = logger([&lines](log_level, std::string_view line) { lines.emplace_back(line); });
    const auto report = run([](context&) { return throws("no good"); }, options);
    BOOST_TEST((report.how == ending::failed));
    BOOST_TEST(report.what == "no good");
    BOOST_REQUIRE(lines.size() == 1U);
    BOOST_TEST(lines[0] == "pipeline failed shard=0 reason=\"no good\"");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_made_is_reported_too) {
    const auto make = [](context&) -> task<> { throw std::runtime_error("no such store"); };
    const auto report = run(make, quiet());
    BOOST_TEST((report.how == ending::failed));
    BOOST_TEST(report.what == "no such store");
}

BOOST_AUTO_TEST_CASE(drained_on_request_finishes_what_is_in_hand) {
    ledger books;
    std::vector<std::vector<int>> got;
    const auto make = [&](context&) { return drains_after{&books, 20} | passing{} | collecting<int>{&got}; };
    const auto report = run(make, quiet());
    BOOST_TEST((report.how == ending::drained));
    BOOST_TEST(flatten(got) == upto(20));
    BOOST_TEST(books.of(outcome::stored) == 20U);
}

BOOST_AUTO_TEST_CASE(past_the_deadline_a_drain_becomes_a_cancellation) {
    jumping_time time;
    auto options = quiet();
    options.time = &time;
    options.drain_deadline = 5s;
    bool cancelled = false;
    const auto make = [&](context& x) { return drains_itself_and_hangs(x, cancelled); };
    const auto report = run(make, options);
    BOOST_TEST((report.how == ending::cancelled));
    BOOST_TEST(cancelled);
    BOOST_TEST((time.now() >= time_source::steady(5s)));
}

BOOST_AUTO_TEST_CASE(cancellation_loses_what_is_under_way_and_says_so) {
    jumping_time time;
    auto options = quiet();
    options.time = &time;
    ledger books;
    const auto make = [&](context&) { return drains_after{&books, 3} | stuck_sink{}; };
    const auto report = run(make, options);
    BOOST_TEST(books.balanced());
    BOOST_TEST(books.of(outcome::lost) == 3U);
    BOOST_TEST((report.how != ending::failed));
}

BOOST_AUTO_TEST_CASE(cancellation_is_repeated_for_what_was_shielded) {
    jumping_time time;
    auto options = quiet();
    options.time = &time;
    int rounds = 0;
    const auto report = run([&](context& x) { return shielded_once(x, rounds); }, options);
    BOOST_TEST((report.how == ending::cancelled));
    BOOST_TEST(rounds == 1);
}

BOOST_AUTO_TEST_CASE(a_signal_drains) {
    for (const int signal : {SIGTERM, SIGINT}) {
        const auto report = run([signal](context& x) { return raises_and_waits(x, signal); });
        BOOST_TEST((report.how == ending::drained));
    }
}

BOOST_AUTO_TEST_CASE(a_second_signal_cancels) {
    bool cancelled = false;
    const auto report = run([&](context& x) { return raises_twice(x, cancelled); });
    BOOST_TEST((report.how == ending::cancelled));
    BOOST_TEST(cancelled);
}

BOOST_AUTO_TEST_CASE(shards_have_their_own_thread_and_are_counted_together) {
    std::mutex lock;
    std::set<std::thread::id> threads;
    const auto where = [&](context& x) -> task<> {
        return with_scope(x.ex, [&](task_scope& s) {
            s.spawn(counts_things(x));
            const std::lock_guard hold(lock);
            threads.insert(std::this_thread::get_id());
        });
    };
    const auto report = run_sharded(3, [&](unsigned, context& x) { return where(x); }, quiet());
    BOOST_TEST((report.how == ending::finished));
    BOOST_TEST(threads.size() == 3U);
    BOOST_TEST(report.counters.at("things") == 3U);
}

BOOST_AUTO_TEST_CASE(a_signal_reaches_every_shard) {
    const auto make = [](unsigned shard, context& x) {
        return shard == 0 ? raises_and_waits(x, SIGTERM) : until_drained(x);
    };
    const auto report = run_sharded(3, make);
    BOOST_TEST((report.how == ending::drained));
}

BOOST_AUTO_TEST_CASE(when_one_shard_fails_the_others_drain) {
    const auto make = [](unsigned shard, context& x) {
        return shard == 1 ? throws("shard 1") : until_drained(x);
    };
    const auto report = run_sharded(3, make, quiet());
    BOOST_TEST((report.how == ending::failed));
    BOOST_TEST(report.what == "shard 1");
}

BOOST_AUTO_TEST_CASE(the_pool_serves_shards_that_have_ended) {
    shard_pool pool(2);
    std::atomic<int> answered = 0;
    const auto ask = [&](executor to, executor home) {
        asio::post(to, [&answered, home] { asio::post(home, [&answered] { ++answered; }); });
    };
    const auto main = [&](unsigned i, asio::io_context&) -> task<> {
        return with_scope(pool.executor_of(i),
                          [&, i](task_scope&) { ask(pool.executor_of(1 - i), pool.executor_of(i)); });
    };
    const auto failures = pool.run(main);
    BOOST_TEST(answered == 2);
    BOOST_TEST(std::all_of(failures.begin(), failures.end(), [](const auto& e) { return e == nullptr; }));
}

BOOST_AUTO_TEST_CASE(the_pool_hands_failures_back) {
    shard_pool pool(2);
    const auto failures = pool.run([](unsigned i, asio::io_context&) -> task<> {
        if (i == 1) throw std::runtime_error("at once");
        return throws("later");
    });
    BOOST_TEST(describe(failures[0]) == "later");
    BOOST_TEST(describe(failures[1]) == "at once");
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace firehose
