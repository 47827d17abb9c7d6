/// Bounded, weighted, single-shard channel that drains before it ends and loses nothing on cancellation.
#pragma once
#include "pipeline/wait_queue.hpp"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

namespace firehose {

/// Capacity counts weight (bytes), not items; an item counts at least 1, and one heavier than the
/// capacity is let through when the channel is empty. Senders that wait are served in order of
/// arrival, whatever their weight, so a heavy one is not overtaken for ever by light ones.
///
/// close(): no more sends; receivers drain what is there and then see the end.
/// abandon(): receivers are gone; what is queued is destroyed (a batch reports `lost`).
///
/// Single shard. Outlives the coroutines that wait on it. Cancelling send() leaves the item with the
/// caller, cancelling receive() leaves the items in the channel.
template <class T> class channel {
public:
    channel(executor ex, std::size_t capacity) : ex_(ex), not_empty_(ex), capacity_(capacity) {}
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;

    /// False: closed, `item` is untouched and still the caller's.
    task<bool> send(T& item, std::size_t weight) {
        if (must_wait(weight)) {
            turn mine(*this, weight);
            while (!closed_ && !(line_.front_is(mine) && fits(weight)))
                co_await mine.woken.async_wait(use_task);
        }
        co_return put(item, weight);
    }
    /// False: full, closed, or others have been waiting longer; `item` is untouched.
    bool try_send(T& item, std::size_t weight) { return !must_wait(weight) && put(item, weight); }

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
        wake_next_sender();
        return out;
    }
    /// Returns when an item can be taken, the channel is closed, or somebody called nudge().
    task<> readable() {
        if (items_.empty() && !closed_) co_await not_empty_.async_wait(use_task);
    }
    /// Wakes whoever waits in readable(), for a reason of the caller's.
    void nudge() { not_empty_.wake_all(); }
    /// Closed and drained: nothing will ever be received again.
    bool ended() const noexcept { return closed_ && items_.empty(); }

    void close() {
        closed_ = true;
        for (turn& t : line_.turns) t.woken.wake_one();
        not_empty_.wake_all();
    }
    void abandon() {
        close();
        // Destroying an item may run the source's callback, which may look at this channel.
        auto dropped = std::exchange(items_, {});
        used_ = 0;
    }

private:
    /// A sender's place in the line, held in its frame; leaving it lets the next one in.
    struct turn : boost::intrusive::list_base_hook<> {
        turn(channel& c, std::size_t w) : woken(c.ex_), weight(w), owner(c) {
            c.line_.turns.push_back(*this);
        }
        turn(const turn&) = delete;
        ~turn() {
            owner.line_.turns.erase(owner.line_.turns.iterator_to(*this));
            owner.wake_next_sender();
        }
        wait_queue woken;
        std::size_t weight;
        channel& owner;
    };
    struct queue_of_turns {
        bool front_is(const turn& t) const { return &turns.front() == &t; }
        boost::intrusive::list<turn> turns;
    };

    bool fits(std::size_t w) const { return used_ == 0 || used_ + std::max<std::size_t>(w, 1) <= capacity_; }
    bool must_wait(std::size_t weight) const { return !closed_ && (!line_.turns.empty() || !fits(weight)); }
    bool put(T& item, std::size_t weight) {
        if (closed_) return false;
        const std::size_t counted = std::max<std::size_t>(weight, 1);
        items_.emplace_back(std::move(item), counted);
        used_ += counted;
        not_empty_.wake_one();
        return true;
    }
    void wake_next_sender() {
        if (!line_.turns.empty() && fits(line_.turns.front().weight)) line_.turns.front().woken.wake_one();
    }

    executor ex_;
    wait_queue not_empty_;
    queue_of_turns line_;
    std::deque<std::pair<T, std::size_t>> items_;
    std::size_t capacity_, used_ = 0;
    bool closed_ = false;
};

}  // namespace firehose
