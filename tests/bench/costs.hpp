/// What a program costs so far: processor time, allocations, bytes copied, memory.
#pragma once
#include <cstdint>

namespace firehose::bench {

struct costs {
    double user_s = 0;    ///< processor time of this process in user space
    double system_s = 0;  ///< and in the kernel
    double wall_s = 0;
    std::uint64_t allocations = 0;      ///< calls of operator new
    std::uint64_t allocated_bytes = 0;  ///< by them
    std::uint64_t copied_bytes = 0;     ///< by memcpy() and memmove(), those of shared libraries included

    double cpu_s() const { return user_s + system_s; }
};

/// Linking this in replaces operator new, memcpy and memmove of the program. Copies that the compiler makes
/// in place, a few bytes each, and the kernel's are not seen.
costs costs_so_far();
costs operator-(const costs& a, const costs& b);

/// Resident memory, kB.
std::uint64_t resident_kb();

}  // namespace firehose::bench
