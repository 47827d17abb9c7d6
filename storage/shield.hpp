/// Lets a coroutine finish what must not be left half done although it was cancelled meanwhile.
#pragma once
#include "pipeline/task.hpp"

#include <boost/asio/cancellation_state.hpp>

namespace firehose::storage {

/// From here to end_shield() no wait throws because of a cancellation. Returns what end_shield() wants.
/// Between the two, waits on a wait_queue still end early and must be repeated. No exception may
/// pass between them.
/// Where a cancellation may have come already, awaiting this would throw: say
/// `co_await asio::this_coro::throw_if_cancelled(false);` there.
inline task<bool> begin_shield() {
    const bool saved = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    co_return saved;
}

/// A cancellation that came meanwhile is seen at the caller's next wait.
inline task<> end_shield(bool saved) { co_await asio::this_coro::throw_if_cancelled(saved); }

}  // namespace firehose::storage
