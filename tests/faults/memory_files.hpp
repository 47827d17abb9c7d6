/// A file system in memory that knows what is durable, so that a test can cut the power.
#pragma once
#include "storage/file_system.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace firehose::faults {

/// What a power cut leaves of writes that were not synced.
enum class unsynced_data { lost, kept, torn, zeros };
/// … and of names that were made, moved or removed since their directory was synced.
enum class unsynced_names { lost, kept };

/// Behaves like a local file system. A file's bytes are durable after sync() of the file, its name after
/// sync_directory() of its directory. Any thread.
class memory_files final : public storage::file_system {
public:
    memory_files();
    ~memory_files() override;

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

    /// The state a power cut at this moment may leave. torn: of the last unsynced write of each file a part
    /// is there; zeros: files have their new size but zeros where unsynced bytes would be.
    std::unique_ptr<memory_files> after_power_cut(unsynced_data data, unsynced_names names) const;
    /// The state kill -9 leaves: everything, locks apart.
    std::unique_ptr<memory_files> after_kill() const;

    /// For damage by hand. The content counts as durable.
    std::string content(const std::filesystem::path& path) const;
    void set_content(const std::filesystem::path& path, std::string bytes);
    /// The same behind the file system's back, as a disk does: nothing shows that the file has changed.
    void rot_content(const std::filesystem::path& path, std::string bytes);
    void set_writable_by_others(const std::filesystem::path& path);
    /// Every path below `under`, files only.
    std::vector<std::filesystem::path> files(const std::filesystem::path& under = "/") const;

    struct node;

private:
    using entries = std::map<std::filesystem::path, std::shared_ptr<node>>;
    class open_file;
    mutable std::mutex guard_;
    entries now_, durable_;
};

}  // namespace firehose::faults
