#include "stages/deflate.hpp"

#include <isa-l.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <vector>

namespace firehose::stages {

struct deflater::state {
    isal_zstream stream{};
    std::vector<std::uint8_t> level_memory = std::vector<std::uint8_t>(ISAL_DEF_LVL1_DEFAULT);
};

deflater::deflater() : state_(std::make_unique<state>()) {}
deflater::~deflater() = default;

std::size_t deflater::bound(std::size_t size) noexcept { return size + size / 8 + 4096; }

namespace {

/// ISA-L 2.30 goes wrong at the first bytes of a stream when it has more than this many to look ahead at: it
/// hashes its stream's address instead of the third byte, so that the matches it finds, and with them the
/// bytes that come out, depend on where the stream lies. Fewer bytes take another way, and what follows them
/// is right.
constexpr std::size_t first_bytes = 16;

void deflate(isal_zstream& s, bytes_view part, std::uint16_t flush) {
    s.flush = flush;
    s.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(part.data()));
    s.avail_in = static_cast<std::uint32_t>(part.size());
    const auto code = isal_deflate(&s);
    if (code != COMP_OK || s.avail_in != 0 || s.avail_out == 0)
        throw std::runtime_error("ISA-L could not deflate a block");
}

}  // namespace

bytes_view deflater::pack(bytes_view block, byte_buffer& room) {
    if (block.size() > std::numeric_limits<std::uint32_t>::max() / 2)
        throw std::runtime_error("a block for gzip is longer than 2 GiB");
    auto& s = state_->stream;
    isal_deflate_init(&s);
    s.level = 1;
    s.level_buf = state_->level_memory.data();
    s.level_buf_size = static_cast<std::uint32_t>(state_->level_memory.size());
    s.gzip_flag = IGZIP_DEFLATE;
    s.next_out = reinterpret_cast<std::uint8_t*>(room.room());
    s.avail_out = static_cast<std::uint32_t>(room.capacity());
    const auto first = std::min(block.size(), first_bytes);
    deflate(s, block.first(first), SYNC_FLUSH);
    deflate(s, block.subspan(first), FULL_FLUSH);
    return {room.room(), s.total_out};
}

std::uint32_t deflater::crc32(std::uint32_t before, bytes_view bytes) noexcept {
    return crc32_gzip_refl(before, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

}  // namespace firehose::stages
