/// Work that blocks (fsync, directory scans, name look-ups) leaves the shard and comes back to it.
#pragma once
#include "pipeline/task.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace firehose {

namespace detail {

/// What the pool's thread writes and the shard reads afterwards; the post between them orders the two.
template <class R> struct blocking_outcome {
    std::optional<R> value;
    std::exception_ptr failure;

    template <class F> void fill(F& work) noexcept {
        try {
            value.emplace(work());
        } catch (...) {
            failure = std::current_exception();
        }
    }
    R take() {
        if (failure) std::rethrow_exception(failure);
        return std::move(*value);
    }
};

template <> struct blocking_outcome<void> {
    std::exception_ptr failure;

    template <class F> void fill(F& work) noexcept {
        try {
            work();
        } catch (...) {
            failure = std::current_exception();
        }
    }
    void take() const {
        if (failure) std::rethrow_exception(failure);
    }
};

}  // namespace detail

/// Runs `work` on a thread of the pool and returns what it returns, or throws what it throws.
/// `work` may use what it captured by reference as long as nothing else touches it meanwhile, but no
/// shard state (tokens, channels, counters).
///
/// Cancellation: once started, the work runs to its end and the coroutine is resumed only after it,
/// so captured references stay valid; the result is returned, and the cancellation is seen at the
/// caller's next wait. The context is kept running meanwhile. The pool is joined, never stopped,
/// and joined before the context is destroyed.
template <class F>
requires std::is_invocable_v<F&>
auto run_blocking(asio::thread_pool& pool, F work) -> task<std::invoke_result_t<F&>> {
    auto home = co_await asio::this_coro::executor;
    detail::blocking_outcome<std::invoke_result_t<F&>> outcome;
    // Everything referred to lives in this frame, which stays suspended until the handler is posted.
    auto start = [&pool, &home, &work, &outcome](auto handler) {
        asio::post(pool,
                   [&work, &outcome, guard = asio::make_work_guard(home), h = std::move(handler)]() mutable {
                       outcome.fill(work);
                       auto back = guard.get_executor();
                       asio::post(back, std::move(h));
                   });
    };
    auto done = asio::async_initiate<const asio::use_awaitable_t<executor>&, void()>(start, use_task);
    co_await std::move(done);
    co_return outcome.take();
}

}  // namespace firehose
