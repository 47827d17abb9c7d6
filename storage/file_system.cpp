#include "storage/file_system.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace firehose::storage {
namespace {

error failed_call(std::string_view call, const std::filesystem::path& path, int error_number = errno) {
    return system_call_error(disposition::retry, call, path.native(), error_number);
}

class system_file final : public file {
public:
    system_file(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
    system_file(const system_file&) = delete;
    ~system_file() override { ::close(fd_); }

    result<std::size_t> write_some(std::span<const bytes_view> parts, std::uint64_t offset) override {
        std::array<iovec, IOV_MAX> vectors;
        int used = 0;
        for (const bytes_view part : parts) {
            if (static_cast<std::size_t>(used) == vectors.size()) break;
            vectors[static_cast<std::size_t>(used++)] = {const_cast<std::byte*>(part.data()), part.size()};
        }
        const ssize_t n = ::pwritev(fd_, vectors.data(), used, static_cast<off_t>(offset));
        if (n < 0) return failed_call("write", path_);
        return static_cast<std::size_t>(n);
    }
    result<std::size_t> read_some(std::span<std::byte> into, std::uint64_t offset) override {
        const ssize_t n = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(offset));
        if (n < 0) return failed_call("read", path_);
        return static_cast<std::size_t>(n);
    }
    result<> sync() override {
        if (::fdatasync(fd_) != 0) return failed_call("fdatasync", path_);
        return {};
    }
    result<std::uint64_t> size() override {
        struct stat s;
        if (::fstat(fd_, &s) != 0) return failed_call("fstat", path_);
        return static_cast<std::uint64_t>(s.st_size);
    }
    result<> truncate(std::uint64_t size) override {
        if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return failed_call("ftruncate", path_);
        return {};
    }
    result<> lock() override {
        if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) return failed_call("flock", path_);
        return {};
    }

private:
    int fd_;
    std::filesystem::path path_;
};

int flags_of(open_how how) {
    switch (how) {
        case open_how::read: return O_RDONLY;
        case open_how::update: return O_RDWR;
        case open_how::create_new: return O_RDWR | O_CREAT | O_EXCL;
        case open_how::create: return O_RDWR | O_CREAT;
    }
    return O_RDONLY;
}

}  // namespace

result<std::unique_ptr<file>> system_files::open(const std::filesystem::path& path, open_how how) {
    // O_NONBLOCK: opening a FIFO that somebody put there must not hang; it changes nothing for files.
    const int fd = ::open(path.c_str(), flags_of(how) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) return failed_call("open", path);
    return std::unique_ptr<file>(std::make_unique<system_file>(fd, path));
}

result<> system_files::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return failed_call("rename", from);
    return {};
}

result<> system_files::link(const std::filesystem::path& from, const std::filesystem::path& to) {
    if (::link(from.c_str(), to.c_str()) != 0) return failed_call("link", to);
    return {};
}

result<> system_files::remove(const std::filesystem::path& path) {
    if (::unlink(path.c_str()) != 0) return failed_call("unlink", path);
    return {};
}

result<> system_files::make_directory(const std::filesystem::path& path) {
    if (::mkdir(path.c_str(), 0700) != 0) return failed_call("mkdir", path);
    return {};
}

result<> system_files::remove_directory(const std::filesystem::path& path) {
    if (::rmdir(path.c_str()) != 0) return failed_call("rmdir", path);
    return {};
}

result<> system_files::sync_directory(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return failed_call("open", path);
    const int rc = ::fsync(fd);
    const int number = errno;
    ::close(fd);
    if (rc != 0) return failed_call("fsync", path, number);
    return {};
}

result<std::vector<std::string>> system_files::list(const std::filesystem::path& path) {
    DIR* const directory = ::opendir(path.c_str());
    if (directory == nullptr) return failed_call("opendir", path);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* const one = ::readdir(directory)) {
        const std::string_view name = one->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
        errno = 0;
    }
    const int number = errno;
    ::closedir(directory);
    if (number != 0) return failed_call("readdir", path, number);
    std::sort(names.begin(), names.end());
    return names;
}

result<entry_status> system_files::status(const std::filesystem::path& path) {
    struct stat s;
    if (::lstat(path.c_str(), &s) != 0) return failed_call("lstat", path);
    entry_status out;
    if (S_ISREG(s.st_mode)) out.kind = entry_kind::file;
    if (S_ISDIR(s.st_mode)) out.kind = entry_kind::directory;
    out.size = static_cast<std::uint64_t>(s.st_size);
    out.modified = std::int64_t{s.st_mtim.tv_sec} * 1'000'000'000 + s.st_mtim.tv_nsec;
    out.writable_by_others = (s.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    return out;
}

bool is_errno(const error& e, int error_number) noexcept {
    return e.code() == error_code(error_number, boost::system::system_category());
}

result<> write_fully(file& to, std::span<const bytes_view> parts, std::uint64_t offset) {
    std::vector<bytes_view> left(parts.begin(), parts.end());
    std::erase_if(left, [](bytes_view part) { return part.empty(); });
    std::size_t first = 0;
    while (first < left.size()) {
        auto wrote = to.write_some(std::span(left).subspan(first), offset);
        if (wrote.has_error()) {
            if (is_errno(wrote.error(), EINTR)) continue;
            return wrote.error();
        }
        std::size_t n = *wrote;
        if (n == 0) return system_call_error(disposition::retry, "write", "wrote nothing", EIO);
        offset += n;
        while (first < left.size() && n >= left[first].size()) n -= left[first++].size();
        if (n > 0) left[first] = left[first].subspan(n);
    }
    return {};
}

result<std::size_t> read_fully(file& from, std::span<std::byte> into, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < into.size()) {
        auto got = from.read_some(into.subspan(done), offset + done);
        if (got.has_error()) {
            if (is_errno(got.error(), EINTR)) continue;
            return got.error();
        }
        if (*got == 0) break;
        done += *got;
    }
    return done;
}

result<> make_directories(file_system& fs, const std::filesystem::path& above,
                          const std::filesystem::path& below) {
    std::filesystem::path parent = above;
    for (const auto& part : below) {
        if (part.empty()) continue;  // a trailing slash
        const auto path = parent / part;
        auto made = uninterrupted([&] { return fs.make_directory(path); });
        const bool was_there = made.has_error() && is_errno(made.error(), EEXIST);
        if (made.has_error() && !was_there) return made;
        // Also when it was there: an attempt before this one may have ended between making and syncing it.
        auto synced = fs.sync_directory(parent);
        const bool not_ours = synced.has_error() && was_there && is_errno(synced.error(), EACCES);
        if (synced.has_error() && !not_ours) return synced;
        parent = path;
    }
    return {};
}

result<> make_directories(file_system& fs, const std::filesystem::path& path) {
    const std::filesystem::path above = path.has_root_path() ? path.root_path() : std::filesystem::path(".");
    return make_directories(fs, above, path.relative_path());
}

result<> replace_file(file_system& fs, const std::filesystem::path& path, bytes_view content) {
    std::filesystem::path temporary = path;
    temporary += ".tmp";
    auto removed = fs.remove(temporary);
    if (removed.has_error() && !is_errno(removed.error(), ENOENT)) return removed;
    auto opened = fs.open(temporary, open_how::create_new);
    if (opened.has_error()) return opened.error();
    auto wrote = write_fully(**opened, std::span(&content, 1), 0);
    if (wrote.has_value()) wrote = (*opened)->sync();
    if (wrote.has_value()) wrote = fs.rename(temporary, path);
    if (wrote.has_value()) return fs.sync_directory(path.parent_path());
    (void)fs.remove(temporary);
    return wrote;
}

}  // namespace firehose::storage
