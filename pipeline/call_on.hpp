/// Runs a coroutine on another shard and brings its result home.
#pragma once
#include "pipeline/wait_queue.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace firehose {

namespace detail {

/// Belongs to the home shard; the other one only carries it in what it posts.
template <class T> struct call_state {
    explicit call_state(executor home) : back(std::move(home)) {}
    std::optional<T> value{};
    std::exception_ptr failure{};
    bool ready = false;
    wait_queue back;
};

template <class T>
void start_call(executor there, executor home, std::function<task<T>()> make,
                std::shared_ptr<call_state<T>> state) {
    asio::post(there, [there, home, make = std::move(make), state = std::move(state)]() mutable {
        auto done = [there, home, state = std::move(state)](std::exception_ptr e, T made) mutable {
            const bool failed = e != nullptr;
            auto bring = [state = std::move(state), e = std::move(e), made = std::move(made)]() mutable {
                state->failure = std::move(e);
                state->value.emplace(std::move(made));
                state->ready = true;
                state->back.wake_all();
            };
            if (!failed)
                asio::post(home, std::move(bring));
            else  // What threw holds its exception until it has returned; then no other thread has it.
                asio::post(there, [home, bring = std::move(bring)]() mutable {
                    asio::post(home, std::move(bring));
                });
        };
        asio::co_spawn(there, make(), std::move(done));
    });
}

}  // namespace detail

/// Calls make() on the shard of `there` and runs there what it returns; returns what that returns, or
/// throws what it throws. What crosses, arguments and result, must not hold tokens, channels or other
/// shard state. T can be made without arguments. Both shards outlive the call.
///
/// Cancellation is seen at once here and not at all there: the coroutine runs to its end, and its result
/// is dropped.
template <class T> task<T> call_on(executor there, std::function<task<T>()> make) {
    auto home = co_await asio::this_coro::executor;
    const auto busy = asio::make_work_guard(home);
    auto state = std::make_shared<detail::call_state<T>>(home);
    detail::start_call(std::move(there), home, std::move(make), state);
    while (!state->ready) co_await state->back.async_wait(use_task);
    if (state->failure) std::rethrow_exception(state->failure);
    co_return std::move(*state->value);
}

}  // namespace firehose
