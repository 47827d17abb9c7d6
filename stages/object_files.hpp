/// Files of objects that are too large for memory while they are gathered and on their way.
#pragma once
#include "pipeline/stage.hpp"
#include "storage/body_file.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace firehose::stages {

/// The file of one object. Gone with the last who holds it: whoever has to keep the object longer makes a
/// second name for it. append() blocks and is called by one thread at a time; the rest is for the shard,
/// while no append() runs.
class object_file : public std::enable_shared_from_this<object_file> {
public:
    object_file(asio::thread_pool& blocking, std::shared_ptr<storage::file_system> fs,
                std::filesystem::path path)
        : blocking_(blocking), fs_(std::move(fs)), path_(std::move(path)) {}
    object_file(const object_file&) = delete;
    ~object_file();

    /// After a failure the file is worth nothing: nothing more is written to it.
    void append(bytes_view more);
    const std::optional<error>& failure() const noexcept { return failure_; }
    /// What is there now. It stays while the result is held.
    std::shared_ptr<const storage::body_file> so_far() const;
    std::uint64_t size() const noexcept { return sums_.size(); }

private:
    asio::thread_pool& blocking_;
    std::shared_ptr<storage::file_system> fs_;
    std::filesystem::path path_;
    storage::body_sums sums_{};
    std::optional<error> failure_{};
};

/// `<data_dir>/objects/`, files `<random>-<number>.object`. What a process leaves there is of no use to the
/// next: its events come again. One process at a time; any thread.
class object_files {
public:
    object_files(std::shared_ptr<storage::file_system> fs, std::filesystem::path folder, randomness& random);

    /// Removes what earlier processes left. Blocks.
    void clear();
    /// The folder is made when something is written.
    std::shared_ptr<object_file> make(context& x);

private:
    const std::shared_ptr<storage::file_system> fs_;
    const std::filesystem::path folder_;
    std::string process_;  // no other names its files so
    std::atomic<std::uint64_t> next_{0};
};

}  // namespace firehose::stages
