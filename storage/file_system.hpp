/// The seam between our durable files and the operating system, so that every call can be made to fail.
#pragma once
#include "pipeline/bytes.hpp"
#include "pipeline/error.hpp"

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace firehose::storage {

enum class open_how {
    read,        ///< an existing file, to read
    update,      ///< an existing file, to read, write and truncate
    create_new,  ///< fails with EEXIST if the name is taken
    create       ///< an existing file or a new one, contents kept
};

/// An open file, closed by its destructor. Calls block: use them on the blocking pool. One thread at a
/// time. Each is one system call: it may do less than asked or be interrupted; write_fully() and
/// read_fully() loop.
class file {
public:
    virtual ~file() = default;
    /// Bytes written, at least one unless `parts` is empty.
    virtual result<std::size_t> write_some(std::span<const bytes_view> parts, std::uint64_t offset) = 0;
    /// Bytes read; 0 at the end of the file.
    virtual result<std::size_t> read_some(std::span<std::byte> into, std::uint64_t offset) = 0;
    /// fdatasync(2). After a failure the file's unsynced contents are unknown: never sync it again.
    virtual result<> sync() = 0;
    virtual result<std::uint64_t> size() = 0;
    virtual result<> truncate(std::uint64_t size) = 0;
    /// Takes an exclusive lock or fails at once with EWOULDBLOCK. Held until the file is closed.
    virtual result<> lock() = 0;
};

enum class entry_kind { file, directory, other };

struct entry_status {
    entry_kind kind = entry_kind::other;  ///< of the name itself: a symbolic link is `other`
    std::uint64_t size = 0;
    std::int64_t modified =
        0;  ///< changes whenever the content is written to; compared, never read as a time
    bool writable_by_others = false;  ///< by the group or by everybody
};

/// Errors are system_call_error()s with disposition retry and the errno in code(). May be called from
/// several threads at once. Files are created with mode 0600, directories with 0700; no call
/// follows a symbolic link in the last part of a path.
class file_system {
public:
    virtual ~file_system() = default;
    virtual result<std::unique_ptr<file>> open(const std::filesystem::path& path, open_how how) = 0;
    virtual result<> rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
    /// A second name for a file, in the same file system. Fails with EEXIST if the name is taken.
    virtual result<> link(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
    virtual result<> remove(const std::filesystem::path& path) = 0;
    virtual result<> make_directory(const std::filesystem::path& path) = 0;
    virtual result<> remove_directory(const std::filesystem::path& path) = 0;
    /// Makes the names in a directory durable.
    virtual result<> sync_directory(const std::filesystem::path& path) = 0;
    /// Names in byte order, without "." and "..".
    virtual result<std::vector<std::string>> list(const std::filesystem::path& path) = 0;
    virtual result<entry_status> status(const std::filesystem::path& path) = 0;
};

/// open(2) and its kin.
class system_files final : public file_system {
public:
    result<std::unique_ptr<file>> open(const std::filesystem::path& path, open_how how) override;
    result<> rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
    result<> link(const std::filesystem::path& from, const std::filesystem::path& to) override;
    result<> remove(const std::filesystem::path& path) override;
    result<> make_directory(const std::filesystem::path& path) override;
    result<> remove_directory(const std::filesystem::path& path) override;
    result<> sync_directory(const std::filesystem::path& path) override;
    result<std::vector<std::string>> list(const std::filesystem::path& path) override;
    result<entry_status> status(const std::filesystem::path& path) override;
};

/// True if `e` is the system's error with that errno.
bool is_errno(const error& e, int error_number) noexcept;

/// Repeats a call that opens, lists or names something for as long as a signal interrupts it. Not for sync().
template <class F> auto uninterrupted(F call) {
    for (;;) {
        auto done = call();
        if (done.has_value() || !is_errno(done.error(), EINTR)) return done;
    }
}

/// Writes all of it: short writes go on, interrupted calls are repeated.
result<> write_fully(file& to, std::span<const bytes_view> parts, std::uint64_t offset);

/// Fills `into`; fewer bytes only at the end of the file.
result<std::size_t> read_fully(file& from, std::span<std::byte> into, std::uint64_t offset);

/// Makes the directories `below` inside `above`, each synced in its parent. Those that are there already are
/// fine, and are synced too.
result<> make_directories(file_system& fs, const std::filesystem::path& above,
                          const std::filesystem::path& below);
/// The same for a whole path, from the root or the current directory on.
result<> make_directories(file_system& fs, const std::filesystem::path& path);

/// A new file or a new content for it, atomically and durably: temporary name, sync, rename, sync.
result<> replace_file(file_system& fs, const std::filesystem::path& path, bytes_view content);

}  // namespace firehose::storage
