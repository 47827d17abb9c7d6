/// The one coroutine type of the library and the executor it runs on.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace firehose {

namespace asio = boost::asio;

/// A shard's executor. Concrete on purpose: every shard is an io_context run by one thread.
using executor = asio::io_context::executor_type;

/// Lazy: starts when awaited or spawned. A task function may take references; what is passed to
/// task_scope::spawn() takes values, or references to what outlives the scope.
template <class T = void> using task = asio::awaitable<T, executor>;

inline constexpr asio::use_awaitable_t<executor> use_task{};

}  // namespace firehose
