/// The one parking primitive: channel, semaphore, stop, scope and virtual time all wait on it.
#pragma once
#include "pipeline/task.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <utility>

namespace firehose {

using boost::system::error_code;

/// Parks coroutines until woken, first come, first woken. Single shard: no call may come from
/// another thread. Waiters re-check their condition after every wake; spurious wakes are allowed.
/// A wake is always posted, never run inline, so waking is safe in any state of the caller.
/// Cancellation completes the wait with operation_aborted and leaves nothing behind; a waiter that
/// was woken first completes as woken. The queue outlives the coroutines parked on it, or its
/// destruction wakes them with operation_aborted.
class wait_queue {
    struct waiter : boost::intrusive::list_base_hook<> {
        // Constructed in place: move-assigning an any_completion_handler recurses without end in Boost 1.81.
        template <class H> explicit waiter(H&& h) : handler(std::forward<H>(h)) {}
        asio::any_completion_handler<void(error_code)> handler;
    };

public:
    explicit wait_queue(executor ex) : ex_(std::move(ex)) {}
    wait_queue(const wait_queue&) = delete;
    wait_queue& operator=(const wait_queue&) = delete;
    ~wait_queue() { wake_all(asio::error::operation_aborted); }

    template <class Token> auto async_wait(Token&& token) {
        return asio::async_initiate<Token, void(error_code)>(
            [](auto h, wait_queue* self) { self->park(std::move(h)); }, token, this);
    }
    /// False when nobody waits.
    bool wake_one(error_code ec = {}) {
        if (waiters_.empty()) return false;
        complete(waiters_.front(), ec);
        return true;
    }
    void wake_all(error_code ec = {}) {
        while (wake_one(ec)) {}
    }
    bool empty() const noexcept { return waiters_.empty(); }

private:
    template <class H> void park(H h) {
        auto* w = new waiter(std::move(h));
        waiters_.push_back(*w);
        // The slot of the erased handler: the original's is overwritten by the erasure and would dangle.
        auto slot = asio::get_associated_cancellation_slot(w->handler);
        if (slot.is_connected())
            slot.assign([this, w](asio::cancellation_type) { complete(*w, asio::error::operation_aborted); });
    }
    void complete(waiter& w, error_code ec) {
        waiters_.erase(waiters_.iterator_to(w));
        std::unique_ptr<waiter> own(&w);
        asio::get_associated_cancellation_slot(own->handler).clear();
        asio::post(ex_, asio::append(std::move(own->handler), ec));
    }
    executor ex_;
    boost::intrusive::list<waiter> waiters_;
};

}  // namespace firehose
