/* Loaded before a program (LD_PRELOAD): counts its calls on files below one directory and, at the n-th, kills
 * the program or makes the call fail. So every call of the real binary can be tried, one after the other.
 *
 *   CRASH_UNDER   only files below this directory count
 *   CRASH_AT      the number of the call, counted from 1; 0 or unset: none
 *   CRASH_FOR     how many calls fail from then on, 1 by default
 *   CRASH_HOW     kill, or EIO ENOSPC EDQUOT EMFILE EINTR short
 *   CRASH_COUNT   a file that is told, at the end, how many calls there were
 *
 *   CRASH_SIDE    0 or 1: calls with an even number, or with an odd one, are killed before they go through and
 *                 the others right after */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { files_watched = 4096 };

static char under[PATH_MAX];
static size_t under_length;
static long crash_at, crash_for = 1, crash_side;
static int crash_errno; /* 0: kill; -1: short */
static atomic_long calls;
static atomic_char watched[files_watched];

static int errno_named(const char *name) {
    static const struct {
        const char *name;
        int number;
    } known[] = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EMFILE", EMFILE},
                 {"EINTR", EINTR},   {"kill", 0},        {"short", -1}};
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
        if (strcmp(name, known[i].name) == 0) return known[i].number;
    fprintf(stderr, "file_calls: CRASH_HOW=%s is not known\n", name);
    abort();
}

__attribute__((constructor)) static void begin(void) {
    const char *text = getenv("CRASH_UNDER");
    if (text && realpath(text, under)) under_length = strlen(under);
    if ((text = getenv("CRASH_AT"))) crash_at = atol(text);
    if ((text = getenv("CRASH_FOR"))) crash_for = atol(text);
    if ((text = getenv("CRASH_SIDE"))) crash_side = atol(text);
    if ((text = getenv("CRASH_HOW"))) crash_errno = errno_named(text);
}

__attribute__((destructor)) static void end(void) {
    const char *name = getenv("CRASH_COUNT");
    if (!name) return;
    const int file = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char text[32];
    const int length = snprintf(text, sizeof text, "%ld\n", atomic_load(&calls));
    if (file >= 0 && syscall(SYS_write, file, text, length) == length) syscall(SYS_close, file);
}

static void die(void) { syscall(SYS_kill, syscall(SYS_getpid), SIGKILL); }

/* Counts a call. 0: let it through. 1: let it through and die afterwards. Otherwise what it shall fail with. */
static int verdict(void) {
    const long n = atomic_fetch_add(&calls, 1) + 1;
    if (crash_at == 0 || n < crash_at || n >= crash_at + crash_for) return 0;
    if (crash_errno != 0) return crash_errno;
    if ((n + crash_side) % 2 == 0) die();
    return 1;
}

static int below(int directory, const char *path) {
    if (under_length == 0 || !path) return 0;
    char full[PATH_MAX];
    if (path[0] != '/') {
        char link[64];
        ssize_t length;
        if (directory == AT_FDCWD) {
            if (!getcwd(full, sizeof full)) return 0;
            length = (ssize_t)strlen(full);
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
            length = readlink(link, full, sizeof full - 1);
            if (length < 0) return 0;
        }
        snprintf(full + length, sizeof full - (size_t)length, "/%s", path);
        path = full;
    }
    return strncmp(path, under, under_length) == 0 && (path[under_length] == '/' || path[under_length] == 0);
}

static int is_watched(int file) { return file >= 0 && file < files_watched && atomic_load(&watched[file]); }

static int opened(int file) {
    if (file >= 0 && file < files_watched) atomic_store(&watched[file], 1);
    return file;
}

/* The body of a call that is counted: fails, or goes through, or is the last one. */
#define COUNTED(type, call)                   \
    const int what = verdict();               \
    if (what > 1) {                           \
        errno = what;                         \
        return -1;                            \
    }                                         \
    const type made = (call);                 \
    if (what == 1) die();                     \
    return made;

int openat(int directory, const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (!below(directory, path)) return (int)syscall(SYS_openat, directory, path, flags, mode);
    COUNTED(int, opened((int)syscall(SYS_openat, directory, path, flags, mode)))
}

int openat64(int directory, const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return openat(directory, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return openat(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return openat(AT_FDCWD, path, flags, mode);
}

int close(int file) {
    if (file >= 0 && file < files_watched) atomic_store(&watched[file], 0);
    return (int)syscall(SYS_close, file);
}

/* A short write: the first part only, or half of it. */
static ssize_t written(int file, const struct iovec *parts, int count, off_t offset, int positioned) {
    const int what = verdict();
    if (what > 1) {
        errno = what;
        return -1;
    }
    struct iovec first = parts[0];
    if (what == -1 && count > 0) {
        first.iov_len = first.iov_len > 1 ? first.iov_len / 2 : first.iov_len;
        parts = &first;
        count = 1;
    }
    const ssize_t made = positioned ? syscall(SYS_pwritev, file, parts, count, (long)offset, (long)(offset >> 32))
                                    : syscall(SYS_writev, file, parts, count);
    if (what == 1) die();
    return made;
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t offset) {
    if (!is_watched(file)) return syscall(SYS_pwritev, file, parts, count, (long)offset, (long)(offset >> 32));
    return written(file, parts, count, offset, 1);
}
ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t offset) {
    return pwritev(file, parts, count, offset);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    if (!is_watched(file)) return syscall(SYS_writev, file, parts, count);
    return written(file, parts, count, 0, 0);
}
ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset) {
    const struct iovec part = {(void *)bytes, length};
    return pwritev(file, &part, 1, offset);
}
ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t offset) {
    return pwrite(file, bytes, length, offset);
}
ssize_t write(int file, const void *bytes, size_t length) {
    if (!is_watched(file)) return syscall(SYS_write, file, bytes, length);
    const struct iovec part = {(void *)bytes, length};
    return written(file, &part, 1, 0, 0);
}

int fsync(int file) {
    if (!is_watched(file)) return (int)syscall(SYS_fsync, file);
    COUNTED(int, (int)syscall(SYS_fsync, file))
}
int fdatasync(int file) {
    if (!is_watched(file)) return (int)syscall(SYS_fdatasync, file);
    COUNTED(int, (int)syscall(SYS_fdatasync, file))
}
int syncfs(int file) {
    if (!is_watched(file)) return (int)syscall(SYS_syncfs, file);
    COUNTED(int, (int)syscall(SYS_syncfs, file))
}
int ftruncate(int file, off_t size) {
    if (!is_watched(file)) return (int)syscall(SYS_ftruncate, file, size);
    COUNTED(int, (int)syscall(SYS_ftruncate, file, size))
}
int ftruncate64(int file, off64_t size) { return ftruncate(file, size); }

int renameat2(int from, const char *name, int to, const char *new_name, unsigned flags) {
    if (!below(from, name)) return (int)syscall(SYS_renameat2, from, name, to, new_name, flags);
    COUNTED(int, (int)syscall(SYS_renameat2, from, name, to, new_name, flags))
}
int rename(const char *name, const char *new_name) {
    return renameat2(AT_FDCWD, name, AT_FDCWD, new_name, 0);
}
int linkat(int from, const char *name, int to, const char *new_name, int flags) {
    if (!below(to, new_name)) return (int)syscall(SYS_linkat, from, name, to, new_name, flags);
    COUNTED(int, (int)syscall(SYS_linkat, from, name, to, new_name, flags))
}
int link(const char *name, const char *new_name) { return linkat(AT_FDCWD, name, AT_FDCWD, new_name, 0); }
int unlinkat(int directory, const char *path, int flags) {
    if (!below(directory, path)) return (int)syscall(SYS_unlinkat, directory, path, flags);
    COUNTED(int, (int)syscall(SYS_unlinkat, directory, path, flags))
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int mkdirat(int directory, const char *path, mode_t mode) {
    if (!below(directory, path)) return (int)syscall(SYS_mkdirat, directory, path, mode);
    COUNTED(int, (int)syscall(SYS_mkdirat, directory, path, mode))
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
