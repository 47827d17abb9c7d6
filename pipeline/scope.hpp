/// Structured concurrency: children that end before their parent does.
#pragma once
#include "pipeline/wait_queue.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>

#include <cassert>
#include <exception>
#include <list>
#include <string>
#include <type_traits>
#include <utility>

namespace firehose {

/// True for the exception by which Asio reports cancellation, and for nothing else.
bool is_cancellation(const std::exception_ptr& e) noexcept;

/// What an exception says, for logs and reports.
std::string describe(const std::exception_ptr& e);

/// Children that end before their parent does; the first failure cancels the rest.
/// Exists only inside with_scope(), because C++ has no asynchronous destructor. Single shard; spawn()
/// and cancel() are called from code that runs on it.
class task_scope {
public:
    task_scope(const task_scope&) = delete;
    task_scope& operator=(const task_scope&) = delete;

    /// Starts `child` after the caller suspends. In a scope that was cancelled the child is
    /// destroyed without having run, and what it was given with it (a batch reports `lost`).
    void spawn(task<> child) {
        if (cancelled_) return;
        const auto it = children_.emplace(children_.end());
        auto done = [this, it](std::exception_ptr e) { finished(it, std::move(e)); };
        asio::co_spawn(ex_, start_later(std::move(child)),
                       asio::bind_cancellation_slot(it->slot(), std::move(done)));
    }
    /// Abandons the children. Those that end by cancellation after this are no failure of the scope.
    void cancel() {
        deliberate_ = true;
        cancel_children();
    }

private:
    template <class F> friend task<> with_scope(executor, F);
    using signals = std::list<asio::cancellation_signal>;

    explicit task_scope(executor ex) : ex_(ex), idle_(ex) {}
    ~task_scope() { assert(children_.empty()); }

    /// A coroutine that never suspended must not cancel itself: Boost 1.81 would lose its completion.
    static task<> start_later(task<> child) {
        co_await asio::post(use_task);
        co_await std::move(child);
    }
    void cancel_children() {
        cancelled_ = true;
        for (auto it = children_.begin(); it != children_.end();)
            (it++)->emit(asio::cancellation_type::terminal);
    }
    void failed(std::exception_ptr e) {
        auto& kept = is_cancellation(e) ? aborted_ : failure_;
        if (!kept) kept = std::move(e);
        if (!cancelled_) cancel_children();
    }
    void finished(signals::iterator it, std::exception_ptr e) {
        children_.erase(it);
        if (e) failed(std::move(e));
        if (children_.empty()) idle_.wake_all();
    }
    /// A failure says more than the cancellations it caused.
    std::exception_ptr verdict() const {
        if (failure_) return failure_;
        return deliberate_ ? nullptr : aborted_;
    }

    executor ex_;
    wait_queue idle_;
    signals children_;
    std::exception_ptr failure_, aborted_;
    bool cancelled_ = false, deliberate_ = false;
};

/// Runs body(scope), then waits for every child whatever happened, then rethrows the first failure.
/// A body that returns a task is the first child: a failure elsewhere cancels it too. The body object
/// lives as long as the scope, so its captures are good for the children. Cancelling with_scope()
/// cancels the children and still waits for them.
template <class F> task<> with_scope(executor ex, F body) {
    task_scope s(ex);
    try {
        if constexpr (std::is_void_v<std::invoke_result_t<F&, task_scope&>>)
            body(s);
        else
            s.spawn(body(s));
    } catch (...) {
        s.failed(std::current_exception());
    }
    auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) s.cancel_children();
    const bool saved = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);  // a joiner always waits
    while (!s.children_.empty()) {
        error_code ec;
        auto quiet = asio::redirect_error(use_task, ec);
        co_await s.idle_.async_wait(quiet);
        if (ec) s.deliberate_ = false;
        if (ec) s.cancel_children();
    }
    co_await asio::this_coro::throw_if_cancelled(saved);
    if (auto e = s.verdict()) std::rethrow_exception(e);
}

}  // namespace firehose
