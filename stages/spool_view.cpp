#include "stages/spool_view.hpp"

#include "stages/drain_meter.hpp"
#include "stages/spool_bodies.hpp"
#include "stages/spool_layout.hpp"
#include "stages/spool_replay.hpp"
#include "storage/journal.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <limits>

namespace firehose::stages {
namespace {

constexpr std::uint32_t largest_record = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t no_digest_size = std::numeric_limits<std::uint64_t>::max();

bool contains_text(std::string_view text, std::string_view part) {
    const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
    return std::ranges::search(text, part, [&](char a, char b) { return lower(a) == lower(b); }).begin() !=
               text.end() ||
           part.empty();
}

/// One journal that somebody else may be writing to.
class journal_view {
public:
    journal_view(storage::file_system& fs, std::filesystem::path directory)
        : fs_(fs),
          directory_(std::move(directory)),
          bodies_(fs, directory_),
          digests_(fs, directory_, largest_record, no_digest_size, digest_folder::use::look) {}

    /// Empty when there is no such journal.
    result<> open() {
        bodies_.open();
        storage::recovery_options how;
        how.max_payload = largest_record;
        how.what = storage::recovery_options::mode::look;
        how.hooks.known = replay_.hooks().known;
        const auto visit = [this](const storage::recovered_record& record) { replay_.visit(record); };
        auto found = storage::recover_journal(fs_, directory_, how, visit);
        if (found.has_error() && !storage::is_errno(found.error(), ENOENT)) return found.error();
        replay_.finish();
        return {};
    }

    /// False: `visit` wants no more.
    bool visit(const spool_filter& which, bool parked, std::uint64_t& unreadable,
               const std::function<bool(const kept_record&)>& visit) {
        const lease_query all;
        storage::sequence from = 0;
        for (;;) {
            const auto next = replay_.index.next_due(from, all);
            if (next.unfilled) {
                const auto records = digests_.puts(*next.unfilled);
                replay_.index.fill(*next.unfilled, records);
                continue;
            }
            if (!next.record) return true;
            from = *next.record + 1;
            kept_record one;
            slab backing;
            const bool good = read(*next.record, one, backing);
            replay_.index.erase(*next.record);  // so that what was filled in does not add up
            one.parked = parked;
            one.id = record_id(one.header.to, parked, *next.record);
            if (!good) ++unreadable;
            if (good && which.matches(one) && !visit(one)) return false;
        }
    }

    const spool_replay& replay() const { return replay_; }
    std::uint64_t body_bytes() const { return replay_.index.bytes() + bodies_.bytes(); }

private:
    bool read(storage::sequence record, kept_record& out, slab& backing) {
        const auto about = replay_.index.at(record);
        std::vector<storage::record_location> where{about->where};
        if (about->mark) where.push_back(*about->mark);
        auto got = storage::read_records(fs_, directory_, where, largest_record);
        if (got.front().has_error()) return false;
        auto kept = spool_record::read_kept(*got.front());
        if (!kept) return false;
        out.header = std::move(kept->header);
        out.header.attempts = about->attempts;
        out.header.next_at = about->next_at;
        if (got.size() > 1 && got.back().has_value())
            spool_record::apply_mark(got.back()->payload, record, out.header);
        out.body = kept->body;
        backing = got.front()->backing;
        if (out.header.file.empty()) return true;
        out.file = bodies_.find(out.header.file, out.body);
        out.body = {};
        return out.file != nullptr;
    }

    storage::file_system& fs_;
    std::filesystem::path directory_;
    spool_bodies bodies_;
    digest_folder digests_;
    spool_replay replay_{digests_};
};

double drain_rate_of(storage::file_system& fs, const std::filesystem::path& directory,
                     time_source::wall now) {
    auto opened = fs.open(directory / drain_meter::file_name, storage::open_how::read);
    if (opened.has_error()) return 0;
    std::array<std::byte, 256> text{};
    const auto got = storage::read_fully(**opened, text, 0);
    return got.has_error() ? 0 : drain_meter::from_json(as_text(bytes_view(text).first(*got)), now);
}

void count_quarantine(storage::file_system& fs, const std::filesystem::path& directory, spool_check& out) {
    const auto names = fs.list(directory / "quarantine");
    if (names.has_error()) return;
    for (const std::string& name : *names) {
        const auto status = fs.status(directory / "quarantine" / name);
        if (status.has_error() || status->kind != storage::entry_kind::file) continue;
        ++out.quarantined_files;
        out.quarantined_bytes += status->size;
    }
}

/// Reads the large bodies of the records that `which` lets pass. Returns the ids of those whose file is not
/// there.
result<std::vector<std::string>> read_bodies(storage::file_system& fs, const std::filesystem::path& directory,
                                             const spool_filter& which, spool_check& out) {
    journal_view records(fs, directory);
    auto opened = records.open();
    if (opened.has_error()) return opened.error();
    std::vector<std::string> missing;
    const auto look = [&](const kept_record& one) {
        if (!one.file) return true;
        const auto read = storage::read_in_steps(*one.file, [](bytes_view) { return result<>(); });
        if (read.has_value()) return true;
        if (storage::is_errno(read.error(), ENOENT)) {
            missing.push_back(one.id);
        } else {
            ++out.damaged_bodies;
            out.notes.push_back(read.error().context() + " (key " + one.header.key + ")");
        }
        return true;
    };
    records.visit(which, out.parked, out.damaged_bodies, look);
    return missing;
}

/// A body that is missing is damage only if its record is still there afterwards: a process may be at it.
result<> check_bodies(storage::file_system& fs, const std::filesystem::path& directory, spool_check& out) {
    auto missing = read_bodies(fs, directory, {}, out);
    if (missing.has_error()) return missing.error();
    if (missing->empty()) return {};
    spool_filter those;
    those.ids = std::move(*missing);
    spool_check again;
    again.parked = out.parked;
    missing = read_bodies(fs, directory, those, again);
    if (missing.has_error()) return missing.error();
    out.damaged_bodies += missing->size();
    for (const auto& id : *missing) out.notes.push_back("the file with the body of " + id + " is gone");
    return {};
}

result<std::optional<spool_check>> check_journal(storage::file_system& fs,
                                                 const std::filesystem::path& directory, bool parked) {
    const digest_folder none(fs, directory, largest_record, no_digest_size, digest_folder::use::look);
    spool_replay replay(none);
    storage::recovery_options how;
    how.max_payload = largest_record;
    how.what = storage::recovery_options::mode::look;
    bool any_file = false;
    const auto visit = [&](const storage::recovered_record& record) {
        replay.visit(record);
        any_file = any_file || spool_record::has_file(record);
    };
    auto found = storage::recover_journal(fs, directory, how, visit);
    if (found.has_error()) {
        if (storage::is_errno(found.error(), ENOENT)) return std::optional<spool_check>();
        return found.error();
    }
    spool_check out;
    out.to = replay.to.value_or(storage::destination());
    out.intact = found->counts.records;
    out.undelivered = replay.index.records();
    out.damaged_ranges = found->counts.damaged_ranges;
    out.damaged_bytes = found->counts.damaged_bytes;
    out.unreadable_files = found->counts.unreadable_files;
    out.newer_files = found->counts.newer_files;
    out.notes = std::move(found->notes);
    count_quarantine(fs, directory, out);
    out.parked = parked;
    if (any_file) {
        auto bodies = check_bodies(fs, directory, out);
        if (bodies.has_error()) return bodies.error();
    }
    return std::optional<spool_check>(std::move(out));
}

}  // namespace

bool spool_filter::wants(const storage::destination& to) const {
    if (!service.empty() && service != to.service) return false;
    if (!bucket.empty() && bucket != to.bucket) return false;
    return destination.empty() || destination == storage::describe(to) || destination == storage::hash(to);
}

bool spool_filter::matches(const kept_record& one) const {
    const spool_header& h = one.header;
    if (!(one.parked ? parked : waiting) || !wants(h.to)) return false;
    if (!flow.empty() && flow != h.flow_id) return false;
    if (failed_before && h.first_failed_at >= *failed_before) return false;
    const failure& why = h.last_error;
    const bool error_fits = contains_text(why.message, error) || contains_text(why.code, error) ||
                            contains_text(why.disposition, error) || error == std::to_string(why.status);
    if (!error_fits) return false;
    return ids.empty() || std::ranges::any_of(ids, [&](const std::string& id) {
               return id == one.id || id == h.event_id || id == h.key;
           });
}

std::string record_id(const storage::destination& to, bool parked, storage::sequence number) {
    return storage::hash(to) + (parked ? "/parked/" : "/") + std::to_string(number);
}

result<std::uint64_t> visit_kept(storage::file_system& fs, const std::filesystem::path& data_dir,
                                 const spool_filter& which,
                                 const std::function<bool(const kept_record&)>& visit) {
    auto directories = destination_directories(fs, data_dir / "spool");
    if (directories.has_error()) return directories.error();
    std::uint64_t unreadable = 0;
    for (const auto& one : *directories) {
        for (const bool parked : {false, true}) {
            if (!(parked ? which.parked : which.waiting)) continue;
            journal_view journal(fs, parked ? one / "parked" : one);
            auto opened = journal.open();
            if (opened.has_error()) return opened.error();
            if (!journal.replay().to || !which.wants(*journal.replay().to)) continue;
            if (!journal.visit(which, parked, unreadable, visit)) return unreadable;
        }
    }
    return unreadable;
}

result<std::vector<backlog>> inspect(storage::file_system& fs, const std::filesystem::path& data_dir,
                                     time_source::wall now) {
    auto directories = destination_directories(fs, data_dir / "spool");
    if (directories.has_error()) return directories.error();
    std::vector<backlog> out;
    for (const auto& one : *directories) {
        journal_view records(fs, one), dead_letters(fs, one / "parked");
        for (journal_view* const journal : {&records, &dead_letters}) {
            auto opened = journal->open();
            if (opened.has_error()) return opened.error();
        }
        const spool_index& waiting = records.replay().index;
        const spool_index& dead = dead_letters.replay().index;
        if (waiting.records() == 0 && dead.records() == 0) continue;
        backlog row;
        row.to = records.replay().to ? *records.replay().to
                                     : dead_letters.replay().to.value_or(storage::destination());
        row.records = waiting.records();
        row.bytes = records.body_bytes();
        row.parked = dead.records();
        row.oldest = waiting.oldest_failure();
        row.next_at = waiting.earliest();
        row.drain_rate = drain_rate_of(fs, one, now);
        row.last_error =
            waiting.records() > 0 ? records.replay().last_error : dead_letters.replay().last_error;
        out.push_back(std::move(row));
    }
    std::sort(out.begin(), out.end(), [](const backlog& a, const backlog& b) { return a.to < b.to; });
    return out;
}

result<std::vector<spool_check>> verify_spool(storage::file_system& fs,
                                              const std::filesystem::path& data_dir) {
    auto directories = destination_directories(fs, data_dir / "spool");
    if (directories.has_error()) return directories.error();
    std::vector<spool_check> out;
    for (const auto& one : *directories) {
        for (const bool parked : {false, true}) {
            auto checked = check_journal(fs, parked ? one / "parked" : one, parked);
            if (checked.has_error()) return checked.error();
            if (!*checked) continue;
            out.push_back(std::move(**checked));
        }
    }
    return out;
}

}  // namespace firehose::stages
