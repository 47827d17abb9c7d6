/* Loaded before a program (LD_PRELOAD): counts what it allocates and copies, and says so at its end.
 *
 *   MEMORY_CALLS   a file that is told: allocations, bytes allocated, bytes copied, one line of numbers
 *
 * Allocations are calls of malloc, calloc, realloc, aligned_alloc and posix_memalign; copies are those of memcpy
 * and memmove. Copies that the compiler makes in place, a few bytes each, and the kernel's are not seen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* glibc's own names, so that nothing need be looked up before the first call. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

typedef void *(*copy_function)(void *, const void *, size_t);

static atomic_ulong allocations, allocated, copied;
static _Atomic(copy_function) real_memcpy, real_memmove;

static void count(size_t size) {
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&allocated, size, memory_order_relaxed);
}

void *malloc(size_t size) {
    count(size);
    return __libc_malloc(size);
}
void *calloc(size_t items, size_t size) {
    count(items * size);
    return __libc_calloc(items, size);
}
void *realloc(void *old, size_t size) {
    count(size);
    return __libc_realloc(old, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
    count(size);
    return __libc_memalign(alignment, size);
}
int posix_memalign(void **to, size_t alignment, size_t size) {
    count(size);
    void *const memory = __libc_memalign(alignment, size);
    if (!memory) return ENOMEM;
    *to = memory;
    return 0;
}

/* Before the real ones are known. Volatile, or the compiler would make a call of memmove of it. */
static void *copy_slowly(void *to, const void *from, size_t size) {
    volatile char *const target = to;
    const volatile char *const source = from;
    if ((size_t)target < (size_t)source)
        for (size_t i = 0; i < size; ++i) target[i] = source[i];
    else
        for (size_t i = size; i > 0; --i) target[i - 1] = source[i - 1];
    return to;
}

static void *copy(copy_function real, void *to, const void *from, size_t size) {
    atomic_fetch_add_explicit(&copied, size, memory_order_relaxed);
    return real ? real(to, from, size) : copy_slowly(to, from, size);
}
void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    return copy(atomic_load_explicit(&real_memcpy, memory_order_relaxed), to, from, size);
}
void *memmove(void *to, const void *from, size_t size) {
    return copy(atomic_load_explicit(&real_memmove, memory_order_relaxed), to, from, size);
}

__attribute__((constructor)) static void begin(void) {
    atomic_store(&real_memmove, (copy_function)dlsym(RTLD_NEXT, "memmove"));
    atomic_store(&real_memcpy, (copy_function)dlsym(RTLD_NEXT, "memcpy"));
}

__attribute__((destructor)) static void end(void) {
    const char *name = getenv("MEMORY_CALLS");
    if (!name) return;
    const int file = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return;
    dprintf(file, "%lu %lu %lu\n", atomic_load(&allocations), atomic_load(&allocated), atomic_load(&copied));
    close(file);
}
