#include "pipeline/reshard.hpp"

#include "pipeline/run.hpp"
#include "pipeline/shard_pool.hpp"
#include "tests/unit/pipeline/parts.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

namespace firehose {
namespace {

using namespace std::chrono_literals;
using namespace test;

/// Collects from several threads; its own lock, since it stands for an outside store.
struct shared_store {
    std::mutex lock;
    std::multiset<int> items;
    std::set<std::thread::id> threads;
};

struct storing {
    using input_type = int;
    shared_store* store;
    int fail_at = -1;

    task<> run(receiver<int> in, context&) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;
            put(b->items());
            b->take_ack().resolve(outcome::stored);
        }
    }

private:
    void put(const std::vector<int>& items) {
        const std::lock_guard hold(store->lock);
        store->threads.insert(std::this_thread::get_id());
        for (const int i : items) {
            if (i == fail_at) throw std::runtime_error("disk full");
            store->items.insert(i);
        }
    }
};

/// A ledger that insists on the thread it was made on.
struct home_ledger : ledger {
    std::thread::id home{};
    bool strayed = false;
    ack_token open_here() {
        ++opened;
        return ack_token([this](outcome what) {
            strayed = strayed || std::this_thread::get_id() != home;
            ++verdicts[static_cast<std::size_t>(what)];
        });
    }
};

struct home_numbers {
    using output_type = int;
    home_ledger* books;
    int count;
    task<> run(sender<int> out, context&) {
        books->home = std::this_thread::get_id();
        for (int i = 0; i < count; ++i) {
            batch<int> b(std::vector<int>(1, i), 100, books->open_here(), {copy_to_slab("payload")});
            const bool taken = co_await out.push(b);
            if (!taken) co_return;
        }
    }
};

template <class P> task<> run_kept(P p, context& x) { co_await p.run(x); }

/// One shard that is home and target at once, in virtual time.
struct reshard_fixture : shard_fixture {
    ledger books;
    std::vector<std::vector<int>> got;
    reshard<int> crossing{x.ex, {x.ex, x.ex}};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(resharding, reshard_fixture)

BOOST_AUTO_TEST_CASE(everything_arrives_and_every_verdict_comes_back) {
    auto home = numbers{&books, 20} | crossing.sink();
    auto first = crossing.source(0) | collecting<int>{&got};
    auto second = crossing.source(1) | collecting<int>{&got, outcome::spooled};
    auto a = start(first.run(x)), b = start(second.run(x)), h = start(home.run(x));
    finish(h);
    finish(a);
    finish(b);
    BOOST_TEST(flatten(got).size() == 20U);
    BOOST_TEST(books.of(outcome::stored) + books.of(outcome::spooled) == 20U);
    BOOST_TEST(books.of(outcome::stored) == 10U);  // shared evenly
}

BOOST_AUTO_TEST_CASE(the_home_waits_for_the_last_verdict) {
    auto home = numbers{&books, 1} | crossing.sink();
    int taken = 0;
    auto target = crossing.source(0) | slow_sink{1s, &taken};
    auto h = start(home.run(x));
    auto t = start(target.run(x));
    settle();
    BOOST_TEST(!h.done());
    advance(1s);
    BOOST_TEST(h.done());
    BOOST_TEST(t.done());
}

BOOST_AUTO_TEST_CASE(what_is_in_transit_is_bounded) {
    x.queue_bytes = 200;
    auto home = numbers{&books, 100} | crossing.sink();
    auto h = start(home.run(x));
    settle();
    BOOST_TEST(books.opened <= 8U);  // two to each target, two on the edge, one at either door
    h.cancel();
    settle();
    BOOST_TEST(h.was_cancelled());
    BOOST_TEST(books.balanced());
}

BOOST_AUTO_TEST_CASE(a_target_that_fails_loses_its_own_and_the_rest_goes_elsewhere) {
    int failures = 1;
    std::vector<int> stored;
    auto home = paced_numbers{&books, 20, 1ms} | crossing.sink();
    auto bad = crossing.source(0) | failing_sink{4, &failures, &stored};
    auto good = crossing.source(1) | collecting<int>{&got};
    auto h = start(home.run(x)), a = start(bad.run(x)), b = start(good.run(x));
    finish(h);
    finish(b);
    BOOST_CHECK_THROW(finish(a), std::runtime_error);
    BOOST_TEST(books.balanced());
    BOOST_TEST(books.of(outcome::lost) <= 2U);
    BOOST_TEST(books.of(outcome::stored) == stored.size() + got.size());
}

BOOST_AUTO_TEST_CASE(with_every_target_gone_the_home_ends) {
    int failures = 2;
    std::vector<int> stored;
    auto home = paced_numbers{&books, 20, 1ms} | crossing.sink();
    auto a = crossing.source(0) | failing_sink{0, &failures, &stored};
    auto b = crossing.source(1) | failing_sink{0, &failures, &stored};
    auto h = start(home.run(x)), s = start(a.run(x)), t = start(b.run(x));
    finish(h);
    settle();
    BOOST_TEST(s.failed());
    BOOST_TEST(t.failed());
    BOOST_TEST(books.balanced());
    BOOST_TEST(books.of(outcome::lost) == books.opened);
}

BOOST_AUTO_TEST_CASE(a_cancelled_home_answers_at_once_and_late_verdicts_go_nowhere) {
    auto home = numbers{&books, 4} | crossing.sink();
    int taken = 0;
    auto target = crossing.source(0) | slow_sink{1s, &taken};
    auto h = start(home.run(x)), t = start(target.run(x));
    settle();
    h.cancel();
    settle();
    BOOST_TEST(books.balanced());
    BOOST_TEST(books.of(outcome::lost) == 4U);
    finish(t);  // its stream has ended; what it had it stores
    BOOST_TEST(taken == 2);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(resharding_across_threads)

namespace {

/// Shard 0 is home, all others are targets; all that is shared lives as long as the run.
struct crossing_run {
    shared_store store;
    home_ledger books;
    std::unique_ptr<reshard<int>> crossing;
    int count = 5000;
    int fail_at = -1;

    task<> make(unsigned shard, context& x, const std::vector<executor>& all) {
        if (shard == 0) {
            crossing =
                std::make_unique<reshard<int>>(all[0], std::vector<executor>(all.begin() + 1, all.end()));
            return run_kept(home_numbers{&books, count} | crossing->sink(), x);
        }
        const int fails = shard == 1 ? fail_at : -1;
        return run_kept(crossing->source(shard - 1) | storing{&store, fails}, x);
    }
    run_report run() {
        run_options options;
        options.handle_signals = false;
        options.queue_bytes = 2000;
        return run_sharded(
            4, [this](unsigned i, context& x, const std::vector<executor>& all) { return make(i, x, all); },
            options);
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(batches_cross_and_obligations_stay) {
    crossing_run r;
    const auto report = r.run();
    BOOST_TEST((report.how == ending::finished));
    BOOST_TEST(r.store.items.size() == 5000U);
    BOOST_TEST(r.store.threads.size() == 3U);
    BOOST_TEST(r.store.threads.count(r.books.home) == 0U);
    BOOST_TEST(r.books.of(outcome::stored) == 5000U);
    BOOST_TEST(!r.books.strayed);
}

BOOST_AUTO_TEST_CASE(a_failing_target_across_threads_accounts_for_everything) {
    for (int i = 0; i < 20; ++i) {
        crossing_run again;
        again.count = 500;
        again.fail_at = 10 * i;
        const auto report = again.run();
        BOOST_TEST((report.how == ending::finished || report.how == ending::failed));
        BOOST_TEST(again.books.balanced());
        BOOST_TEST(!again.books.strayed);
        BOOST_TEST(again.books.of(outcome::stored) >= again.store.items.size() - 1);
        BOOST_TEST(again.books.of(outcome::stored) <= again.store.items.size());
    }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace firehose
