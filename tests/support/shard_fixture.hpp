/// One shard for tests: a context, virtual time, seeded randomness, and runs that need no sleeping.
#pragma once
#include "pipeline/randomness.hpp"
#include "pipeline/scope.hpp"
#include "pipeline/stage.hpp"
#include "tests/support/manual_time.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace firehose {

/// A task that was started by shard_fixture::start(); copies refer to the same run.
class started_task {
public:
    bool done() const { return state_->done; }
    bool failed() const { return state_->failure != nullptr; }
    bool was_cancelled() const { return is_cancellation(state_->failure); }
    std::exception_ptr failure() const { return state_->failure; }
    /// Terminal cancellation, delivered on the shard at the next settle() or finish().
    void cancel() {
        asio::post(state_->ex, [s = state_] {
            if (!s->done) s->signal.emit(asio::cancellation_type::terminal);
        });
    }

private:
    friend class shard_fixture;
    struct state {
        explicit state(executor e) : ex(std::move(e)) {}
        executor ex;
        asio::cancellation_signal signal{};
        std::exception_ptr failure{};
        bool done = false;
    };
    explicit started_task(executor ex) : state_(std::make_shared<state>(std::move(ex))) {}
    std::shared_ptr<state> state_;
};

/// `x` is the ready-made context; the members behind it are open to inspection. run() and finish()
/// poll until nothing moves, wait for blocking work, then jump to the next sleeper. They throw
/// "stuck" when a task waits for something that cannot come. Not for tests with sockets: an idle
/// socket is taken for an idle shard.
class shard_fixture {
public:
    explicit shard_fixture(std::uint64_t seed = 1) : random(seed) {}
    shard_fixture(const shard_fixture&) = delete;
    shard_fixture& operator=(const shard_fixture&) = delete;
    ~shard_fixture() {
        settle();
        blocking.join();
    }

    asio::io_context io{1};
    manual_time time{io.get_executor()};
    seeded_randomness random;
    stop_state stop{io.get_executor()};
    counters count;
    asio::thread_pool blocking{1};  // one thread, so that a marker posted last is served last
    std::vector<std::string> log_lines;
    context x{.ex = io.get_executor(),
              .time = time,
              .random = random,
              .stop = stop,
              .count = count,
              .blocking = blocking,
              .log = logger(
                  [this](log_level level, std::string_view line) {
                      log_lines.push_back(std::string(to_string(level)) + " " + std::string(line));
                  },
                  log_level::debug)};

    /// Starts `t`; nothing runs before settle() or finish().
    started_task start(task<> t) {
        started_task handle(io.get_executor());
        auto state = handle.state_;
        auto done = [state](std::exception_ptr e) {
            state->failure = std::move(e);
            state->done = true;
        };
        asio::co_spawn(io, std::move(t), asio::bind_cancellation_slot(state->signal.slot(), std::move(done)));
        return handle;
    }
    /// Runs what can run without time passing. True when something did.
    bool settle() {
        bool moved = false;
        while (poll() || (wait_for_blocking_work(), poll())) moved = true;
        return moved;
    }
    /// Runs until `t` is done, jumping through virtual time; rethrows its failure.
    void finish(started_task t) {
        run_until_done(t);
        if (t.failure()) std::rethrow_exception(t.failure());
    }
    void run(task<> t) { finish(start(std::move(t))); }
    template <class T> requires(!std::is_void_v<T>) T run(task<T> t) {
        std::optional<T> value;
        run(store_result(std::move(t), value));
        return std::move(*value);
    }
    /// Moves virtual time by exactly `d`, running what becomes ready on the way.
    void advance(std::chrono::nanoseconds d) {
        settle();
        time.advance(d);
        settle();
    }

private:
    template <class T> static task<> store_result(task<T> t, std::optional<T>& to) {
        auto value = co_await std::move(t);
        to.emplace(std::move(value));
    }
    bool poll() {
        io.restart();
        return io.poll() > 0;
    }
    void wait_for_blocking_work() {
        std::promise<void> reached;
        asio::post(blocking, [&reached] { reached.set_value(); });
        reached.get_future().wait();
    }
    void run_until_done(started_task& t) {
        while (!t.done()) {
            if (settle() || time.advance_to_next()) continue;
            t.cancel();
            settle();
            throw std::runtime_error("stuck: the task waits for something that cannot come");
        }
        settle();
    }
};

}  // namespace firehose
