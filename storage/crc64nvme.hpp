/// CRC-64/NVME, which S3 calls CRC64NVME and Azure CRC64: carry-less multiplication where the processor has
/// it, tables elsewhere.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace firehose::storage {

/// Checksum of `bytes` appended to what `before` is the checksum of. Any thread.
std::uint64_t crc64nvme(std::span<const std::byte> bytes, std::uint64_t before = 0) noexcept;

/// The same without special instructions, so that both ways can be compared.
std::uint64_t crc64nvme_portable(std::span<const std::byte> bytes, std::uint64_t before = 0) noexcept;

}  // namespace firehose::storage
