/// Large buffers that finished objects leave behind for those that follow.
#pragma once
#include "stages/byte_buffer.hpp"

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace firehose::stages {

/// Memory that is used again costs no page faults and does not scatter the heap. Any thread may drop the last
/// reference to what was lent; everything else is for one shard.
class spare_buffers : public std::enable_shared_from_this<spare_buffers> {
public:
    /// Buffers smaller than this are left to malloc.
    static constexpr std::size_t large = 1u << 20;

    /// Keeps at most `most` bytes.
    explicit spare_buffers(std::size_t most) : most_(most) {}

    /// For one that is about to grow beyond `large`: gives it a spare with more room, if there is one.
    void enlarge(byte_buffer& b) {
        byte_buffer roomier = take(b.capacity());
        if (roomier.capacity() == 0) return;
        roomier.append(b.view());
        std::swap(b, roomier);
    }

    /// The bytes as a slab; their memory comes back here. `b` is empty afterwards.
    slab lend(byte_buffer& b) {
        if (b.capacity() < large) return b.release();
        auto owner = std::make_shared<loan>(weak_from_this(), std::move(b));
        b = byte_buffer();
        return slab(owner, owner->bytes.view().data());
    }

private:
    struct loan {
        loan(std::weak_ptr<spare_buffers> to, byte_buffer what)
            : home(std::move(to)), bytes(std::move(what)) {}
        loan(const loan&) = delete;
        ~loan() {
            if (const auto there = home.lock()) there->keep(std::move(bytes));
        }
        std::weak_ptr<spare_buffers> home;
        byte_buffer bytes;
    };

    byte_buffer take(std::size_t more_than) {
        const std::lock_guard lock(guard_);
        byte_buffer out;
        if (spares_.empty() || spares_.back().capacity() <= more_than) return out;
        std::swap(out, spares_.back());
        spares_.pop_back();
        kept_ -= out.capacity();
        return out;
    }
    void keep(byte_buffer b) {
        b.clear();
        const std::lock_guard lock(guard_);
        if (kept_ + b.capacity() > most_) return;
        kept_ += b.capacity();
        spares_.push_back(std::move(b));
    }

    const std::size_t most_;
    std::mutex guard_;
    std::vector<byte_buffer> spares_{};
    std::size_t kept_ = 0;
};

}  // namespace firehose::stages
