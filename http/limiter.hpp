/// A transport that bounds how much runs at once, and lets the destination say how much that is.
#pragma once
#include "http/transport.hpp"
#include "pipeline/scope.hpp"
#include "pipeline/stage.hpp"

#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace firehose::http {

struct limiter_options {
    std::size_t start = 1024;  ///< requests at once until the destination asks for less
    std::size_t least = 1;
    std::size_t most = 1024;
};

/// Additive increase, multiplicative decrease, as TCP does it: one more at once per round trip in which
/// the limit was what held the callers back; half of what was running when the destination asks to slow
/// down. Requests sent before a cut say nothing about the limit after it, so there is at most one cut
/// per round trip however many refusals come. Waiters are served in order of arrival; a cancelled one
/// leaves nothing behind. Single shard; outlives its permits and those who wait.
class limiter {
public:
    /// The right to run one request; gives itself back when destroyed.
    class permit {
    public:
        permit(permit&& other) noexcept
            : of_(std::exchange(other.of_, nullptr)), generation_(other.generation_) {}
        permit& operator=(permit&&) = delete;
        ~permit() {
            if (of_ != nullptr) of_->leave();
        }
        void succeeded() { of_->grow(generation_); }
        void told_to_slow_down() { of_->cut(generation_); }

    private:
        friend class limiter;
        permit(limiter* of, std::uint64_t generation) : of_(of), generation_(generation) {}
        limiter* of_;
        std::uint64_t generation_;
    };

    limiter(context& shard, limiter_options how);
    limiter(const limiter&) = delete;
    limiter& operator=(const limiter&) = delete;

    /// Nothing when the caller has to wait.
    std::optional<permit> try_enter();
    /// Waits for its turn; the error says retry when the deadline came first. May be cancelled.
    task<result<permit>> enter(time_source::steady deadline);

    std::size_t limit() const noexcept { return limit_; }
    std::size_t running() const noexcept { return running_; }

private:
    /// A place in the line, held in the frame of who waits.
    struct turn : boost::intrusive::list_base_hook<> {
        explicit turn(limiter& l) : woken(l.shard_.ex), owner(l) { l.line_.push_back(*this); }
        turn(const turn&) = delete;
        ~turn() {
            owner.line_.erase(owner.line_.iterator_to(*this));
            owner.wake_next();
        }
        bool has_come() const noexcept {
            return owner.running_ < owner.limit_ && &owner.line_.front() == this;
        }
        wait_queue woken;
        limiter& owner;
    };

    permit take();
    void leave();
    void wake_next();
    void grow(std::uint64_t generation);
    void cut(std::uint64_t generation);
    task<> wait_until(turn& mine, time_source::steady deadline);
    task<> wait_in_line(turn& mine, time_source::steady deadline, task_scope& s);
    task<> ring(turn& mine, time_source::steady deadline);

    context& shard_;
    limiter_options how_;
    std::size_t limit_;
    std::size_t running_ = 0;
    std::size_t peak_ = 0;          ///< most at once since the last cut
    std::size_t successes_ = 0;     ///< under this limit, while it was the bound
    std::uint64_t generation_ = 0;  ///< counts the cuts
    std::uint64_t& cuts_;
    std::uint64_t& waits_;
    boost::intrusive::list<turn> line_;
};

/// One per destination, below the retries, so that each attempt pays for its permit, and above whatever
/// judges answers: an error with disposition slow_down is what cuts the limit.
class limiting final : public transport {
public:
    limiting(transport& next, context& shard, limiter_options how = {}) : next_(next), limiter_(shard, how) {}

    task<result<response>> send(request& req, time_source::steady deadline) override;
    const limiter& state() const noexcept { return limiter_; }

private:
    transport& next_;
    limiter limiter_;
};

}  // namespace firehose::http
