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
#include <memory>
#include <optional>

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

/// Consuming end. Destroying it tells producers to stop; queued batches report `lost`.
template <class T> class receiver {
public:
    explicit receiver(edge_ptr<T> e) : e_(std::move(e)) {}
    receiver(receiver&&) = default;
    ~receiver() {
        if (e_) e_->abandon();
    }
    task<std::optional<batch<T>>> next() { return e_->receive(); }

private:
    edge_ptr<T> e_;
};

/// Producing end. Destroying it is the end of the stream; the consumer drains first.
template <class T> class sender {
public:
    explicit sender(edge_ptr<T> e) : e_(std::move(e)) {}
    sender(sender&&) = default;
    ~sender() {
        if (e_) e_->close();
    }
    task<bool> push(batch<T>& b) { return e_->send(b, b.bytes()); }

private:
    edge_ptr<T> e_;
};

template <class S>
concept source = requires(S s, sender<typename S::output_type> out, context& x) {
    { s.run(std::move(out), x) } -> std::same_as<task<>>;
};
template <class S>
concept stage =
    requires(S s, receiver<typename S::input_type> in, sender<typename S::output_type> out, context& x) {
        { s.run(std::move(in), std::move(out), x) } -> std::same_as<task<>>;
    };
template <class S>
concept sink = requires(S s, receiver<typename S::input_type> in, context& x) {
    { s.run(std::move(in), x) } -> std::same_as<task<>>;
};

template <class L, class R>
concept connects_to = (source<L> || stage<L>) && (stage<R> || sink<R>) &&
                      std::same_as<typename L::output_type, typename R::input_type>;
}  // namespace firehose
