#include "storage/crc64nvme.hpp"

#include <array>
#if defined(__x86_64__)
#include <wmmintrin.h>
#endif

namespace firehose::storage {
namespace {

constexpr std::uint64_t polynomial = 0x9a6c9329ac4bc9b5u;  // reflected: bit 63 stands for x^0

constexpr std::uint64_t times_x(std::uint64_t value) {
    return (value & 1u) != 0 ? (value >> 1) ^ polynomial : value >> 1;
}

// tables[0] advances by one byte; tables[k] by one byte followed by k zero bytes, so that eight
// look-ups advance by eight bytes at once.
constexpr auto tables = [] {
    std::array<std::array<std::uint64_t, 256>, 8> t{};
    for (std::uint64_t i = 0; i < 256; ++i) {
        std::uint64_t c = i;
        for (int bit = 0; bit < 8; ++bit) c = times_x(c);
        t[0][i] = c;
    }
    for (std::size_t i = 0; i < 256; ++i)
        for (std::size_t k = 1; k < 8; ++k) t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 0xffu];
    return t;
}();

std::uint64_t load(const std::byte* p) noexcept {
    std::uint64_t word = 0;
    for (unsigned i = 0; i < 8; ++i) word |= std::to_integer<std::uint64_t>(p[i]) << (8 * i);
    return word;
}

/// Advances the register, which is the checksum's complement.
std::uint64_t by_tables(std::uint64_t c, const std::byte* p, std::size_t n) noexcept {
    for (; n >= 8; n -= 8, p += 8) {
        const std::uint64_t word = load(p) ^ c;
        c = 0;
        for (std::size_t k = 0; k < 8; ++k) c ^= tables[7 - k][(word >> (8 * k)) & 0xffu];
    }
    for (; n > 0; --n, ++p) c = (c >> 8) ^ tables[0][(c ^ std::to_integer<std::uint64_t>(*p)) & 0xffu];
    return c;
}

#if defined(__x86_64__)
/// x^power modulo the polynomial.
constexpr std::uint64_t x_to_the(int power) {
    std::uint64_t value = std::uint64_t{1} << 63;
    for (int i = 0; i < power; ++i) value = times_x(value);
    return value;
}

// A block of 16 bytes is moved on by `distance` bits when its first half is multiplied by x^(distance + 64)
// and its second by x^distance. The product of two reflected numbers comes out multiplied by x once more.
struct folding {
    std::uint64_t first;
    std::uint64_t second;
};
constexpr folding fold_by(int distance) { return {x_to_the(distance + 64 - 1), x_to_the(distance - 1)}; }
constexpr folding four_blocks = fold_by(512);
constexpr folding one_block = fold_by(128);

__attribute__((target("pclmul,sse2"))) inline __m128i moved_on(__m128i block, __m128i by) noexcept {
    return _mm_xor_si128(_mm_clmulepi64_si128(block, by, 0x00), _mm_clmulepi64_si128(block, by, 0x11));
}

__attribute__((target("pclmul,sse2"))) std::uint64_t by_multiplication(std::uint64_t c, const std::byte* p,
                                                                       std::size_t n) noexcept {
    const auto constants = [](folding by) __attribute__((target("sse2"))) {
        return _mm_set_epi64x(static_cast<long long>(by.second), static_cast<long long>(by.first));
    };
    const auto block = [&p](std::size_t i) __attribute__((target("sse2"))) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + i);
    };
    const __m128i by_four = constants(four_blocks);
    const __m128i by_one = constants(one_block);
    __m128i a = _mm_xor_si128(block(0), _mm_cvtsi64_si128(static_cast<long long>(c)));
    __m128i b = block(1);
    __m128i d = block(2);
    __m128i e = block(3);
    for (n -= 64, p += 64; n >= 64; n -= 64, p += 64) {
        a = _mm_xor_si128(moved_on(a, by_four), block(0));
        b = _mm_xor_si128(moved_on(b, by_four), block(1));
        d = _mm_xor_si128(moved_on(d, by_four), block(2));
        e = _mm_xor_si128(moved_on(e, by_four), block(3));
    }
    b = _mm_xor_si128(moved_on(a, by_one), b);
    d = _mm_xor_si128(moved_on(b, by_one), d);
    e = _mm_xor_si128(moved_on(d, by_one), e);
    for (; n >= 16; n -= 16, p += 16) e = _mm_xor_si128(moved_on(e, by_one), block(0));
    alignas(16) std::array<std::byte, 16> last;
    _mm_store_si128(reinterpret_cast<__m128i*>(last.data()), e);
    return by_tables(by_tables(0, last.data(), last.size()), p, n);  // as if nothing had come before `last`
}
#endif

}  // namespace

std::uint64_t crc64nvme_portable(std::span<const std::byte> bytes, std::uint64_t before) noexcept {
    return ~by_tables(~before, bytes.data(), bytes.size());
}

std::uint64_t crc64nvme(std::span<const std::byte> bytes, std::uint64_t before) noexcept {
#if defined(__x86_64__)
    if (bytes.size() >= 128 && __builtin_cpu_supports("pclmul"))
        return ~by_multiplication(~before, bytes.data(), bytes.size());
#endif
    return crc64nvme_portable(bytes, before);
}

}  // namespace firehose::storage
