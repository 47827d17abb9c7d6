#pragma once
#include "pipeline/wait_queue.hpp"
#include <deque>
#include <optional>

namespace firehose {
/// Bounded single-shard channel. Capacity counts weight (bytes), not items; one item
/// heavier than the capacity is let through when the channel is empty.
/// close(): no more sends, receivers drain what is there. abandon(): receivers are gone.
template <class T> class channel {
public:
    channel(executor ex, std::size_t capacity) : not_full_(ex), not_empty_(ex), capacity_(capacity) {}

    /// False: closed, `item` is untouched and still the caller's.
    task<bool> send(T& item, std::size_t weight) {
        while (!closed_ && !fits(weight)) co_await not_full_.async_wait(use_task);
        co_return try_send(item, weight);
    }
    bool try_send(T& item, std::size_t weight) {
        if (closed_ || !fits(weight)) return false;
        items_.emplace_back(std::move(item), weight);
        used_ += weight;
        not_empty_.wake_one();
        return true;
    }
    /// nullopt: closed and drained.
    task<std::optional<T>> receive() {
        while (items_.empty() && !closed_) co_await not_empty_.async_wait(use_task);
        co_return try_receive();
    }
    std::optional<T> try_receive() {
        if (items_.empty()) return std::nullopt;
        std::optional<T> out(std::move(items_.front().first));
        used_ -= items_.front().second;
        items_.pop_front();
        not_full_.wake_one();
        return out;
    }
    void close() {
        closed_ = true;
        not_full_.wake_all();
        not_empty_.wake_all();
    }
    void abandon() {
        close();
        items_.clear();
        used_ = 0;
    }

private:
    bool fits(std::size_t w) const { return used_ == 0 || used_ + w <= capacity_; }
    wait_queue not_full_, not_empty_;
    std::deque<std::pair<T, std::size_t>> items_;
    std::size_t capacity_, used_ = 0;
    bool closed_ = false;
};
}  // namespace firehose
