#include "pipeline/shard_pool.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <algorithm>
#include <atomic>
#include <thread>

namespace firehose {
namespace {

/// Inside a coroutine, so that what `main` throws before its first suspension is caught as well.
task<> start(const std::function<task<>(unsigned, asio::io_context&)>& main, unsigned index,
             asio::io_context& io) {
    task<> root = main(index, io);
    co_await std::move(root);
}

}  // namespace

shard_pool::shard_pool(unsigned shards) {
    for (unsigned i = 0; i < std::max(shards, 1U); ++i)
        contexts_.push_back(std::make_unique<asio::io_context>(1));
}

shard_pool::~shard_pool() = default;

std::vector<std::exception_ptr> shard_pool::run_roots(const root& main) {
    std::vector<std::exception_ptr> failures(contexts_.size());
    // A shard whose root has ended still serves what the others post to it.
    std::vector<asio::executor_work_guard<executor>> open;
    for (auto& io : contexts_) open.emplace_back(io->get_executor());
    std::atomic<std::size_t> running = contexts_.size();

    const auto run_one = [&](unsigned i) {
        auto& io = *contexts_[i];
        asio::co_spawn(io, start(main, i, io), [&, i](std::exception_ptr e) {
            failures[i] = std::move(e);
            if (running.fetch_sub(1) == 1)
                for (auto& guard : open) guard.reset();
        });
        io.run();
    };
    {
        std::vector<std::jthread> threads;
        for (unsigned i = 1; i < contexts_.size(); ++i) threads.emplace_back(run_one, i);
        run_one(0);
    }
    run_what_is_left();
    return failures;
}

/// The last posts between two shards may find the other one gone; the threads are joined by now.
void shard_pool::run_what_is_left() {
    for (bool moved = true; moved;) {
        moved = false;
        for (auto& io : contexts_) {
            io->restart();
            moved = io->poll() > 0 || moved;
        }
    }
}

}  // namespace firehose
