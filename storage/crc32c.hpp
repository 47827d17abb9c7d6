/// CRC-32C (Castagnoli), the checksum of journal records: the processor's instruction where it has
/// one, tables elsewhere.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace firehose::storage {

/// Checksum of `bytes` appended to what `before` is the checksum of. Any thread.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept;

/// The same without special instructions, so that both ways can be compared.
std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept;

}  // namespace firehose::storage
