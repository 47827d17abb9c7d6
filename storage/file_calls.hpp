/// The system calls of the directory store, so that tests can make each of them fail. Not installed.
#pragma once
#include <sys/stat.h>
#include <sys/uio.h>

namespace firehose::storage {

/// Each returns what the call returns, or minus errno; interrupted calls are repeated by the caller where
/// that makes sense. Called from threads of the blocking pool, several at once.
class file_calls {
public:
    virtual ~file_calls() = default;
    virtual int open(int directory, const char* name, int flags, mode_t mode);
    virtual ssize_t write(int file, const iovec* parts, int count);
    virtual int sync(int file);
    virtual int sync_file_system(int any_file_of_it);
    virtual int make_directory(int directory, const char* name, mode_t mode);
    virtual int rename(int from, const char* name, int to, const char* new_name, unsigned flags);
    virtual int link(int from, const char* name, int to, const char* new_name);
    virtual int remove(int directory, const char* name, int flags);
    virtual int status(int directory, const char* name, struct stat& answer);
    virtual int lock(int file);  ///< exclusive, without waiting
};

/// The real ones.
file_calls& system_file_calls();

/// Owns a descriptor.
class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int fd) : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    descriptor& operator=(descriptor&& other) noexcept;
    ~descriptor();
    int get() const noexcept { return fd_; }
    int release() noexcept;
    explicit operator bool() const noexcept { return fd_ >= 0; }

private:
    int fd_ = -1;
};

}  // namespace firehose::storage
