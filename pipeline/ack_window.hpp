/// Verdicts in any order in, a contiguous durable prefix out: what a source may forget.
#pragma once
#include "pipeline/ack.hpp"
#include "pipeline/wait_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace firehose {

/// Positions open in order, settle in any order, commit as a prefix. `lost` stops the prefix:
/// the owner sees stalled(), calls restart() and fetches again from the last committed position.
/// Tokens may outlive the window, or an attempt of it; their verdicts then go nowhere.
///
/// `commit` runs inline with the last position of the prefix; it may call open() or restart() and
/// must not throw. Single shard. The waits need the constructor with an executor; they may be
/// cancelled, leave nothing behind, and the window outlives them.
///
/// A source ends in this order: destroy the sender, await settled(), persist, return.
class ack_window {
public:
    explicit ack_window(std::function<void(std::uint64_t)> commit);
    ack_window(std::function<void(std::uint64_t)> commit, executor ex);
    ack_window(ack_window&&) = default;
    ack_window& operator=(ack_window&&) = default;
    ~ack_window();

    ack_token open(std::uint64_t position);
    /// Forgets everything in flight; verdicts of the tokens handed out so far go nowhere.
    void restart();
    /// Opened and not yet part of a committed prefix.
    std::size_t in_flight() const noexcept;
    /// The first open position was lost: nothing commits any more until restart().
    bool stalled() const noexcept;

    /// Returns when in_flight() < `limit` or stalled(): the back-pressure of a source.
    task<> room(std::size_t limit);
    /// Returns when nothing is in flight or the window is stalled(): the end of a source.
    task<> settled() { return room(1); }

private:
    struct book;
    std::shared_ptr<wait_queue> changed_;
    std::shared_ptr<book> book_;
};

}  // namespace firehose
