/// How a large body is cut into parts: sizes and order, no I/O.
#pragma once
#include "storage/destination_settings.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <optional>

namespace firehose::storage {

/// Parts 1 to `count`, all of `part_size` bytes but the last, which has the rest and at least one byte.
struct multipart_plan {
    std::uint64_t size = 0;
    std::uint64_t part_size = 0;
    int count = 0;

    byte_range part(int number) const noexcept;
};

/// Parts as large as asked for, larger when the store wants that or there would be too many of them. Nothing
/// when the store has no uploads in parts or the body is empty.
std::optional<multipart_plan> plan_parts(std::uint64_t size, const capabilities& can,
                                         const part_settings& wanted);

/// Whether a body of that size goes in parts rather than in one piece.
bool goes_in_parts(std::uint64_t size, const capabilities& can, const part_settings& wanted) noexcept;

/// The pieces of `body` that make up the range; they refer to the same bytes.
payload cut_out(const payload& body, byte_range which);

std::uint64_t size_of(const payload& body) noexcept;

}  // namespace firehose::storage
