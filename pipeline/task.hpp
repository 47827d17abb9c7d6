#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace firehose {
namespace asio = boost::asio;

/// A shard's executor. Concrete on purpose: every shard is an io_context.
using executor = asio::io_context::executor_type;

/// The only coroutine type of the library. Lazy; starts when awaited or spawned.
template <class T = void>
using task = asio::awaitable<T, executor>;

inline constexpr asio::use_awaitable_t<executor> use_task{};
}  // namespace firehose
