/// A gzip body inflated on the way, with bounds on its size and on how much larger it may get.
#pragma once
#include "http/exchange.hpp"

#include <cstdint>
#include <memory>

namespace firehose::http {

struct inflate_limits {
    std::uint64_t bytes = 64u << 20;      ///< inflated; more is 413
    std::uint64_t ratio = 200;            ///< inflated to compressed; a higher one is 413 ...
    std::uint64_t ratio_from = 1u << 20;  ///< ... but not before so many bytes
};

/// Reads from `compressed`, which outlives it. Takes several gzip members one after the other; a cut or
/// damaged stream, or anything behind it, is 400. Memory: one window (32 KiB) and one piece (64 KiB).
std::unique_ptr<body_reader> inflating(body_reader& compressed, inflate_limits most);

}  // namespace firehose::http
