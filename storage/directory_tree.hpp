/// The blocking half of the directory store: keys to files below one directory. Not installed.
#pragma once
#include "pipeline/error.hpp"
#include "storage/body_file.hpp"
#include "storage/file_calls.hpp"
#include "storage/store.hpp"

#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::storage {

/// The folder below the root for objects that are being written.
inline constexpr std::string_view temporary_folder = ".firehose-tmp";

/// The components of a key, or of a bucket, if each is an ordinary name of its own: not empty, not "." or
/// "..", no NUL, at most 255 bytes, not the temporary folder's. Otherwise what is wrong, in words.
struct path_parts {
    std::vector<std::string> parts{};
    std::string problem{};
};
path_parts split_path(std::string_view path);

/// One object to be written; the views outlive the call.
struct tree_put {
    std::string_view key{};
    const payload* body = nullptr;
    const body_file* file = nullptr;  ///< in place of `body`
    bool only_if_absent = false;
    std::optional<result<object_info>> outcome{};
};

/// Every path is walked from the base directory one component at a time, without following symbolic
/// links, so nothing outside is reached whatever a key or another process does. put() by one thread at a
/// time, the others by any number beside it.
class directory_tree {
public:
    directory_tree(std::filesystem::path base, const std::string& bucket, std::size_t sync_together_from,
                   file_calls& calls);
    directory_tree(const directory_tree&) = delete;
    ~directory_tree();

    /// Fills every outcome. An object is visible under its name only when it is whole and on the disk.
    void put(std::span<tree_put* const> group);
    result<object_info> head(std::string_view key);
    result<page> list(const std::string& prefix, const std::string& from, std::size_t limit);
    result<> remove(std::string_view key);
    result<object_body> read(std::string_view key, byte_range which);
    result<> check();

private:
    struct place {  // an open directory
        descriptor fd{};
        std::string path{};
    };
    struct writing;  // one object on its way
    struct walk;     // one list()
    struct entry {
        std::string name;
        bool is_directory;
    };

    error failed(std::string_view call, const std::string& path, int code) const;
    error sync_failed(std::string_view call, const std::string& path, int code) const;
    error refused(std::string_view key, const std::string& problem) const;
    error absent(std::string_view key) const;
    std::string root_path() const;
    std::vector<entry> read_directory(int at, error_code& ec);
    result<place> enter(const place& from, const std::string& name, bool create);
    result<place> open_base() const;
    result<place> open_root(bool create);
    result<place> open_parent(const std::vector<std::string>& key, bool create);
    result<place> find_parent(std::string_view key, std::string& name);
    result<object_info> describe(const place& parent, const std::string& name, std::string_view key);
    result<object_info> describe(const struct stat& s, const std::string& path, std::string_view key);
    result<> open_temporary();
    void clear_leftovers(const place& all);
    result<> write_temporary(writing& object, bool sync);
    result<> write_body(int file, const tree_put& request, const std::string& path);
    result<> write_bytes(int file, const payload& body, const std::string& path);
    bool is_there_already(const writing& object, bool sync);
    result<> put_in_place(writing& object);
    int place_if_absent(const writing& object, int parent);
    result<> sync_names(bool everything);
    void drop_temporary(writing& object);
    result<> list_directory(walk& state, const place& at, const std::string& key);

    std::filesystem::path base_;
    std::vector<std::string> bucket_;
    std::string problem_;
    std::size_t sync_together_from_;
    file_calls& calls_;
    // Of put() alone:
    descriptor temporary_;
    std::string temporary_name_;
    std::uint64_t next_name_ = 0;
    std::set<std::string> unsynced_;  // directories with names that may not be on the disk
    bool first_ = true;
};

}  // namespace firehose::storage
