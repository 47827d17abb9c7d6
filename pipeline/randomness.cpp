#include "pipeline/randomness.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <system_error>

namespace firehose {
namespace {

/// 53 random bits, the width of a double's fraction, so that 1.0 cannot come out by rounding.
double to_unit_interval(std::uint64_t bits) { return static_cast<double>(bits >> 11U) * 0x1.0p-53; }

}  // namespace

double seeded_randomness::uniform() { return to_unit_interval(engine_()); }

void seeded_randomness::fill(std::span<std::byte> out) {
    while (!out.empty()) {
        std::uint64_t word = engine_();
        const auto n = std::min<std::size_t>(out.size(), sizeof word);
        for (auto& b : out.first(n)) {
            b = static_cast<std::byte>(word & 0xffU);
            word >>= 8U;
        }
        out = out.subspan(n);
    }
}

double system_randomness::uniform() {
    std::array<std::byte, sizeof(std::uint64_t)> raw{};
    fill(raw);
    return to_unit_interval(std::bit_cast<std::uint64_t>(raw));
}

void system_randomness::fill(std::span<std::byte> out) {
    while (!out.empty()) {
        const auto got = ::getrandom(out.data(), out.size(), 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            throw std::system_error(errno, std::system_category(), "getrandom");
        }
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

}  // namespace firehose
