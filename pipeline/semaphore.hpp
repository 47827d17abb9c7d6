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
        permit old(std::move(*this));  // gives back what this one held
        from_ = std::exchange(other.from_, nullptr);
        return *this;
    }
    ~permit();
    explicit operator bool() const noexcept { return from_ != nullptr; }

private:
    friend class semaphore;
    explicit permit(semaphore* from) : from_(from) {}
    semaphore* from_ = nullptr;
};

/// Single shard. Outlives its permits and those who wait. Served strictly in order of arrival; a
/// cancelled acquire() takes nothing and lets the next one in.
class semaphore {
public:
    semaphore(executor ex, std::size_t permits) : free_(permits), ex_(std::move(ex)) {}
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;

    task<permit> acquire() {
        if (free_ == 0 || !line_.empty()) {
            turn mine(*this);
            while (free_ == 0 || &line_.front() != &mine) co_await mine.woken.async_wait(use_task);
            co_return take();
        }
        co_return take();
    }
    /// Empty when none is free, or others have been waiting longer.
    permit try_acquire() {
        if (free_ == 0 || !line_.empty()) return {};
        return take();
    }
    std::size_t available() const noexcept { return free_; }

private:
    friend class permit;
    /// A place in the line, held in the frame of who waits.
    struct turn : boost::intrusive::list_base_hook<> {
        explicit turn(semaphore& s) : woken(s.ex_), owner(s) { s.line_.push_back(*this); }
        turn(const turn&) = delete;
        ~turn() {
            owner.line_.erase(owner.line_.iterator_to(*this));
            owner.wake_next();
        }
        wait_queue woken;
        semaphore& owner;
    };
    permit take() {
        --free_;
        return permit(this);
    }
    void release() {
        ++free_;
        wake_next();
    }
    void wake_next() {
        if (free_ > 0 && !line_.empty()) line_.front().woken.wake_one();
    }
    std::size_t free_;
    executor ex_;
    boost::intrusive::list<turn> line_;
};

inline permit::~permit() {
    if (from_) from_->release();
}

}  // namespace firehose
