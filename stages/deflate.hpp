/// Raw deflate of one block at a time, by ISA-L or zlib, whichever the build has. Internal to stages: not
/// installed.
#pragma once
#include "pipeline/bytes.hpp"
#include "stages/byte_buffer.hpp"

#include <cstdint>
#include <memory>

namespace firehose::stages {

/// Level 1, each block by itself and ended by a full flush, so that the results may be joined. The result
/// follows from the block, whatever was packed before, in this process or another on such a machine.
class deflater {
public:
    deflater();
    ~deflater();
    deflater(const deflater&) = delete;
    deflater& operator=(const deflater&) = delete;

    /// `room` holds at least bound(block.size()) bytes. The result lies in it.
    bytes_view pack(bytes_view block, byte_buffer& room);
    static std::size_t bound(std::size_t size) noexcept;
    /// The checksum of gzip, continued.
    static std::uint32_t crc32(std::uint32_t before, bytes_view bytes) noexcept;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace firehose::stages
