/// Obligations that fail closed: who takes a token owes a verdict, and silence means `lost`.
#pragma once
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

namespace firehose {

/// What became of a batch, best to worst; the worst verdict of all copies wins.
/// stored, spooled: durable. rejected: parked on purpose, counted. lost: none of these, the source
/// must send it again.
enum class outcome : std::uint8_t { stored, spooled, rejected, lost };

std::string_view to_string(outcome what) noexcept;

/// An obligation to say what became of a batch. Exactly one resolve() counts per token; a token
/// destroyed unresolved says `lost`. When the last share of it has spoken, the callback runs once,
/// inline, with the worst verdict. It must not throw. Shard-local: the count is a plain integer, and
/// neither a token nor a copy of it may leave the thread it was made on.
class ack_token {
public:
    ack_token() = default;
    explicit ack_token(std::function<void(outcome)> done) : shared_(new shared{std::move(done)}) {}
    ack_token(ack_token&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
    ack_token& operator=(ack_token&& other) noexcept {
        if (this != &other) {
            resolve(outcome::lost);
            shared_ = std::exchange(other.shared_, nullptr);
        }
        return *this;
    }
    ~ack_token() { resolve(outcome::lost); }

    /// One more party owes a verdict. An empty token splits into empty ones.
    ack_token split() const;

    /// Gives the verdict and empties the token; does nothing on an empty one.
    void resolve(outcome what) noexcept {
        if (shared_) settle(what);
    }
    explicit operator bool() const noexcept { return shared_ != nullptr; }

private:
    struct shared {
        std::function<void(outcome)> done;
        outcome worst = outcome::stored;
        unsigned open = 1;
    };
    void settle(outcome what) noexcept;
    shared* shared_ = nullptr;  // owned by all tokens that count in `open`
};

}  // namespace firehose
