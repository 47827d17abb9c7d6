/// Counts the calls to a file system, tells somebody about each, and makes chosen ones fail.
#pragma once
#include "storage/file_system.hpp"

#include <cstddef>
#include <functional>
#include <limits>
#include <mutex>
#include <string>

namespace firehose::faults {

/// Any thread.
class faulty_files final : public storage::file_system {
public:
    /// `short_transfer` in place of an errno: the write or read moves less than half of what was asked.
    static constexpr int short_transfer = -1;
    static constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

    explicit faulty_files(storage::file_system& base) : base_(base) {}

    /// Call number `first` (counted from 0) and the following `length - 1` fail with `error_number`.
    /// EINTR on a write, read, open … happens once and is then up to the caller.
    void fail(std::size_t first, int error_number, std::size_t length = 1);
    /// Only calls whose name this returns true for are counted as the n-th; empty: all.
    void only(std::function<bool(const std::string& call)> which);
    /// Called before each call goes through, on the thread that makes it.
    void on_call(std::function<void(std::size_t number, const std::string& call)> hook);
    std::size_t calls() const;
    /// Whether a failure was given out since fail().
    bool hit() const;

    result<std::unique_ptr<storage::file>> open(const std::filesystem::path& path,
                                                storage::open_how how) override;
    result<> rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
    result<> link(const std::filesystem::path& from, const std::filesystem::path& to) override;
    result<> remove(const std::filesystem::path& path) override;
    result<> make_directory(const std::filesystem::path& path) override;
    result<> remove_directory(const std::filesystem::path& path) override;
    result<> sync_directory(const std::filesystem::path& path) override;
    result<std::vector<std::string>> list(const std::filesystem::path& path) override;
    result<storage::entry_status> status(const std::filesystem::path& path) override;

private:
    class wrapped_file;
    /// 0: go through.
    int verdict(const std::string& call);

    storage::file_system& base_;
    mutable std::mutex guard_;
    std::size_t calls_ = 0, first_ = never, length_ = 0;
    int number_ = 0;
    bool hit_ = false;
    std::function<bool(const std::string&)> only_;
    std::function<void(std::size_t, const std::string&)> hook_;
};

}  // namespace firehose::faults
