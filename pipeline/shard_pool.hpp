/// One thread, one context and one copy of the pipeline per core.
#pragma once
#include "pipeline/task.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace firehose {

/// Shards share the blocking pool and immutable configuration, nothing else. Contexts live as long as
/// the pool, so that a function may be posted to a shard that has already ended.
class shard_pool {
public:
    explicit shard_pool(unsigned shards);
    shard_pool(const shard_pool&) = delete;
    shard_pool& operator=(const shard_pool&) = delete;
    ~shard_pool();

    unsigned size() const noexcept { return static_cast<unsigned>(contexts_.size()); }
    executor executor_of(unsigned shard) const { return contexts_[shard]->get_executor(); }

    /// main(index, context) gives the shard's root task and is called on the shard's thread. Shard 0
    /// runs on the calling thread. Returns when all roots have ended and what they posted has run,
    /// with what each of them threw; null for those that ended well. `main` is shared by all threads.
    template <class Main> std::vector<std::exception_ptr> run(Main main) {
        return run_roots([&main](unsigned i, asio::io_context& io) { return main(i, io); });
    }

private:
    using root = std::function<task<>(unsigned, asio::io_context&)>;
    std::vector<std::exception_ptr> run_roots(const root& main);
    void run_what_is_left();
    std::vector<std::unique_ptr<asio::io_context>> contexts_;
};

}  // namespace firehose
