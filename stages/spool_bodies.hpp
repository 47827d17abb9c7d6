/// The large bodies of one spool journal, each in a file of its own. Internal to stages: not installed.
#pragma once
#include "storage/body_file.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace firehose::stages {

/// Files lie in `bodies/` beside the journal's segments, under the name that their record says. A file is
/// there, durably, before its record is written, and goes after the record is settled. What a crash leaves in
/// between is removed when the destination has no records any more (remove_if_empty()).
///
/// Blocking, apart from bytes(); one call at a time.
class spool_bodies {
public:
    static constexpr std::string_view folder_name = "bodies";

    spool_bodies(storage::file_system& fs, const std::filesystem::path& journal)
        : fs_(fs), folder_(journal / folder_name) {}

    /// What is there.
    void open();
    /// A second name for the file; a copy where the file system has no such names, or it is another one.
    result<> keep(const storage::body_file& body, const std::string& name);
    /// What cannot be removed stays until the folder goes.
    void drop(const std::string& name);
    void drop_all();
    /// Nothing for a name or a fingerprint that keep() did not write.
    std::shared_ptr<const storage::body_file> find(const std::string& name, bytes_view fingerprint) const;

    /// Any thread.
    std::uint64_t bytes() const noexcept { return bytes_; }

private:
    result<> name_or_copy(const storage::body_file& body, const std::filesystem::path& path);

    storage::file_system& fs_;
    std::filesystem::path folder_;
    std::map<std::string, std::uint64_t> sizes_{};
    std::atomic<std::uint64_t> bytes_{0};
    bool made_ = false;
};

}  // namespace firehose::stages
