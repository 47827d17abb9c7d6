/// A shard with real time for tests that talk to a real store: context, run one task, done.
#pragma once
#include "pipeline/scope.hpp"
#include "pipeline/stage.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace firehose::contract {

/// Never random: jitter is in the middle, ids count up.
class predictable final : public randomness {
public:
    double uniform() override { return 0.5; }
    void fill(std::span<std::byte> out) override { std::ranges::fill(out, static_cast<std::byte>(++count_)); }

private:
    unsigned count_ = 0;
};

/// Everything a context refers to. run() may be called again and again, never at once.
class real_shard {
    asio::io_context io_{1};
    real_time time_;
    predictable random_;
    stop_state stop_{io_.get_executor()};
    counters count_;
    asio::thread_pool blocking_{2};

public:
    context x{io_.get_executor(), time_, random_, stop_, count_, blocking_};

    /// Runs the shard until `work` is done and nothing else is left; rethrows what `work` throws.
    template <class T> T run(task<T> work) {
        std::optional<T> value;
        std::exception_ptr failure;
        io_.restart();
        asio::co_spawn(io_, std::move(work), [&](std::exception_ptr e, T v) {
            failure = std::move(e);
            value.emplace(std::move(v));
        });
        io_.run();
        if (failure) std::rethrow_exception(failure);
        return std::move(*value);
    }
    void run(task<> work) {
        std::exception_ptr failure;
        io_.restart();
        asio::co_spawn(io_, std::move(work), [&](std::exception_ptr e) { failure = std::move(e); });
        io_.run();
        if (failure) std::rethrow_exception(failure);
    }
};

}  // namespace firehose::contract
