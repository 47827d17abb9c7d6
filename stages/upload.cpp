#include "stages/upload.hpp"

#include "pipeline/backoff.hpp"
#include "pipeline/scope.hpp"
#include "stages/delivery_job.hpp"
#include "stages/keep.hpp"
#include "stages/line_to_spool.hpp"
#include "stages/watched_attempts.hpp"

#include <boost/asio/cancellation_state.hpp>

#include <deque>
#include <exception>
#include <map>

namespace firehose::stages {
namespace {

/// Local lanes kept although nothing waits in them, so that their destinations' lanes stay warm.
constexpr std::size_t most_local_lanes = 1024;

/// One running upload stage: a pump that places events, workers that carry them out, a line of what is kept
/// for later, and a watchdog. All look at the cancellation themselves instead of being thrown out of what
/// they do: what they hold must first reach the spool.
class upload_run {
public:
    upload_run(delivery& shared, const service_filter& which)
        : shared_(shared), which_(which), x_(shared.shard()), attempts_(x_), line_(shared) {}

    task<> run(receiver<event> in) {
        return with_scope(
            x_.ex, [this, in = std::move(in)](task_scope& s) mutable { return all(std::move(in), s); });
    }

private:
    /// The part of a lane's queue that this stage brought.
    struct local_lane {
        std::shared_ptr<lane> shared;
        std::deque<delivery_job> waiting{};
        std::size_t workers = 0;
    };

    task<> all(receiver<event> in, task_scope& s) {
        co_await asio::this_coro::throw_if_cancelled(false);
        s.spawn(attempts_.watch());
        std::exception_ptr failure;
        try {
            auto work = pump_and_workers(std::move(in));
            co_await std::move(work);
        } catch (...) {
            failure = std::current_exception();
        }
        // A scope that is being cancelled starts nothing any more: what was placed is still here.
        co_await line_.flush();
        for (auto& [to, here] : lanes_) {
            if (!here.waiting.empty()) co_await keep_waiting(here);
        }
        s.cancel();
        if (failure) std::rethrow_exception(failure);
    }

    task<> pump_and_workers(receiver<event> in) {
        return with_scope(x_.ex, [this, in = std::move(in)](task_scope& s) mutable {
            s.spawn(line_.work());
            return pump(in, s);
        });
    }

    task<> pump(receiver<event>& in, task_scope& s) {
        struct closing {
            line_to_spool& line;
            ~closing() { line.close(); }
        };
        const closing at_the_end{line_};
        co_await asio::this_coro::throw_if_cancelled(false);
        for (;;) {
            const auto stop = co_await interrupted();
            if (stop) co_return;
            auto b = co_await in.next();
            if (!b) co_return;
            ack_token whole = b->take_ack();
            const auto owner = std::make_shared<const batch<event>>(std::move(*b));
            const auto number = shared_.next_batch();
            for (const auto& e : owner->items()) {
                if (!e.targets) continue;
                for (const auto& t : *e.targets) {
                    if (!which_(t.to.service)) continue;
                    delivery_job job(shared_, owner, e, t, whole.split());
                    co_await place(job, number, s);
                }
            }
            whole.resolve(outcome::stored);
            bool go_on = true;
            while (go_on && line_.full()) go_on = co_await wait_on(line_.changed());
        }
    }

    /// True from the moment this coroutine, or another of the stage, was cancelled.
    task<bool> interrupted() {
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) cancelled_ = true;
        co_return cancelled_;
    }

    error interruption(const storage::destination& to) {
        return {disposition::retry, storage::describe(to) + ": interrupted before the attempt"};
    }

    /// Finds a job its way: park, spool, or a worker. Waits only when every destination is full.
    task<> place(delivery_job& job, std::uint64_t batch_number, task_scope& s) {
        if (const auto& problem = job.problem(); !problem.empty()) {
            line_.park(std::move(job), error(disposition::park, problem));
            co_return;
        }
        auto& here = local(job.to());
        auto& l = *here.shared;
        l.last_wanted = batch_number;
        if (l.unusable) {
            line_.spool(std::move(job), *l.unusable);
            co_return;
        }
        if (shared_.refuses(l.to)) {
            line_.spool(std::move(job), *l.gate.reason());
            co_return;
        }
        auto stop = co_await interrupted();
        // Records of the spool are few, since unspool paces them: they wait in the lane, so that those of
        // other destinations do not wait behind them.
        while (!stop && !job.from_spool() && !shared_.has_room(l, job.bytes())) {
            if (l.overflow || shared_.others_run_dry(l)) {
                if (!l.overflow) l.overflow = error(disposition::slow_down, overflow_text(l.to));
                line_.spool(std::move(job), *l.overflow);
                co_return;
            }
            const auto woken = co_await wait_on(shared_.room_changed());
            stop = !woken;
        }
        if (stop) {
            line_.spool(std::move(job), interruption(l.to));
            co_return;
        }
        l.queued_bytes += job.bytes();
        here.waiting.push_back(std::move(job));
        if (here.workers < shared_.options().in_flight) {
            ++here.workers;
            s.spawn(work(here));
        }
    }

    static std::string overflow_text(const storage::destination& to) {
        return storage::describe(to) + " takes less than arrives; kept on disk until it catches up";
    }

    local_lane& local(const storage::destination& to) {
        const auto known = lanes_.find(to);
        if (known != lanes_.end()) return known->second;
        if (lanes_.size() >= most_local_lanes)
            std::erase_if(lanes_, [](const auto& l) { return l.second.workers == 0; });
        return lanes_.emplace(to, local_lane{shared_.lane_of(to)}).first->second;
    }

    /// A worker lives as long as its lane has something waiting. `here` lives in lanes_ as long as it
    /// has workers.
    task<> work(local_lane& here) {
        co_await asio::this_coro::throw_if_cancelled(false);
        while (!here.waiting.empty()) {
            permit running = co_await permission(here.shared->permits);
            const auto stop = co_await interrupted();
            if (stop) {
                co_await keep_waiting(here);
                break;
            }
            if (here.waiting.empty()) break;  // another worker was faster
            delivery_job job = std::move(here.waiting.front());
            here.waiting.pop_front();
            // Taken before the job is finished, which may let go of its bytes.
            const auto room = job.bytes();
            const bool holds_room = job.holds_room();
            if (!holds_room) release_room(*here.shared, room);
            permit large;
            if (job.file()) {
                running = permit();  // small ones go past
                large = co_await permission(here.shared->large_bodies);
                running = co_await permission(here.shared->permits);
            }
            co_await deliver(*here.shared, job);
            if (holds_room) release_room(*here.shared, room);
        }
        --here.workers;
    }

    /// An empty permit when cancelled.
    task<permit> permission(semaphore& of) {
        try {
            auto running = co_await of.acquire();
            co_return running;
        } catch (const boost::system::system_error& e) {
            if (e.code() != asio::error::operation_aborted) throw;
        }
        cancelled_ = true;
        co_return permit();
    }

    /// Spools what waits in a lane, in one write.
    task<> keep_waiting(local_lane& here) {
        std::vector<delivery_job> jobs;
        for (auto& job : here.waiting) {
            release_room(*here.shared, job.bytes());
            job.because(interruption(here.shared->to));
            jobs.push_back(std::move(job));
        }
        here.waiting.clear();
        co_await spool_jobs(shared_, jobs);
    }

    void release_room(lane& l, std::size_t bytes) {
        l.queued_bytes -= bytes;
        if (l.queued_bytes * 2 <= shared_.options().queue_bytes) l.overflow.reset();
        shared_.room_changed().wake_all();
    }

    /// Up to `attempts` tries, then the spool. Ends with the job finished, whatever happens.
    task<> deliver(lane& l, delivery_job& job) {
        const unsigned most = job.from_spool() ? 1 : shared_.options().attempts;
        bool tried = false;
        unsigned paid = 0;
        for (unsigned attempt = 1;; ++attempt) {
            const auto admitted = co_await admit(l, job);
            if (admitted != breaker::admission::go) break;
            auto put = co_await put_once(l, job);
            if (!put) {
                l.gate.abandoned();
                l.gate_changed.wake_all();
                break;
            }
            tried = true;
            if (put->has_value()) {
                l.gate.succeeded();
                l.gate_changed.wake_all();
                l.retries.succeeded(paid);
                co_await delivered_now(job);
                co_return;
            }
            note_failure(l, job, put->error());
            if (attempt >= most || !worth_another_try(put->error())) break;
            const auto cost = l.retries.take(put->error());
            if (!cost) break;
            paid = *cost;
            const auto rested = co_await rest(attempt, put->error());
            if (!rested) break;
        }
        co_await keep(l, job, tried);
    }

    /// A store that asks for a long pause gets it in the spool, where nobody waits behind it.
    bool worth_another_try(const error& why) const {
        if (why.what() == disposition::park || why.what() == disposition::stop) return false;
        return why.retry_after().value_or(std::chrono::milliseconds(0)) <= shared_.options().backoff_cap;
    }

    void note_failure(lane& l, delivery_job& job, const error& why) {
        const auto before = l.gate.current();
        l.gate.failed(why, x_.time.now());
        l.gate_changed.wake_all();
        job.because(why);
        if (before != breaker::state::open && l.gate.current() == breaker::state::open)
            x_.log.warning("destination refused or failed; its events are spooled",
                           {{"destination", storage::describe(l.to)}, {"reason", why.context()}});
    }

    /// Live events do not wait for a probe; records of a spool have nothing better to do.
    task<breaker::admission> admit(lane& l, delivery_job& job) {
        auto stop = co_await interrupted();
        if (stop) co_return breaker::admission::refuse;
        auto answer = l.gate.admit(x_.time.now());
        while (answer == breaker::admission::wait && job.from_spool()) {
            const auto woken = co_await wait_on(l.gate_changed);
            if (!woken) co_return breaker::admission::refuse;
            answer = l.gate.admit(x_.time.now());
        }
        if (answer != breaker::admission::go && !job.has_reason() && l.gate.reason())
            job.because(*l.gate.reason());
        co_return answer;
    }

    /// False when cancelled.
    task<bool> wait_on(wait_queue& changed) {
        auto stop = co_await interrupted();
        if (stop) co_return false;
        try {
            co_await changed.async_wait(use_task);
        } catch (const boost::system::system_error& e) {
            if (e.code() != asio::error::operation_aborted) throw;
            cancelled_ = true;
        }
        stop = co_await interrupted();
        co_return !stop;
    }

    /// Nothing when cancelled: the outcome at the store is unknown, the key makes a repeat safe.
    task<std::optional<result<storage::object_info>>> put_once(lane& l, delivery_job& job) {
        const auto begun = x_.time.now();
        auto answer = co_await attempts_.put(l, job, shared_.options().timeout);
        if (!answer)
            cancelled_ = true;
        else if (!l.unusable)
            shared_.put_ended(l.to, x_.time.now() - begun, answer->has_value());
        co_return answer;
    }

    /// Full jitter, the store's Retry-After as a floor. False when cancelled.
    task<bool> rest(unsigned attempt, const error& why) {
        const auto stop = co_await interrupted();
        if (stop) co_return false;
        const auto& how = shared_.options();
        const auto wake =
            x_.time.now() + jittered(how.backoff, how.backoff_cap, attempt - 1, why.retry_after());
        try {
            co_await x_.time.sleep_until(wake);
            co_return true;
        } catch (const boost::system::system_error& e) {
            if (e.code() != asio::error::operation_aborted) throw;
        }
        cancelled_ = true;
        co_return false;
    }

    std::chrono::milliseconds jittered(std::chrono::milliseconds base, std::chrono::milliseconds cap,
                                       unsigned doublings,
                                       const std::optional<std::chrono::milliseconds>& floor) {
        const auto drawn = full_jitter(base, cap, doublings, x_.random.uniform());
        return std::max(drawn, floor.value_or(std::chrono::milliseconds(0)));
    }

    task<> delivered_now(delivery_job& job) {
        if (!job.from_spool()) {
            job.finish(standing::delivered);
            co_return;
        }
        const settlement what = delivered{};
        co_await settle_job(shared_, job, what, standing::delivered);
    }

    /// The failing path: park, spool, or leave in the spool.
    task<> keep(lane& l, delivery_job& job, bool tried) {
        if (!job.has_reason()) job.because(interruption(l.to));
        std::vector<delivery_job> one;
        const auto attempts = job.attempts() + (tried ? 1U : 0U);
        const auto limit = shared_.options().park_after_attempts;
        const bool hopeless = job.why().what() == disposition::park;
        const bool exhausted = job.from_spool() && tried && limit != 0 && attempts >= limit;
        if (hopeless || exhausted) {
            one.push_back(std::move(job));
            co_await park_jobs(shared_, one);
        } else if (job.from_spool() && tried) {
            const settlement what =
                failed{attempts, next_attempt(attempts, job.why()), describe_failure(job.why())};
            co_await settle_job(shared_, job, what, standing::spooled);
        } else {
            one.push_back(std::move(job));
            co_await spool_jobs(shared_, one);
        }
    }

    time_source::wall next_attempt(unsigned attempts, const error& why) {
        const auto& how = shared_.options();
        const auto doublings = attempts > 0 ? attempts - 1 : 0;
        return x_.time.wall_now() +
               jittered(how.spool_backoff, how.spool_backoff_cap, doublings, why.retry_after());
    }

    delivery& shared_;
    const service_filter& which_;
    context& x_;
    std::map<storage::destination, local_lane> lanes_;  // nodes stay where they are: workers hold references
    watched_attempts attempts_;
    line_to_spool line_;
    bool cancelled_ = false;
};

}  // namespace

task<> upload::run(receiver<event> in, context&) {
    upload_run job(*shared_, which_);
    auto all = job.run(std::move(in));
    co_await std::move(all);
}

}  // namespace firehose::stages
