/// One input to many sinks: every branch has its own edge, its own obligation and its own failure.
#pragma once
#include "pipeline/compose.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace firehose {

struct fan_out_options {
    unsigned restarts = 3;                   ///< failures in a row that are survived, per branch
    std::chrono::milliseconds backoff{100};  ///< after the first failure; doubles with each
    std::chrono::milliseconds longest_backoff{10'000};
    std::chrono::milliseconds healthy_after{60'000};  ///< a branch that ran this long starts counting anew
};

namespace detail {

/// Policy and book-keeping of one branch, without its edge.
struct branch_health {
    std::size_t number = 0;
    unsigned failures = 0;
    bool down = true;
    time_source::steady started_at{}, restart_at{};

    void started(context& x);
    /// Counts, logs and schedules the restart; rethrows when the branch has failed too often.
    void failed(const std::exception_ptr& why, const fan_out_options& options, context& x);
};

template <class T> using branch_main = std::function<task<>(receiver<T>, context&)>;

/// The frame of one running fan-out; lives as long as its scope.
template <class T> class running_branches {
public:
    running_branches(std::vector<branch_main<T>> mains, fan_out_options options, receiver<T> in, context& x)
        : options_(options), in_(std::move(in)), x_(x) {
        for (auto& main : mains) {
            auto& added = branches_.emplace_back();
            added.main = std::move(main);
            added.health.number = branches_.size() - 1;
        }
    }

    task<> pump(task_scope& s) {
        for (auto& b : branches_) open(b, s);
        for (;;) {
            auto b = co_await in_.next();
            if (!b) break;
            for (auto& to : branches_) {
                if (to.health.down && x_.time.now() >= to.health.restart_at) open(to, s);
                auto copy = b->share();
                const bool taken = co_await offer(to, copy);
                if (!taken) ++refused_;  // `copy` says `lost` at the end of this block
            }
            b->take_ack().resolve(outcome::stored);  // our own part is done
        }
        input_over_ = true;
        for (auto& b : branches_) b.out.reset();  // the branches drain
    }

private:
    struct branch {
        branch_main<T> main;
        branch_health health;
        /// Only pump() touches it: a push may be waiting inside.
        std::optional<sender<T>> out;
    };

    task<bool> offer(branch& to, batch<T>& b) {
        if (to.health.down) co_return false;
        co_return co_await to.out->push(b);
    }
    void open(branch& b, task_scope& s) {
        auto e = make_edge<T>(x_);
        b.out.emplace(e);
        b.health.started(x_);
        s.spawn(isolate(b, receiver<T>(e)));
    }
    task<> isolate(branch& b, receiver<T> in) {
        std::exception_ptr failure;
        try {
            task<> running = b.main(std::move(in), x_);
            co_await std::move(running);
        } catch (...) {
            failure = std::current_exception();
        }
        auto state = co_await asio::this_coro::cancellation_state;
        const bool cancelled = state.cancelled() != asio::cancellation_type::none;
        if (cancelled && failure) std::rethrow_exception(failure);
        if (!failure && (cancelled || input_over_)) co_return;
        b.health.failed(failure, options_, x_);
    }

    fan_out_options options_;
    receiver<T> in_;
    context& x_;
    std::deque<branch> branches_;
    std::uint64_t& refused_ = x_.count["fan_out.batches_refused"];
    bool input_over_ = false;
};

template <class T>
task<> run_branches(std::vector<branch_main<T>> mains, fan_out_options options, receiver<T> in, context& x) {
    auto state = std::make_shared<running_branches<T>>(std::move(mains), options, std::move(in), x);
    return with_scope(x.ex, [state](task_scope& s) { return state->pump(s); });
}

template <class B> auto main_of(B& b) {
    return [&b](receiver<typename B::input_type> in, context& x) { return b.run(std::move(in), x); };
}

}  // namespace detail

/// Branches of different types, known when compiled. What a branch that throws held or had queued,
/// and what is offered while it is down, reports `lost`, so nothing commits past it; the others go
/// on. It is run again on a fresh edge with the first batch after a back-off, so run() must be fit
/// to be called again; when it has failed too often the exception goes through and ends all. A full
/// edge of a running branch makes the pump wait. A branch that returns before its input ended has failed.
template <class T, sink... Bs> struct fan_out_sink {
    using input_type = T;
    std::tuple<Bs...> branches;
    fan_out_options options{};

    task<> run(receiver<T> in, context& x) {
        std::vector<detail::branch_main<T>> mains;
        std::apply([&mains](auto&... b) { (mains.emplace_back(detail::main_of(b)), ...); }, branches);
        return detail::run_branches<T>(std::move(mains), options, std::move(in), x);
    }
};

/// The same for branches of one type, whose number is known when the program runs. With no branch at
/// all every batch is resolved `stored`.
template <sink B> struct fan_out_list {
    using input_type = typename B::input_type;
    std::vector<B> branches;
    fan_out_options options{};

    task<> run(receiver<input_type> in, context& x) {
        std::vector<detail::branch_main<input_type>> mains;
        for (B& b : branches) mains.emplace_back(detail::main_of(b));
        return detail::run_branches<input_type>(std::move(mains), options, std::move(in), x);
    }
};

template <sink B, sink... Bs> requires(std::same_as<typename B::input_type, typename Bs::input_type> && ...)
auto fan_out(fan_out_options options, B b, Bs... bs) {
    return fan_out_sink<typename B::input_type, B, Bs...>{{std::move(b), std::move(bs)...}, options};
}
template <sink B, sink... Bs> requires(std::same_as<typename B::input_type, typename Bs::input_type> && ...)
auto fan_out(B b, Bs... bs) {
    return fan_out(fan_out_options{}, std::move(b), std::move(bs)...);
}
template <sink B> auto fan_out(std::vector<B> branches, fan_out_options options = {}) {
    return fan_out_list<B>{std::move(branches), options};
}

}  // namespace firehose
