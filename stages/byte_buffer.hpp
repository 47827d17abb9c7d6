/// Bytes that grow in place: large blocks move by remapping pages, not by copying.
#pragma once
#include "pipeline/bytes.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <utility>

namespace firehose::stages {

/// Like a vector of bytes, by realloc(3), which for large blocks costs no copy and no second block. Move
/// only.
class byte_buffer {
public:
    byte_buffer() = default;
    /// Of which it is known how large it gets as a rule: no room is kept beyond that.
    explicit byte_buffer(std::size_t usual) : usual_(usual) {}
    byte_buffer(byte_buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          capacity_(std::exchange(other.capacity_, 0)),
          usual_(other.usual_) {}
    byte_buffer& operator=(byte_buffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        std::swap(usual_, other.usual_);
        return *this;
    }
    ~byte_buffer() { std::free(data_); }

    bytes_view view() const noexcept { return {data_, size_}; }
    std::size_t size() const noexcept { return size_; }
    std::size_t capacity() const noexcept { return capacity_; }
    bool empty() const noexcept { return size_ == 0; }
    /// The start of the memory, `capacity()` bytes of it: for who fills it by a call of another library.
    std::byte* room() noexcept { return data_; }
    void clear() noexcept { size_ = 0; }

    void append(bytes_view more) {
        if (more.empty()) return;
        reserve(size_ + more.size());
        std::memcpy(data_ + size_, more.data(), more.size());
        size_ += more.size();
    }
    void push_back(std::byte one) { append({&one, 1}); }

    /// Room for at least `wanted` bytes in all; grows by half or more, but beyond the usual size only to
    /// that.
    void reserve(std::size_t wanted) {
        if (wanted <= capacity_) return;
        const std::size_t larger = std::max(wanted, std::min(capacity_ + capacity_ / 2, usual_));
        auto* moved = static_cast<std::byte*>(std::realloc(data_, larger));
        if (!moved) throw std::bad_alloc();
        data_ = moved;
        capacity_ = larger;
    }

    /// The bytes as a slab, without a copy; this is empty afterwards.
    slab release() {
        auto* owned = std::exchange(data_, nullptr);
        size_ = capacity_ = 0;
        const auto free_it = [](const std::byte* p) { std::free(const_cast<std::byte*>(p)); };
        return slab(owned, free_it);
    }

private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
    std::size_t usual_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace firehose::stages
