#include "tests/bench/costs.hpp"

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>

#include <dlfcn.h>
#include <sys/resource.h>
#include <unistd.h>

namespace {

std::uint64_t allocations = 0;  // plain: only one thread of such a program works
std::uint64_t allocated = 0;
std::uint64_t copied = 0;

using copy_function = void* (*)(void*, const void*, std::size_t);
copy_function real_memcpy = nullptr;
copy_function real_memmove = nullptr;

__attribute__((constructor)) void find_real_ones() {
    real_memmove = reinterpret_cast<copy_function>(::dlsym(RTLD_NEXT, "memmove"));
    real_memcpy = reinterpret_cast<copy_function>(::dlsym(RTLD_NEXT, "memcpy"));
}

/// Before the real ones are known. Volatile, or the compiler would make a call of memmove of it.
void* copy_slowly(void* to, const void* from, std::size_t size) {
    auto* const target = static_cast<volatile char*>(to);
    const auto* const source = static_cast<const volatile char*>(from);
    if (target < source) {
        for (std::size_t i = 0; i < size; ++i) target[i] = source[i];
    } else {
        for (std::size_t i = size; i > 0; --i) target[i - 1] = source[i - 1];
    }
    return to;
}

double seconds(const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
}

}  // namespace

extern "C" void* memcpy(void* __restrict to, const void* __restrict from, std::size_t size) noexcept {
    copied += size;
    return real_memcpy != nullptr ? real_memcpy(to, from, size) : copy_slowly(to, from, size);
}
extern "C" void* memmove(void* to, const void* from, std::size_t size) noexcept {
    copied += size;
    return real_memmove != nullptr ? real_memmove(to, from, size) : copy_slowly(to, from, size);
}

void* operator new(std::size_t size) {
    ++allocations;
    allocated += size;
    if (void* p = std::malloc(size > 0 ? size : 1)) return p;
    throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace firehose::bench {

costs costs_so_far() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return {seconds(used.ru_utime),
            seconds(used.ru_stime),
            std::chrono::duration<double>(now).count(),
            allocations,
            allocated,
            copied};
}

costs operator-(const costs& a, const costs& b) {
    return {a.user_s - b.user_s,
            a.system_s - b.system_s,
            a.wall_s - b.wall_s,
            a.allocations - b.allocations,
            a.allocated_bytes - b.allocated_bytes,
            a.copied_bytes - b.copied_bytes};
}

std::uint64_t resident_kb() {
    std::uint64_t whole = 0, resident = 0;
    std::FILE* const file = std::fopen("/proc/self/statm", "re");
    if (file == nullptr) return 0;
    const int read = std::fscanf(file, "%lu %lu", &whole, &resident);
    std::fclose(file);
    return read == 2 ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024 : 0;
}

}  // namespace firehose::bench
