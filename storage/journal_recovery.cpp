#include "storage/journal_recovery.hpp"

#include "storage/segment_scan.hpp"

#include <algorithm>
#include <cerrno>
#include <set>

namespace firehose::storage {
namespace {

using namespace journal_format;

constexpr std::size_t quarantine_limit = 1000;  // files; beyond, damage is counted and left where it is

// These say that the process, not the file, is in trouble: starting anyway would look like a loss.
bool is_shortage(const error& e) { return is_errno(e, EMFILE) || is_errno(e, ENFILE) || is_errno(e, ENOMEM); }

class recoverer {
public:
    recoverer(file_system& fs, const std::filesystem::path& directory, const recovery_options& how,
              const record_visitor& visit)
        : fs_(fs), directory_(directory), quarantine_(directory / "quarantine"), how_(how), visit_(visit) {}

    result<recovery> run() {
        auto names = list(directory_);
        if (names.has_error()) return names.error();
        std::vector<segment_name> segments;
        for (const std::string& name : *names)
            if (const auto parsed = parse_file_name(name)) segments.push_back(*parsed);
        std::sort(segments.begin(), segments.end());
        look_into_quarantine();
        for (std::size_t i = 0; i < segments.size(); ++i) {
            const bool last = i + 1 == segments.size();
            auto done = segment(segments[i], last);
            if (done.has_error()) return done.error();
        }
        return std::move(out_);
    }

private:
    bool repairing() const { return how_.what == recovery_options::mode::repair; }
    std::filesystem::path path_of(const segment_name& name) const { return directory_ / to_file_name(name); }
    void note(const std::filesystem::path& where, std::string_view what) {
        out_.notes.push_back(where.native() + ": " + std::string(what));
    }
    result<std::vector<std::string>> list(const std::filesystem::path& path) {
        return uninterrupted([&] { return fs_.list(path); });
    }
    void look_into_quarantine() {
        auto kept = list(quarantine_);
        if (kept.has_error()) return;
        for (const std::string& name : *kept) {
            if (!name.ends_with(".tmp"))
                kept_.insert(name);
            else if (repairing())
                (void)fs_.remove(quarantine_ / name);
        }
    }
    static std::string kept_name(const segment_name& name, const damaged_range& range) {
        return to_file_name(name) + "." + std::to_string(range.begin) + "-" + std::to_string(range.end) +
               ".bytes";
    }
    void seen(sequence end) { out_.next = std::max(out_.next, end); }

    // Counts a file that cannot be opened or is no file, and goes on without it.
    result<> skip(const segment_name& name, std::uint64_t size, std::string_view why) {
        ++out_.counts.unreadable_files;
        note(path_of(name), std::string(why) + "; skipped. Its records come back once it can be read");
        seen(name.first + size + 1);
        return {};
    }

    result<> segment(const segment_name& name, bool last) {
        const auto path = path_of(name);
        seen(name.first + 1);
        auto status = uninterrupted([&] { return fs_.status(path); });
        if (status.has_error()) {
            if (is_errno(status.error(), ENOENT)) return {};  // removed by a running writer
            if (is_shortage(status.error())) return status.error();
            return skip(name, 0, status.error().context());
        }
        if (status->kind != entry_kind::file) return skip(name, 0, "is not a regular file");
        if (how_.hooks.known) {
            if (const auto known = how_.hooks.known(name, *status)) {
                seen(known->end);
                out_.segments.push_back(*known);
                return {};
            }
        }
        const auto way = repairing() && last ? open_how::update : open_how::read;
        auto opened = uninterrupted([&] { return fs_.open(path, way); });
        if (opened.has_error() && way == open_how::update &&
            (is_errno(opened.error(), EACCES) || is_errno(opened.error(), EROFS)))
            opened = uninterrupted([&] { return fs_.open(path, open_how::read); });
        if (opened.has_error()) {
            if (is_errno(opened.error(), ENOENT)) return {};
            if (is_shortage(opened.error())) return opened.error();
            return skip(name, status->size, opened.error().context());
        }
        auto scan = scan_segment(**opened, status->size, name, how_.max_payload, visit_);
        out_.counts.records += scan.records;
        seen(scan.end);
        if (scan.header.state == header_state::newer_version) return newer(name, scan);
        return settle_damage(name, **opened, scan, last);
    }

    result<> newer(const segment_name& name, const segment_scan& scan) {
        seen(name.first + scan.size + 1);
        ++out_.counts.newer_files;
        std::string what = "has format version " + std::to_string(scan.header.version) +
                           " and this program knows " + std::to_string(version) + "; ";
        if (repairing() && move_aside(name).has_value())
            what += "kept in quarantine/: move it back and use the program that wrote it";
        else
            what += "left alone: use the program that wrote it";
        note(path_of(name), what);
        return {};
    }

    result<> settle_damage(const segment_name& name, file& from, segment_scan& scan, bool last) {
        segment_info info;
        info.name = name;
        info.end = scan.end;
        info.size = scan.size;
        info.created = time_source::wall(std::chrono::duration_cast<time_source::wall::duration>(
            std::chrono::nanoseconds(scan.header.created)));
        const bool torn = last && !scan.damage.empty() && scan.damage.back().end == scan.size;
        if (!scan.damage.empty()) seen(scan.end + scan.damage.back().size());
        if (!repairing()) {
            count(name, scan, torn);
        } else if (scan.records == 0) {
            return no_records(name, scan, last, info);
        } else {
            for (const damaged_range& range : scan.damage)
                keep(name, from, range, torn && &range == &scan.damage.back(), info);
            if (torn && !info.has_damage) cut(name, from, scan.damage.back().begin, info);
        }
        out_.segments.push_back(info);
        if (how_.hooks.scanned) how_.hooks.scanned(info, scan.damage.empty());
        return {};
    }

    void count(const segment_name& name, const segment_scan& scan, bool torn) {
        for (const damaged_range& range : scan.damage) {
            if (torn && &range == &scan.damage.back()) continue;   // a writer may be at it
            if (kept_.contains(kept_name(name, range))) continue;  // found before, and kept
            ++out_.counts.damaged_ranges;
            out_.counts.damaged_bytes += range.size();
        }
    }

    // Nothing to deliver in it: an empty shell goes, anything else moves to the quarantine as it is.
    result<> no_records(const segment_name& name, const segment_scan& scan, bool last, segment_info& info) {
        // The first write after the segment was made did not finish: nothing in it was promised.
        const bool unfinished =
            last && (scan.size <= segment_header_size || scan.header.state == header_state::good);
        if (scan.damage.empty() || (last && scan.size <= segment_header_size)) {
            out_.counts.torn_bytes += scan.damage.empty() ? 0 : scan.size;
            if (fs_.remove(path_of(name)).has_value()) return {};
        } else {
            if (unfinished) {
                out_.counts.torn_bytes += scan.size - segment_header_size;
            } else {
                ++out_.counts.damaged_ranges;
                out_.counts.damaged_bytes += scan.size;
            }
            if (move_aside(name).has_value()) {
                note(path_of(name), "holds no intact record; kept in quarantine/");
                return {};
            }
            note(path_of(name), "holds no intact record and could not be moved to quarantine/");
            info.has_damage = true;
        }
        out_.segments.push_back(info);
        return {};
    }

    result<> prepare_quarantine() {
        if (quarantine_ready_) return {};
        auto made = make_directories(fs_, directory_, "quarantine");
        quarantine_ready_ = made.has_value();
        return made;
    }

    result<> move_aside(const segment_name& name) {
        auto ready = prepare_quarantine();
        if (ready.has_error()) return ready;
        auto moved = fs_.rename(path_of(name), quarantine_ / to_file_name(name));
        if (moved.has_error()) return moved;
        // In this order: the name is in at least one of the two after a crash.
        (void)fs_.sync_directory(quarantine_);
        (void)fs_.sync_directory(directory_);
        return {};
    }

    void keep(const segment_name& name, file& from, const damaged_range& range, bool torn,
              segment_info& info) {
        const std::string copy = kept_name(name, range);
        if (kept_.contains(copy)) return;  // counted and logged when it was found
        if (torn) {
            out_.counts.torn_bytes += range.size();
        } else {
            ++out_.counts.damaged_ranges;
            out_.counts.damaged_bytes += range.size();
        }
        std::string what =
            torn ? "ends in " + std::to_string(range.size()) + " bytes of an unfinished write"
                 : "is damaged in bytes " + std::to_string(range.begin) + " to " + std::to_string(range.end);
        result<> done = prepare_quarantine();
        if (done.has_value() && kept_.size() < quarantine_limit)
            done = keep_range(fs_, from, range, quarantine_ / copy);
        if (done.has_value() && kept_.size() < quarantine_limit) {
            kept_.insert(copy);
            what += "; kept in quarantine/" + copy;
        } else {
            info.has_damage = true;
            what += "; could not be kept in quarantine/: ";
            what += done.has_error() ? done.error().context() : "it is full";
        }
        note(path_of(name), what);
    }

    // Only a convenience: what is not cut now is stepped over by every later start.
    void cut(const segment_name& name, file& from, std::uint64_t end, segment_info& info) {
        auto done = from.truncate(end);
        if (done.has_value()) done = from.sync();
        if (done.has_value())
            info.size = end;
        else
            note(path_of(name), "could not be cut: " + done.error().context());
    }

    file_system& fs_;
    const std::filesystem::path& directory_;
    const std::filesystem::path quarantine_;
    const recovery_options& how_;
    const record_visitor& visit_;
    std::set<std::string> kept_;
    bool quarantine_ready_ = false;
    recovery out_;
};

}  // namespace

result<recovery> recover_journal(file_system& fs, const std::filesystem::path& directory,
                                 const recovery_options& how, const record_visitor& visit) {
    return recoverer(fs, directory, how, visit).run();
}

}  // namespace firehose::storage
