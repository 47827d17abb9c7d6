/// Names that nobody else takes. Internal: not installed.
#pragma once
#include "http/digest.hpp"
#include "pipeline/randomness.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace firehose::http {

/// That many random bytes, two hex digits each.
inline std::string random_hex(randomness& random, std::size_t bytes) {
    std::vector<std::byte> drawn(bytes);
    random.fill(drawn);
    return to_hex(drawn);
}

}  // namespace firehose::http
