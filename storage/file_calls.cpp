#include "storage/file_calls.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace firehose::storage {
namespace {

int or_errno(int returned) noexcept { return returned < 0 ? -errno : returned; }

}  // namespace

int file_calls::open(int directory, const char* name, int flags, mode_t mode) {
    return or_errno(::openat(directory, name, flags | O_CLOEXEC, mode));
}

ssize_t file_calls::write(int file, const iovec* parts, int count) {
    const auto written = ::writev(file, parts, count);
    return written < 0 ? -errno : written;
}

int file_calls::sync(int file) { return or_errno(::fsync(file)); }
int file_calls::sync_file_system(int any_file_of_it) { return or_errno(::syncfs(any_file_of_it)); }

int file_calls::make_directory(int directory, const char* name, mode_t mode) {
    return or_errno(::mkdirat(directory, name, mode));
}

int file_calls::rename(int from, const char* name, int to, const char* new_name, unsigned flags) {
    return or_errno(::renameat2(from, name, to, new_name, flags));
}

int file_calls::link(int from, const char* name, int to, const char* new_name) {
    return or_errno(::linkat(from, name, to, new_name, 0));
}

int file_calls::remove(int directory, const char* name, int flags) {
    return or_errno(::unlinkat(directory, name, flags));
}

int file_calls::status(int directory, const char* name, struct stat& answer) {
    return or_errno(::fstatat(directory, name, &answer, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
}

int file_calls::lock(int file) { return or_errno(::flock(file, LOCK_EX | LOCK_NB)); }

file_calls& system_file_calls() {
    static file_calls calls;  // no state
    return calls;
}

descriptor& descriptor::operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

descriptor::~descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

int descriptor::release() noexcept { return std::exchange(fd_, -1); }

}  // namespace firehose::storage
