#include "stages/spool_layout.hpp"

#include "stages/drain_meter.hpp"
#include "stages/spool_bodies.hpp"

#include <cerrno>

namespace firehose::stages {
namespace {

constexpr int depth = 3;  // service, bucket, prefix

result<> collect(storage::file_system& fs, const std::filesystem::path& directory, int level,
                 std::vector<std::filesystem::path>& out) {
    auto names = storage::uninterrupted([&] { return fs.list(directory); });
    if (names.has_error()) {
        if (storage::is_errno(names.error(), ENOENT) || storage::is_errno(names.error(), ENOTDIR)) return {};
        return names.error();
    }
    for (const std::string& name : *names) {
        const auto path = directory / name;
        auto status = storage::uninterrupted([&] { return fs.status(path); });
        if (status.has_error() && !storage::is_errno(status.error(), ENOENT)) return status.error();
        if (status.has_error() || status->kind != storage::entry_kind::directory) continue;
        if (level == depth) {
            out.push_back(path);
            continue;
        }
        auto below = collect(fs, path, level + 1, out);
        if (below.has_error()) return below;
    }
    return {};
}

bool is_for_people(std::string_view name) {
    if (name.ends_with(".tmp")) name.remove_suffix(4);
    return name == "destination.json" || name == drain_meter::file_name;
}

/// Bodies whose records are gone; but none while there is a journal, or bytes in quarantine, which may be
/// those records.
void remove_bodies(storage::file_system& fs, const std::filesystem::path& journal) {
    const auto beside = fs.list(journal);
    if (beside.has_error()) return;
    for (const std::string& name : *beside)
        if (name != spool_bodies::folder_name && name != "parked" && !is_for_people(name)) return;
    const auto folder = journal / spool_bodies::folder_name;
    const auto names = fs.list(folder);
    if (names.has_error()) return;
    for (const std::string& name : *names) (void)fs.remove(folder / name);
    (void)fs.remove_directory(folder);
}

}  // namespace

result<std::vector<std::filesystem::path>> destination_directories(storage::file_system& fs,
                                                                   const std::filesystem::path& root) {
    std::vector<std::filesystem::path> out;
    auto done = collect(fs, root, 1, out);
    if (done.has_error()) return done.error();
    return out;
}

void remove_if_empty(storage::file_system& fs, const std::filesystem::path& root,
                     const std::filesystem::path& directory) {
    for (const auto& one : {directory / "parked" / "quarantine", directory / "parked" / "index",
                            directory / "parked", directory / "quarantine", directory / "index"})
        (void)fs.remove_directory(one);
    remove_bodies(fs, directory / "parked");
    (void)fs.remove_directory(directory / "parked");
    remove_bodies(fs, directory);
    auto names = fs.list(directory);
    if (names.has_error()) return;
    for (const std::string& name : *names)
        if (!is_for_people(name)) return;
    for (const std::string& name : *names) (void)fs.remove(directory / name);
    for (auto path = directory; path != root && path.has_relative_path(); path = path.parent_path())
        if (fs.remove_directory(path).has_error()) return;
}

}  // namespace firehose::stages
