#include "pipeline/scope.hpp"

#include "tests/unit/pipeline/parts.hpp"

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

namespace firehose {
namespace {

using namespace std::chrono_literals;

struct scope_fixture : shard_fixture {
    std::string events;
};

task<> sleeper(context& x, std::chrono::milliseconds d, std::string& events, char name) {
    const auto wake = x.time.now() + d;
    co_await x.time.sleep_until(wake);
    events.push_back(name);
}

task<> notes_its_cancellation(context& x, std::string& events, char name) {
    try {
        co_await x.time.sleep_until(time_source::steady::max());
    } catch (const boost::system::system_error&) {
        events.push_back(name);
        throw;
    }
}

task<> fails_after(context& x, std::chrono::milliseconds d) {
    const auto wake = x.time.now() + d;
    co_await x.time.sleep_until(wake);
    throw std::runtime_error("first");
}

task<> fails_when_cancelled(context& x) {
    try {
        co_await x.time.sleep_until(time_source::steady::max());
    } catch (const boost::system::system_error&) {
        throw std::runtime_error("second");
    }
}

task<> forever(context& x) { co_await x.time.sleep_until(time_source::steady::max()); }

task<> two_sleepers(context& x, std::string& events) {
    return with_scope(x.ex, [&x, &events](task_scope& s) {
        s.spawn(sleeper(x, 20ms, events, 'b'));
        s.spawn(sleeper(x, 10ms, events, 'a'));
        events.push_back('s');
    });
}

task<> one_fails(context& x, std::string& events) {
    return with_scope(x.ex, [&x, &events](task_scope& s) {
        s.spawn(notes_its_cancellation(x, events, 'c'));
        s.spawn(fails_when_cancelled(x));
        s.spawn(fails_after(x, 10ms));
    });
}

task<> a_child_fails_under_the_body(context& x, std::string& events) {
    return with_scope(x.ex, [&x, &events](task_scope& s) {
        s.spawn(fails_after(x, 10ms));
        return notes_its_cancellation(x, events, 'b');
    });
}

task<> the_body_throws(context& x, std::string& events) {
    return with_scope(x.ex, [&x, &events](task_scope& s) {
        s.spawn(notes_its_cancellation(x, events, 'c'));
        throw std::runtime_error("body");
    });
}

task<> cancel_and_return(task_scope& s) {
    s.cancel();
    co_return;
}

task<> cancels_on_purpose(context& x, std::string& events) {
    return with_scope(x.ex, [&x, &events](task_scope& s) {
        s.spawn(notes_its_cancellation(x, events, 'c'));
        return cancel_and_return(s);
    });
}

task<> spawn_too_late(task_scope& s, context& x, std::string& events, test::ledger& books);
task<> holds(batch<int> b, std::string& events) {
    events.push_back('!');
    b.take_ack().resolve(outcome::stored);
    co_return;
}
task<> spawn_too_late(task_scope& s, context&, std::string& events, test::ledger& books) {
    s.cancel();
    s.spawn(holds(test::one_batch(books, std::vector<int>(1, 1)), events));
    co_return;
}
task<> spawns_after_cancel(context& x, std::string& events, test::ledger& books) {
    return with_scope(x.ex, [&](task_scope& s) { return spawn_too_late(s, x, events, books); });
}

task<> nested(context& x, std::string& events) {
    return with_scope(x.ex, [&x, &events](task_scope& s) {
        s.spawn(one_fails(x, events));
        s.spawn(notes_its_cancellation(x, events, 'o'));
    });
}

/// Cancelled, it needs a while to finish.
task<> stubborn(context& x, std::string& events) {
    try {
        co_await x.time.sleep_until(time_source::steady::max());
    } catch (const boost::system::system_error&) {
        events.push_back('c');
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const auto wake = x.time.now() + 1s;
    co_await x.time.sleep_until(wake);
    events.push_back('e');
}

task<> with_a_stubborn_child(context& x, std::string& events) {
    return with_scope(x.ex, [&](task_scope& s) {
        s.spawn(stubborn(x, events));
        s.spawn(forever(x));
    });
}

std::string message_of(const std::exception_ptr& e) { return describe(e); }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(scopes, scope_fixture)

BOOST_AUTO_TEST_CASE(waits_for_its_children) {
    const auto begin = time.now();
    run(two_sleepers(x, events));
    BOOST_TEST(events == "sab");
    BOOST_TEST((time.now() - begin == 20ms));
}

BOOST_AUTO_TEST_CASE(the_first_failure_cancels_the_rest_and_is_the_one_reported) {
    auto t = start(one_fails(x, events));
    BOOST_CHECK_THROW(finish(t), std::runtime_error);
    BOOST_TEST(message_of(t.failure()) == "first");
    BOOST_TEST(events == "c");
}

BOOST_AUTO_TEST_CASE(the_body_is_cancelled_like_a_child) {
    auto t = start(a_child_fails_under_the_body(x, events));
    BOOST_CHECK_THROW(finish(t), std::runtime_error);
    BOOST_TEST(events == "b");
}

BOOST_AUTO_TEST_CASE(a_body_that_throws_cancels_what_it_started) {
    auto t = start(the_body_throws(x, events));
    BOOST_CHECK_THROW(finish(t), std::runtime_error);
    BOOST_TEST(message_of(t.failure()) == "body");
}

BOOST_AUTO_TEST_CASE(cancel_on_purpose_is_no_failure) {
    run(cancels_on_purpose(x, events));
    BOOST_TEST(events == "c");
}

BOOST_AUTO_TEST_CASE(a_child_spawned_after_cancel_never_runs_and_its_batch_is_lost) {
    test::ledger books;
    run(spawns_after_cancel(x, events, books));
    BOOST_TEST(events == "");
    BOOST_TEST(books.of(outcome::lost) == 1);
}

BOOST_AUTO_TEST_CASE(failures_cross_nested_scopes) {
    auto t = start(nested(x, events));
    BOOST_CHECK_THROW(finish(t), std::runtime_error);
    BOOST_TEST(message_of(t.failure()) == "first");
    BOOST_TEST(events == "co");
}

BOOST_AUTO_TEST_CASE(cancellation_reaches_every_child_and_waits_for_the_slow_ones) {
    auto t = start(with_a_stubborn_child(x, events));
    settle();
    t.cancel();
    settle();
    BOOST_TEST(events == "c");
    BOOST_TEST(!t.done());
    advance(1s);
    BOOST_TEST(events == "ce");
    BOOST_TEST(t.was_cancelled());
}

BOOST_AUTO_TEST_CASE(cancelled_before_it_started) {
    auto t = start(with_a_stubborn_child(x, events));
    t.cancel();
    settle();
    advance(1s);
    BOOST_TEST(t.done());
}

BOOST_AUTO_TEST_CASE(only_asios_cancellation_counts_as_cancellation) {
    const auto aborted =
        std::make_exception_ptr(boost::system::system_error(make_error_code(asio::error::operation_aborted)));
    const auto refused = std::make_exception_ptr(
        boost::system::system_error(make_error_code(asio::error::connection_refused)));
    BOOST_TEST(is_cancellation(aborted));
    BOOST_TEST(!is_cancellation(refused));
    BOOST_TEST(!is_cancellation(std::make_exception_ptr(1)));
    BOOST_TEST(!is_cancellation(nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace firehose
