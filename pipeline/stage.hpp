/// What a part of a pipeline is: a class with its item types and one coroutine.
#pragma once
#include "pipeline/batch.hpp"
#include "pipeline/channel.hpp"
#include "pipeline/counters.hpp"
#include "pipeline/log.hpp"
#include "pipeline/randomness.hpp"
#include "pipeline/stop.hpp"
#include "pipeline/time_source.hpp"

#include <boost/asio/thread_pool.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace firehose {

/// What every stage is handed. Real runs and tests differ only here. One per shard; everything it
/// refers to outlives the pipeline.
struct context {
    executor ex;
    time_source& time;
    randomness& random;
    stop_state& stop;
    counters& count;
    asio::thread_pool& blocking;  ///< for run_blocking(): fsync, directory scans, resolving
    logger log{};
    std::size_t queue_bytes = 4 << 20;  ///< capacity of each edge
};

template <class T> using edge = channel<batch<T>>;
template <class T> using edge_ptr = std::shared_ptr<edge<T>>;
template <class T> edge_ptr<T> make_edge(context& x) {
    return std::make_shared<edge<T>>(x.ex, x.queue_bytes);
}

/// What a receiver reads from: an edge, or an edge seen through a fused transform.
template <class T> class inlet {
public:
    virtual ~inlet() = default;
    virtual task<std::optional<batch<T>>> next() = 0;
    virtual std::optional<batch<T>> try_next() = 0;
    virtual task<> readable() = 0;
    virtual void nudge() = 0;
    virtual bool ended() const = 0;
};

/// What a sender writes to: an edge, or an edge behind a fused transform.
template <class T> class outlet {
public:
    virtual ~outlet() = default;
    virtual task<bool> push(batch<T>& b) = 0;
};

/// Consuming end. Destroying it tells producers to stop; queued batches report `lost`.
template <class T> class receiver {
public:
    explicit receiver(edge_ptr<T> e) : from_(std::make_unique<edge_end>(std::move(e))) {}
    explicit receiver(std::unique_ptr<inlet<T>> from) : from_(std::move(from)) {}

    /// nullopt: the stream has ended and is drained. Cancellation loses nothing.
    task<std::optional<batch<T>>> next() { return from_->next(); }
    /// nullopt: nothing there at the moment.
    std::optional<batch<T>> try_next() { return from_->try_next(); }
    /// Returns when try_next() may give something, the stream has ended, or after nudge().
    task<> readable() { return from_->readable(); }
    void nudge() { from_->nudge(); }
    bool ended() const { return from_->ended(); }

private:
    struct edge_end final : inlet<T> {
        explicit edge_end(edge_ptr<T> to) : e(std::move(to)) {}
        ~edge_end() override { e->abandon(); }
        task<std::optional<batch<T>>> next() override { return e->receive(); }
        std::optional<batch<T>> try_next() override { return e->try_receive(); }
        task<> readable() override { return e->readable(); }
        void nudge() override { e->nudge(); }
        bool ended() const override { return e->ended(); }
        edge_ptr<T> e;
    };
    std::unique_ptr<inlet<T>> from_;
};

/// Producing end. Destroying it is the end of the stream; the consumer drains first.
template <class T> class sender {
public:
    explicit sender(edge_ptr<T> e) : to_(std::make_unique<edge_end>(std::move(e))) {}
    explicit sender(std::unique_ptr<outlet<T>> to) : to_(std::move(to)) {}

    /// False: nobody receives any more, `b` is still the caller's. Waits while the edge is full;
    /// cancellation leaves `b` with the caller.
    task<bool> push(batch<T>& b) { return to_->push(b); }

private:
    struct edge_end final : outlet<T> {
        explicit edge_end(edge_ptr<T> to) : e(std::move(to)) {}
        ~edge_end() override { e->close(); }
        task<bool> push(batch<T>& b) override { return e->send(b, b.bytes()); }
        edge_ptr<T> e;
    };
    std::unique_ptr<outlet<T>> to_;
};

/// First part: makes batches. Returns at the end of its input, or soon after the drain is requested.
template <class S>
concept source = requires(S s, sender<typename S::output_type> out, context& x) {
    { s.run(std::move(out), x) } -> std::same_as<task<>>;
};
/// Middle part: returns when its input has ended; passes each obligation on or resolves it.
template <class S>
concept stage =
    requires(S s, receiver<typename S::input_type> in, sender<typename S::output_type> out, context& x) {
        { s.run(std::move(in), std::move(out), x) } -> std::same_as<task<>>;
    };
/// Last part: resolves each obligation.
template <class S>
concept sink = requires(S s, receiver<typename S::input_type> in, context& x) {
    { s.run(std::move(in), x) } -> std::same_as<task<>>;
};
/// A whole pipeline.
template <class S>
concept runnable = requires(S s, context& x) {
    { s.run(x) } -> std::same_as<task<>>;
};

template <class L, class R>
concept connects_to = (source<L> || stage<L>) && (stage<R> || sink<R>) &&
                      std::same_as<typename L::output_type, typename R::input_type>;

}  // namespace firehose
