#include "stages/directory_spool.hpp"
#include "stages/spool_journal.hpp"
#include "stages/spool_layout.hpp"

#include <algorithm>
#include <cerrno>

namespace firehose::stages {
namespace {

result<spool_replay> look_at(storage::file_system& fs, const std::filesystem::path& directory) {
    spool_replay replay;
    storage::recovery_options how;
    how.what = storage::recovery_options::mode::look;
    const auto visit = [&replay](const storage::recovered_record& record) { replay.visit(record); };
    auto found = storage::recover_journal(fs, directory, how, visit);
    if (found.has_error() && !storage::is_errno(found.error(), ENOENT)) return found.error();
    replay.finish();
    return replay;
}

}  // namespace

result<std::vector<backlog>> inspect(storage::file_system& fs, const std::filesystem::path& data_dir) {
    auto directories = destination_directories(fs, data_dir / "spool");
    if (directories.has_error()) return directories.error();
    std::vector<backlog> out;
    for (const auto& one : *directories) {
        auto records = look_at(fs, one);
        if (records.has_error()) return records.error();
        auto dead_letters = look_at(fs, one / "parked");
        if (dead_letters.has_error()) return dead_letters.error();
        const bool any = records->index.records() > 0;
        if (!any && dead_letters->index.records() == 0) continue;
        backlog row;
        row.to = records->to ? *records->to : dead_letters->to.value_or(storage::destination());
        row.records = records->index.records();
        row.bytes = records->index.bytes();
        row.parked = dead_letters->index.records();
        row.oldest = records->index.oldest_failure();
        row.next_at = records->index.earliest();
        row.last_error = any ? records->last_error : dead_letters->last_error;
        out.push_back(std::move(row));
    }
    std::sort(out.begin(), out.end(), [](const backlog& a, const backlog& b) { return a.to < b.to; });
    return out;
}

}  // namespace firehose::stages
