#include "pipeline/run.hpp"

#include "pipeline/scope.hpp"
#include "pipeline/shard_pool.hpp"

#include <boost/asio/basic_signal_set.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <csignal>
#include <memory>
#include <vector>

namespace firehose {

std::string_view to_string(ending how) noexcept {
    switch (how) {
        case ending::finished: return "finished";
        case ending::drained: return "drained";
        case ending::cancelled: return "cancelled";
        case ending::failed: return "failed";
    }
    return "unknown";
}

namespace detail {
namespace {

using namespace std::chrono_literals;

/// Tells every shard; may be called on any of them.
using broadcast = std::function<void(void (stop_state::*)())>;

/// One shard and those who watch over its pipeline. Lives until all shards have ended.
class supervised_shard {
public:
    supervised_shard(executor ex, asio::thread_pool& blocking, time_source& time, randomness& random,
                     const run_options& options)
        : stop_(ex),
          x_{.ex = ex,
             .time = time,
             .random = random,
             .stop = stop_,
             .count = count_,
             .blocking = blocking,
             .log = options.log,
             .queue_bytes = options.queue_bytes},
          deadline_(options.drain_deadline) {}

    /// Ends when the pipeline has ended; never by an exception of it.
    task<> run(unsigned index, const broadcast& tell, bool signals) {
        return with_scope(x_.ex, [this, index, &tell, signals](task_scope& s) {
            if (signals) s.spawn(obey_signals(tell));
            s.spawn(enforce_deadline());
            s.spawn(enforce_cancel());
            s.spawn(run_pipeline(index, tell, s));
        });
    }

    /// Before run().
    void make_root(const root_maker& make, unsigned index, const std::vector<executor>& all) {
        root_ = make(index, x_, all);
    }

    void account(run_report& to) const {
        for (const auto& [name, value] : count_.snapshot()) to.counters[name] += value;
        const ending mine = how();
        if (mine == ending::failed && to.how != ending::failed) to.what = describe(failure_);
        to.how = std::max(to.how, mine);
    }
    stop_state& stop() { return stop_; }

private:
    ending how() const {
        if (failure_) return ending::failed;
        if (stop_.cancelling()) return ending::cancelled;
        return stop_.draining() ? ending::drained : ending::finished;
    }
    task<> run_pipeline(unsigned index, const broadcast& tell, task_scope& watchers) {
        auto whole = with_scope(x_.ex, [this](task_scope& s) {
            pipeline_ = &s;
            return std::move(root_);
        });
        try {
            co_await std::move(whole);
        } catch (...) {
            failure_ = std::current_exception();
        }
        pipeline_ = nullptr;
        if (failure_) {
            x_.log.error("pipeline failed", {{"shard", index}, {"reason", describe(failure_)}});
            tell(&stop_state::request_drain);
        }
        watchers.cancel();
    }
    task<> enforce_deadline() {
        co_await stop_.wait_for_drain();
        if (stop_.cancelling() || deadline_ > std::chrono::hours(24 * 365)) co_return;
        const auto when = x_.time.now() + deadline_;
        co_await x_.time.sleep_until(when);
        x_.log.warning("drain deadline passed, cancelling", {{"milliseconds", deadline_.count()}});
        stop_.request_cancel();
    }
    /// Says it again: what was shielded or between two waits the first time hears it the next.
    task<> enforce_cancel() {
        co_await stop_.wait_for_cancel();
        for (;;) {
            if (pipeline_) pipeline_->cancel();
            const auto again = x_.time.now() + 1s;
            co_await x_.time.sleep_until(again);
        }
    }
    task<> obey_signals(const broadcast& tell) {
        asio::basic_signal_set<executor> signals(x_.ex, SIGINT, SIGTERM);
        for (;;) {
            const int number = co_await signals.async_wait(use_task);
            const bool second = stop_.draining();
            x_.log.info(second ? "signal, cancelling" : "signal, draining", {{"signal", number}});
            tell(second ? &stop_state::request_cancel : &stop_state::request_drain);
        }
    }

    stop_state stop_;
    counters count_;
    context x_;
    std::chrono::milliseconds deadline_;
    task<> root_;
    task_scope* pipeline_ = nullptr;
    std::exception_ptr failure_;
};

}  // namespace

/// What could not even be made, told in the same way as what failed later.
run_report failed_to_start(const logger& log, const std::exception_ptr& why) {
    log.error("pipeline could not be made", {{"reason", describe(why)}});
    return {.how = ending::failed, .what = describe(why)};
}

run_report run_shards(unsigned shards, const root_maker& make, const run_options& options) {
    real_time system_time;
    system_randomness system_random;
    auto& time = options.time ? *options.time : system_time;
    auto& random = options.random ? *options.random : system_random;

    shard_pool pool(shards);
    asio::thread_pool blocking(options.blocking_threads);
    std::vector<executor> executors;
    for (unsigned i = 0; i < pool.size(); ++i) executors.push_back(pool.executor_of(i));
    std::vector<std::unique_ptr<supervised_shard>> all;
    for (const auto& ex : executors)
        all.push_back(std::make_unique<supervised_shard>(ex, blocking, time, random, options));
    try {
        for (unsigned i = 0; i < pool.size(); ++i) all[i]->make_root(make, i, executors);
    } catch (...) {
        return failed_to_start(options.log, std::current_exception());
    }
    const broadcast tell = [&](void (stop_state::*phase)()) {
        for (unsigned i = 0; i < pool.size(); ++i)
            asio::post(executors[i], [&shard = *all[i], phase] { (shard.stop().*phase)(); });
    };

    const auto failures = pool.run([&](unsigned i, asio::io_context&) {
        return all[i]->run(i, tell, options.handle_signals && i == 0);
    });
    blocking.join();

    run_report report;
    for (const auto& shard : all) shard->account(report);
    for (const auto& e : failures) {
        if (!e || report.how == ending::failed) continue;
        report.how = ending::failed;
        report.what = describe(e);
    }
    return report;
}

}  // namespace detail
}  // namespace firehose
