#include "storage/journal_commit.hpp"

#include <algorithm>
#include <chrono>

namespace firehose::storage {
namespace {

using namespace journal_format;

result<> start_segment(file_system& fs, const std::filesystem::path& directory, journal_commit& commit) {
    auto made = std::make_shared<open_segment>();
    made->info.name = {commit.next, commit.salt};
    made->info.end = commit.next;
    made->info.created = commit.now;
    const auto path = directory / to_file_name(made->info.name);
    auto opened = uninterrupted([&] { return fs.open(path, open_how::create_new); });
    if (opened.has_error()) return opened.error();
    made->to = std::move(*opened);
    commit.segment = std::move(made);

    std::array<std::byte, segment_header_size> header;
    const auto created = std::chrono::duration_cast<std::chrono::nanoseconds>(commit.now.time_since_epoch());
    encode_segment_header(commit.segment->info.name, created.count(), header);
    const bytes_view part(header);
    commit.segment->info.size = header.size();
    return write_fully(*commit.segment->to, std::span(&part, 1), 0);
}

// Gives every record its sequence and place, and its checksum.
std::vector<bytes_view> seal_requests(journal_commit& commit) {
    std::vector<bytes_view> parts;
    segment_info& info = commit.segment->info;
    std::uint64_t offset = info.size;
    for (const auto& request : commit.requests) {
        for (journal_request::part& part : request->parts) {
            part.header.first = commit.next;
            commit.next += std::max(1u, part.header.count);
            const auto front = std::span(request->fronts).subspan(part.offset, part.front);
            seal_record(info.name.salt, part.header, front, part.body);
            parts.push_back(front);
            parts.push_back(part.body);
            record_location where;
            where.first = part.header.first;
            where.segment = info.name;
            where.offset = static_cast<std::uint32_t>(offset);
            where.length = static_cast<std::uint32_t>(record_header_size + part.header.length);
            request->where.push_back(where);
            offset += where.length;
        }
    }
    return parts;
}

result<> write_requests(file_system& fs, const std::filesystem::path& directory, journal_commit& commit) {
    open_segment& segment = *commit.segment;
    const auto parts = seal_requests(commit);
    auto done = write_fully(*segment.to, parts, segment.info.size);
    if (done.has_error()) return done;
    for (const bytes_view part : parts) segment.info.size += part.size();
    segment.info.end = commit.next;
    const bool sync = std::ranges::any_of(
        commit.requests, [](const auto& request) { return request->how == durability::synced; });
    if (!sync) return done;
    done = segment.to->sync();
    if (done.has_error()) return done;
    if (!segment.in_directory) done = fs.sync_directory(directory);
    if (done.has_error()) return done;
    segment.in_directory = segment.has_acknowledged = true;
    return done;
}

}  // namespace

void run_commit(file_system& fs, const std::filesystem::path& directory, const journal_options& options,
                journal_commit& commit) {
    if (commit.segment && commit.segment->info.size >= options.segment_bytes) commit.segment.reset();
    result<> done;
    if (!commit.segment) {
        const sequence first = commit.next;
        done = start_segment(fs, directory, commit);
        if (done.has_error()) commit.next = first + 1;  // the name is taken, perhaps
    }
    if (done.has_value()) done = write_requests(fs, directory, commit);
    if (done.has_value()) return;

    commit.failure = done.error();
    if (!commit.segment) return;
    // For good: after a failed write or sync nobody knows what the file holds. One that nobody relies on
    // is removed, so that a full disk does not collect empty files.
    const auto path = directory / to_file_name(commit.segment->info.name);
    const bool relied_on = commit.segment->has_acknowledged;
    commit.segment.reset();
    if (!relied_on) (void)fs.remove(path);
}

}  // namespace firehose::storage
