#pragma once
#include "pipeline/wait_queue.hpp"
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cassert>
#include <exception>
#include <list>
#include <type_traits>

namespace firehose {
/// Children that end before their parent does; the first failure cancels the rest.
/// Exists only inside with_scope(), because C++ has no asynchronous destructor.
class task_scope {
public:
    task_scope(const task_scope&) = delete;
    void spawn(task<> child) {
        const auto it = children_.emplace(children_.end());
        auto done = [this, it](std::exception_ptr e) { finished(it, std::move(e)); };
        asio::co_spawn(ex_, std::move(child), asio::bind_cancellation_slot(it->slot(), std::move(done)));
    }
    void cancel() {
        cancelled_ = true;
        for (auto it = children_.begin(); it != children_.end();)
            (it++)->emit(asio::cancellation_type::terminal);
    }

private:
    template <class F> friend task<> with_scope(executor, F);
    explicit task_scope(executor ex) : ex_(ex), idle_(ex) {}
    ~task_scope() { assert(children_.empty()); }
    void finished(std::list<asio::cancellation_signal>::iterator it, std::exception_ptr e) {
        children_.erase(it);
        if (e && !first_) {
            first_ = std::move(e);
            if (!cancelled_) cancel();
        }
        if (children_.empty()) idle_.wake_all();
    }
    executor ex_;
    wait_queue idle_;
    std::list<asio::cancellation_signal> children_;
    std::exception_ptr first_;
    bool cancelled_ = false;
};

/// Runs body(scope), then waits for every child whatever happened, then rethrows the first failure.
template <class F> task<> with_scope(executor ex, F body) {
    task_scope s(ex);
    std::exception_ptr e;
    try {
        if constexpr (std::is_void_v<std::invoke_result_t<F&, task_scope&>>) {
            body(s);
        } else {
            task<> t = body(s);
            co_await std::move(t);
        }
    } catch (...) {
        e = std::current_exception();
        s.cancel();
    }
    const bool saved = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);  // a joiner always waits
    while (!s.children_.empty()) {
        error_code ec;
        auto quiet = asio::redirect_error(use_task, ec);
        co_await s.idle_.async_wait(quiet);
        if (ec) s.cancel();
    }
    co_await asio::this_coro::throw_if_cancelled(saved);
    if (!e) e = s.first_;
    if (e) std::rethrow_exception(e);
}
}  // namespace firehose
