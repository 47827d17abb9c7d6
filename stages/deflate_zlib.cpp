#include "stages/deflate.hpp"

#include <zlib.h>

#include <limits>
#include <new>
#include <stdexcept>

namespace firehose::stages {

struct deflater::state {
    z_stream stream{};
    state() {
        constexpr int raw = -15;
        if (::deflateInit2(&stream, 1, Z_DEFLATED, raw, 8, Z_DEFAULT_STRATEGY) != Z_OK)
            throw std::bad_alloc();
    }
    state(const state&) = delete;
    ~state() { ::deflateEnd(&stream); }
};

deflater::deflater() : state_(std::make_unique<state>()) {}
deflater::~deflater() = default;

std::size_t deflater::bound(std::size_t size) noexcept { return size + size / 8 + 4096; }

bytes_view deflater::pack(bytes_view block, byte_buffer& room) {
    if (block.size() > std::numeric_limits<std::uint32_t>::max() / 2)
        throw std::runtime_error("a block for gzip is longer than 2 GiB");
    auto& s = state_->stream;
    ::deflateReset(&s);
    s.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(block.data()));
    s.avail_in = static_cast<uInt>(block.size());
    s.next_out = reinterpret_cast<Bytef*>(room.room());
    s.avail_out = static_cast<uInt>(room.capacity());
    if (::deflate(&s, Z_FULL_FLUSH) != Z_OK || s.avail_in != 0 || s.avail_out == 0)
        throw std::runtime_error("zlib could not deflate a block");
    return {room.room(), static_cast<std::size_t>(s.total_out)};
}

std::uint32_t deflater::crc32(std::uint32_t before, bytes_view bytes) noexcept {
    return static_cast<std::uint32_t>(
        ::crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace firehose::stages
