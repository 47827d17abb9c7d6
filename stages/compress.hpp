/// Compression of objects block by block: bytes that depend on nothing but the blocks.
#pragma once
#include "pipeline/bytes.hpp"
#include "stages/byte_buffer.hpp"

#include <cstdint>
#include <memory>
#include <string_view>

namespace firehose::stages {

/// How the bytes of a gathered object are packed.
enum class packing : std::uint8_t { none, gzip, zstd };

/// "gzip", "zstd"; empty for none. What Content-Encoding says.
std::string_view content_encoding_of(packing how) noexcept;
/// "ndjson", "ndjson.gz", "ndjson.zst": readers such as Athena, Spark and Snowflake go by it.
std::string_view extension_of(packing how) noexcept;

/// One object under construction, as far as its packed bytes are concerned.
struct packed_bytes {
    byte_buffer bytes{};
    std::uint64_t taken = 0;  ///< bytes that came before `bytes` and were taken away
    std::uint64_t unpacked = 0;
    std::uint32_t crc = 0;  ///< of what is unpacked so far; gzip only

    std::uint64_t size() const noexcept { return taken + bytes.size(); }
};

/// Packs whole blocks into any number of objects, one call at a time. All the memory that compression
/// needs is in here, about 1 MB and twice the largest block, however many objects are open: a block knows
/// nothing of the blocks before it. The price is 1 to 3 % in size with blocks of 512 KiB.
///
/// Deterministic: the same blocks give the same bytes, with the same build of the same library.
///
/// gzip (RFC 1952): one member, no name, no time; each block ends at a byte boundary (a full flush), by ISA-L
/// level 1 or, in a build without it, zlib level 1. zstd (RFC 8878): one frame per block, level 1, each with
/// its size and checksum. none: the blocks as they are.
class packer {
public:
    virtual ~packer() = default;
    /// Empty blocks add nothing.
    virtual void append(packed_bytes& to, bytes_view block) = 0;
    /// Nothing may be appended afterwards.
    virtual void finish(packed_bytes& to) = 0;
};

std::unique_ptr<packer> make_packer(packing how);

}  // namespace firehose::stages
