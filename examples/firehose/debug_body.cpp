#include "examples/firehose/debug_body.hpp"

#include <cerrno>
#include <fcntl.h>
#include <iostream>
#include <iterator>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace firehose::app {

body_source::~body_source() {
    if (mapped_ != nullptr) ::munmap(mapped_, bytes_.size());
}

result<> body_source::open(const std::string& path) {
    if (path.empty() || path == "-") {
        read_.assign(std::istreambuf_iterator<char>(std::cin), {});
        bytes_ = std::as_bytes(std::span(read_));
        return {};
    }
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return system_call_error(disposition::stop, "open", path, errno);
    struct stat about{};
    const bool known = ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    const auto size = known ? static_cast<std::size_t>(about.st_size) : 0;
    void* const at = size > 0 ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0) : nullptr;
    const int failed = errno;
    ::close(fd);
    if (!known) return error(disposition::stop, path + " is not an ordinary file");
    if (at == MAP_FAILED) return system_call_error(disposition::stop, "mmap", path, failed);
    mapped_ = at;
    bytes_ = {static_cast<const std::byte*>(at), size};
    return {};
}

body_sink::~body_sink() {
    if (file_ == nullptr || file_ == stdout) return;
    std::fclose(file_);
    ::unlink(path_.c_str());
}

result<> body_sink::open(const std::string& path) {
    path_ = path;
    file_ = path.empty() ? stdout : std::fopen(path.c_str(), "wbe");
    if (file_ == nullptr) return system_call_error(disposition::stop, "open", path, errno);
    return {};
}

result<> body_sink::write(const std::string& bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size()) return {};
    return system_call_error(disposition::stop, "write", path_.empty() ? "standard output" : path_, errno);
}

result<> body_sink::finish() {
    auto* const done = file_;
    const int failed = done == stdout ? std::fflush(done) : std::fclose(done);
    file_ = nullptr;
    if (failed == 0) return {};
    return system_call_error(disposition::stop, "write", path_.empty() ? "standard output" : path_, errno);
}

}  // namespace firehose::app
