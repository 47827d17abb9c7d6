/// Permits with RAII: bounds how much runs at once on a shard.
#pragma once
#include "pipeline/wait_queue.hpp"

#include <cstddef>
#include <utility>

namespace firehose {

class semaphore;

/// The right to run one piece of work; gives itself back when destroyed.
class permit {
public:
    permit() = default;
    permit(permit&& other) noexcept : from_(std::exchange(other.from_, nullptr)) {}
    permit& operator=(permit&& other) noexcept {
        std::swap(from_, other.from_);
        return *this;
    }
    ~permit();
    explicit operator bool() const noexcept { return from_ != nullptr; }

private:
    friend class semaphore;
    explicit permit(semaphore* from) : from_(from) {}
    semaphore* from_ = nullptr;
};

/// Single shard. Must outlive its permits. Waiters are served in order of arrival as far as they
/// wake in order; a cancelled acquire() takes nothing.
class semaphore {
public:
    semaphore(executor ex, std::size_t permits) : free_(permits), waiting_(std::move(ex)) {}
    semaphore(const semaphore&) = delete;

    task<permit> acquire() {
        while (free_ == 0) co_await waiting_.async_wait(use_task);
        co_return try_acquire();
    }
    /// Empty when none is free.
    permit try_acquire() {
        if (free_ == 0) return {};
        --free_;
        return permit(this);
    }
    std::size_t available() const noexcept { return free_; }

private:
    friend class permit;
    void release() {
        ++free_;
        waiting_.wake_one();
    }
    std::size_t free_;
    wait_queue waiting_;
};

inline permit::~permit() {
    if (from_) from_->release();
}

}  // namespace firehose
