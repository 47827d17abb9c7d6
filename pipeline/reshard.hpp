/// The one cross-thread edge: batches travel to other shards, obligations stay at home.
#pragma once
#include "pipeline/stage.hpp"

#include <boost/asio/post.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace firehose {

namespace detail {

/// The half on the home shard: the obligations of all batches that are away, by number. Only the
/// home's thread calls its members; the other threads hold it to pass it back in a post.
class reshard_home {
public:
    reshard_home(executor on, std::size_t targets);

    /// The open target with the least on its way; nullopt when all are gone.
    std::optional<std::size_t> choose() const;
    bool has_room(std::size_t target, std::size_t bytes, std::size_t limit) const;

    /// Books a batch out to `target`; it weighs there until it arrived() or is settled.
    std::uint64_t book_out(ack_token ack, std::size_t target, std::size_t bytes);
    void arrived(std::uint64_t id);
    void settle(std::uint64_t id, outcome what);
    /// The target reads no more; what is still on its way there comes back as `lost`.
    void gone(std::size_t target);

    /// Nobody waits for verdicts any more: what is away is `lost`.
    void give_up();
    bool nothing_away() const noexcept { return away_.empty(); }

    wait_queue changed;
    const executor ex;

private:
    struct journey {
        ack_token ack;
        std::size_t target, weight;  // the weight is 0 from the arrival on
    };
    struct target_state {
        std::size_t in_transit = 0;
        bool open = true;
    };
    void unload(journey& j);
    std::unordered_map<std::uint64_t, journey> away_;
    std::vector<target_state> targets_;
    std::uint64_t last_ = 0;
};

/// A verdict on its way home. Exactly one call; the reference to the home half travels with it, so
/// that its last one is never dropped on a foreign thread.
ack_token verdict_by_post(std::shared_ptr<reshard_home> home, std::uint64_t id);

/// The half on a target shard: an inbox that only its thread touches. Its bound is kept at home.
template <class T> struct reshard_target {
    explicit reshard_target(executor on) : ex(on), inbox(std::move(on), SIZE_MAX) {}
    executor ex;
    channel<std::pair<batch<T>, std::uint64_t>> inbox;
    std::shared_ptr<reshard_home> home;
    std::size_t number = 0;
};

template <class T> using reshard_targets = std::vector<std::shared_ptr<reshard_target<T>>>;

template <class T> void post_batch(const std::shared_ptr<reshard_target<T>>& to, batch<T> bare,
                                   std::uint64_t id) {
    asio::post(to->ex, [to, id, b = std::move(bare)]() mutable {
        std::pair arriving(b.with_ack(verdict_by_post(to->home, id)), id);
        to->inbox.try_send(arriving, b.bytes());  // refused: `arriving` says `lost`
    });
}

/// Ends the streams and, when the verdicts can no longer come, the obligations; on every way out.
template <class T> struct reshard_end {
    const reshard_targets<T>& targets;
    reshard_home& home;
    ~reshard_end() {
        end_streams();
        home.give_up();
    }
    void end_streams() {
        for (const auto& t : targets) asio::post(t->ex, [t] { t->inbox.close(); });
    }
};

}  // namespace detail

/// Sink on the home shard: gives each batch to the target with the least in transit, at most
/// `queue_bytes` of the context to each. Returns when every verdict is back. Cancelled: the
/// obligations of what is away resolve `lost` at once, later verdicts go nowhere. A target whose source
/// has ended gets no more; when all have, the sink returns.
template <class T> struct reshard_sink {
    using input_type = T;
    std::shared_ptr<detail::reshard_home> home;
    detail::reshard_targets<T> targets;

    task<> run(receiver<T> in, context& x) {
        assert(x.ex == home->ex && "runs on the home shard");
        detail::reshard_end<T> end{targets, *home};
        for (;;) {
            auto b = co_await in.next();
            if (!b) break;
            auto to = home->choose();
            while (to && !home->has_room(*to, b->bytes(), x.queue_bytes)) {
                co_await home->changed.async_wait(use_task);
                to = home->choose();
            }
            if (!to) co_return;  // every target is gone
            const auto id = home->book_out(b->take_ack(), *to, b->bytes());
            detail::post_batch(targets[*to], b->with_ack({}), id);
        }
        end.end_streams();
        while (!home->nothing_away()) co_await home->changed.async_wait(use_task);
    }
};

/// Source on target shard: ends when the home's stream has ended. Cancelled: what arrives later is
/// refused and reports `lost` at home.
template <class T> struct reshard_source {
    using output_type = T;
    std::shared_ptr<detail::reshard_target<T>> target;

    task<> run(sender<T> out, [[maybe_unused]] context& x) {
        assert(x.ex == target->ex && "runs on the shard it was made for");
        const closing at_the_end{*target};
        for (;;) {
            auto arrival = co_await target->inbox.receive();
            if (!arrival) co_return;
            auto& [b, id] = *arrival;
            const bool taken = co_await out.push(b);
            if (!taken) co_return;
            at_the_end.post_home(&detail::reshard_home::arrived, id);
        }
    }

private:
    struct closing {
        detail::reshard_target<T>& target;
        ~closing() {
            target.inbox.abandon();
            post_home(&detail::reshard_home::gone, target.number);
        }
        template <class Number> void post_home(void (detail::reshard_home::*call)(Number), Number n) const {
            auto home = target.home;
            const auto ex = home->ex;
            asio::post(ex, [h = std::move(home), call, n] { ((*h).*call)(n); });
        }
    };
};

/// Made before the shards start, from the executor of the home shard and those of the targets (home
/// may be one of them). Take sink() to the home and source(i) to target i; each is run once. The
/// contexts outlive all parts and every target's context runs until the home's sink has returned,
/// as run_sharded() and shard_pool see to.
template <class T> class reshard {
public:
    reshard(executor home, const std::vector<executor>& targets)
        : home_(std::make_shared<detail::reshard_home>(std::move(home), targets.size())) {
        for (const auto& ex : targets) {
            auto& t = targets_.emplace_back(std::make_shared<detail::reshard_target<T>>(ex));
            t->home = home_;
            t->number = targets_.size() - 1;
        }
    }
    reshard_sink<T> sink() const { return {home_, targets_}; }
    reshard_source<T> source(std::size_t target) const { return {targets_[target]}; }

private:
    std::shared_ptr<detail::reshard_home> home_;
    detail::reshard_targets<T> targets_;
};

}  // namespace firehose
