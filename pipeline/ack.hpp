#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace firehose {
/// What became of a batch, best to worst; the worst verdict of all copies wins.
/// stored, spooled: durable. rejected: parked on purpose, counted. lost: none of these, the source must send
/// it again.
enum class outcome : std::uint8_t { stored, spooled, rejected, lost };

/// An obligation to say what became of a batch. Exactly one resolve() per token;
/// a token destroyed unresolved says `lost`. Shard-local, so the count is a plain integer.
class ack_token {
    struct state {
        std::function<void(outcome)> done;
        outcome worst = outcome::stored;
        unsigned open = 0;
    };
    std::shared_ptr<state> s_;
    explicit ack_token(std::shared_ptr<state> s) : s_(std::move(s)) { ++s_->open; }

public:
    ack_token() = default;
    explicit ack_token(std::function<void(outcome)> done)
        : ack_token(std::make_shared<state>(state{std::move(done)})) {}
    ack_token(ack_token&&) noexcept = default;
    ack_token& operator=(ack_token&& o) noexcept {
        if (this != &o) {
            resolve(outcome::lost);
            s_ = std::move(o.s_);
        }
        return *this;
    }
    ~ack_token() { resolve(outcome::lost); }

    /// One more party owes a verdict.
    ack_token split() const { return s_ ? ack_token(s_) : ack_token(); }

    void resolve(outcome o) noexcept {
        auto s = std::exchange(s_, nullptr);
        if (!s) return;
        if (o > s->worst) s->worst = o;
        if (--s->open == 0) s->done(s->worst);
    }
};
}  // namespace firehose
