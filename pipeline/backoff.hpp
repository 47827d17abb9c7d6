/// Full jitter over a capped exponential: the one way this project waits before it tries again.
#pragma once
#include <algorithm>
#include <chrono>

namespace firehose {

/// Even over [0, min(cap, base * 2^doublings)), so that many that failed together do not return
/// together. `uniform` lies in [0, 1).
inline std::chrono::milliseconds full_jitter(std::chrono::milliseconds base, std::chrono::milliseconds cap,
                                             unsigned doublings, double uniform) {
    const auto ceiling = std::min<std::chrono::milliseconds>(cap, base * (1LL << std::min(doublings, 20U)));
    const auto drawn = std::chrono::duration<double, std::milli>(ceiling) * uniform;
    return std::chrono::duration_cast<std::chrono::milliseconds>(drawn);
}

}  // namespace firehose
