/// Merges small batches into larger ones by bytes, count and age.
#pragma once
#include "pipeline/compose.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace firehose {

struct coalesce_options {
    std::size_t max_bytes = 1 << 20;
    std::size_t max_items = 4096;
    std::chrono::milliseconds max_age{100};  ///< of the oldest item, once it has arrived here
};

namespace detail {

/// One batch with the items, slabs and obligations of all parts. A single part is passed as it is.
template <class T> batch<T> merge(std::vector<batch<T>> parts) {
    if (parts.size() == 1) return std::move(parts.front());
    std::vector<T> items;
    std::vector<slab> slabs;
    std::size_t bytes = 0;
    auto acks = std::make_shared<std::vector<ack_token>>();
    for (auto& part : parts) {
        items.insert(items.end(), part.items().begin(), part.items().end());
        for (const slab& s : part.slabs())
            if (slabs.empty() || slabs.back() != s) slabs.push_back(s);  // neighbours often share one
        bytes += part.bytes();
        acks->push_back(part.take_ack());
    }
    ack_token all([acks](outcome what) {
        for (auto& ack : *acks) ack.resolve(what);
    });
    return batch<T>(std::move(items), bytes, std::move(all), std::move(slabs));
}

/// The frame of one running coalesce. One coroutine moves batches, one only sleeps: no receive is
/// ever raced against a timer.
template <class T> class coalescing {
public:
    coalescing(coalesce_options options, receiver<T> in, sender<T> out, context& x)
        : options_(options), in_(std::move(in)), out_(std::move(out)), time_(x.time), due_changed_(x.ex) {}

    task<> carry(task_scope& s) {
        bool wanted = true;
        while (wanted) {
            if (due_ && time_.now() >= *due_) {
                wanted = co_await flush();
                continue;
            }
            auto part = in_.try_next();
            if (part) {
                wanted = co_await add(*part);
                continue;
            }
            if (in_.ended()) break;
            co_await in_.readable();
        }
        co_await flush();
        s.cancel();  // the sleeper
    }
    /// Wakes carry() when the oldest item has waited long enough.
    task<> watch_age() {
        for (;;) {
            while (!due_) co_await due_changed_.async_wait(use_task);
            const auto when = *due_;
            co_await time_.sleep_until(when);
            in_.nudge();
            while (due_ == when) co_await due_changed_.async_wait(use_task);
        }
    }

private:
    /// False: nobody wants any more.
    task<bool> add(batch<T>& part) {
        bool wanted = true;
        if (bytes_ + part.bytes() > options_.max_bytes || items_ + part.items().size() > options_.max_items)
            wanted = co_await flush();
        if (!wanted) co_return false;
        bytes_ += part.bytes();
        items_ += part.items().size();
        parts_.push_back(std::move(part));
        if (bytes_ >= options_.max_bytes || items_ >= options_.max_items) co_return co_await flush();
        if (parts_.size() == 1) set_due(time_.now() + options_.max_age);
        co_return true;
    }
    task<bool> flush() {
        if (parts_.empty()) co_return true;
        auto merged = merge(std::exchange(parts_, {}));
        bytes_ = items_ = 0;
        set_due(std::nullopt);
        co_return co_await out_.push(merged);
    }
    void set_due(std::optional<time_source::steady> when) {
        due_ = when;
        due_changed_.wake_all();
    }

    coalesce_options options_;
    receiver<T> in_;
    sender<T> out_;
    time_source& time_;
    wait_queue due_changed_;
    std::optional<time_source::steady> due_;
    std::vector<batch<T>> parts_;
    std::size_t bytes_ = 0, items_ = 0;
};

}  // namespace detail

/// Stage. A merged batch never exceeds the limits unless one part alone did; its verdict is that of
/// every part. Items are copied into the merged batch, their bytes are not. At the end of the input
/// what is left is flushed. Cancelled: what was gathered reports `lost`.
template <class T> struct coalesce_stage {
    using input_type = T;
    using output_type = T;
    coalesce_options options{};

    task<> run(receiver<T> in, sender<T> out, context& x) {
        auto state = std::make_shared<detail::coalescing<T>>(options, std::move(in), std::move(out), x);
        return with_scope(x.ex, [state](task_scope& s) {
            s.spawn(state->watch_age());
            return state->carry(s);
        });
    }
};

/// Takes its type from the part on its left.
struct late_coalesce {
    using binds_to_the_left = void;
    coalesce_options options{};
    template <class T> auto bind() const { return coalesce_stage<T>{options}; }
};

inline auto coalesce(coalesce_options options = {}) { return late_coalesce{options}; }
template <class T> auto coalesce(coalesce_options options = {}) { return coalesce_stage<T>{options}; }

}  // namespace firehose
