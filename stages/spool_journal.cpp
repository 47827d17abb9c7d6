#include "stages/spool_journal.hpp"

#include "http/random_hex.hpp"
#include "pipeline/blocking.hpp"
#include "stages/spool_replay.hpp"
#include "storage/shield.hpp"

#include <algorithm>
#include <cerrno>

namespace firehose::stages {

namespace kind = spool_record::kind;

task<result<>> spool_journal::open() {
    if (log_) co_return result<>();
    spool_replay replay(digests_);
    auto opening = storage::journal::open(x_, fs_, directory_, options_, replay.visitor(), replay.hooks());
    auto opened = co_await std::move(opening);
    if (opened.has_error()) co_return opened.error();
    log_ = std::move(*opened);
    auto finish = [this, &replay] {
        replay.finish();
        digests_.keep_only(log_->segments());
        bodies_.open();
        repeats_.learn(replay.index, digests_);
    };
    co_await run_blocking(x_.blocking, std::move(finish));
    if (replay.foreign > 0) {
        x_.log.warning("spool records of an unknown kind are passed over",
                       {{"directory", directory_.native()}, {"records", replay.foreign}});
        x_.count["spool_foreign_records"] += replay.foreign;
    }
    index_ = std::move(replay.index);
    last_error_ = std::move(replay.last_error);
    to_ = std::move(replay.to);
    sealed_ = log_->segment_count();
    co_return result<>();
}

task<> spool_journal::fill(storage::journal_format::segment_name segment) {
    auto work = [this, &segment] { return digests_.puts(segment); };
    const auto records = co_await run_blocking(x_.blocking, std::move(work));
    index_.fill(segment, records);
}

task<> spool_journal::distrust(storage::sequence record) {
    const auto about = index_.at(record);
    if (!about) co_return;
    auto work = [this, segment = about->where.segment] { digests_.remove(segment); };
    co_await run_blocking(x_.blocking, std::move(work));
}

task<result<spool_journal::appended>> spool_journal::append(std::vector<const spool_entry*> entries) {
    appended out;
    if (repeats_.any()) out.adopted = co_await find_repeats(entries);
    struct counted {
        std::size_t& n;
        explicit counted(std::size_t& of) : n(of) { ++n; }
        counted(const counted&) = delete;
        ~counted() { --n; }
    };
    const counted keeping(keeping_);
    auto files = co_await keep_files(entries);
    if (files.has_error()) co_return files.error();
    std::vector<std::string> heads;
    heads.reserve(entries.size());
    std::size_t next_file = 0;
    for (const spool_entry* const one : entries) {
        if (!one->file) {
            heads.push_back(spool_record::encode_put(one->header));
            continue;
        }
        auto header = one->header;
        header.file = (*files)[next_file++];
        heads.push_back(spool_record::encode_put(header));
    }
    std::vector<new_record> records(entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
        records[i].input.type = kind::put;
        records[i].input.head = as_bytes(heads[i]);
        records[i].input.body = entries[i]->body;
        records[i].header = &entries[i]->header;
        records[i].touched = x_.time.wall_now();
    }
    auto written = co_await write(std::move(records));
    // After a failure nobody knows whether the records are there: their files go with the last of the others.
    if (written.has_error()) co_return written.error();
    out.written = std::move(*written);
    out.files = std::move(*files);
    if (!entries.empty()) last_error_ = entries.back()->header.last_error;
    for (const storage::sequence one : out.adopted) index_.set_origin(one, spool_index::origin::this_run);
    x_.count["spool_repeats"] += out.adopted.size();
    co_return std::move(out);
}

task<> spool_journal::undo(appended what) {
    for (const storage::sequence one : what.adopted) index_.set_origin(one, spool_index::origin::earlier_run);
    if (what.written.empty()) co_return;
    auto gone = co_await settle(std::move(what.written), std::move(what.files));
    if (gone.has_error()) ++x_.count["spool_failed_undos"];
}

/// A name for each entry that has a file. All are kept, or none.
task<result<std::vector<std::string>>>
spool_journal::keep_files(const std::vector<const spool_entry*>& entries) {
    std::vector<std::string> names;
    std::vector<const storage::body_file*> files;
    for (const spool_entry* const one : entries) {
        if (!one->file) continue;
        names.push_back(http::random_hex(x_.random, 12));
        files.push_back(one->file.get());
    }
    if (files.empty()) co_return names;
    const permit mine = co_await with_bodies_.acquire();
    auto work = [this, &names, &files]() -> result<> {
        for (std::size_t i = 0; i < files.size(); ++i) {
            auto kept = bodies_.keep(*files[i], names[i]);
            if (kept.has_value()) continue;
            for (std::size_t j = 0; j < i; ++j) bodies_.drop(names[j]);
            return kept;
        }
        return {};
    };
    auto kept = co_await run_blocking(x_.blocking, std::move(work));
    if (kept.has_error()) co_return kept.error();
    co_return names;
}

/// With the last record goes what a crash may have left.
task<> spool_journal::drop_files(std::vector<std::string> names) {
    const bool all = index_.records() == 0 && keeping_ == 0 && bodies_.bytes() > 0;
    if (names.empty() && !all) co_return;
    const bool cancellable = co_await storage::begin_shield();
    const permit mine = co_await with_bodies_.acquire();
    const bool still_all = all && index_.records() == 0 && keeping_ == 0;
    auto work = [this, &names, still_all] {
        for (const auto& one : names) bodies_.drop(one);
        if (still_all) bodies_.drop_all();
    };
    co_await run_blocking(x_.blocking, std::move(work));
    co_await storage::end_shield(cancellable);
}

task<result<std::vector<storage::sequence>>> spool_journal::write(std::vector<new_record> records) {
    std::vector<storage::journal_input> inputs;
    inputs.reserve(records.size());
    for (const new_record& one : records) inputs.push_back(one.input);
    // Erased on every way out, exceptions included.
    struct floor {
        std::multiset<storage::sequence>& in;
        std::multiset<storage::sequence>::iterator at;
        ~floor() { in.erase(at); }
    };
    const floor mine{appending_from_, appending_from_.insert(log_->next_sequence())};
    auto where = co_await log_->append(inputs);
    if (where.has_error()) co_return where.error();
    std::vector<storage::sequence> out;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const spool_header& header = *records[i].header;
        spool_record::schedule when;
        when.attempts = header.attempts;
        when.next_at = header.next_at;
        when.first_failed_at = header.first_failed_at;
        index_.put((*where)[i], when, records[i].input.body.size(), records[i].touched, records[i].since);
        out.push_back((*where)[i].first);
    }
    co_await finish_segments();
    co_return out;
}

// A segment that nobody appends to any more gets its digest, and the index forgets what that says.
task<> spool_journal::finish_segments() {
    if (finishing_ || log_->segment_count() <= sealed_ + 1) {
        sealed_ = std::min(sealed_, log_->segment_count());
        co_return;
    }
    finishing_ = true;
    const bool cancellable = co_await storage::begin_shield();
    auto all = log_->segments();
    while (sealed_ + 1 < all.size()) {
        const auto segment = all[sealed_++];
        if (segment.size < limits_.digest_from_bytes) continue;
        auto work = [this, &segment] { return digests_.make(segment.name); };
        const auto digest = co_await run_blocking(x_.blocking, std::move(work));
        if (digest) index_.shrink(*digest);
        all = log_->segments();
    }
    finishing_ = false;
    co_await storage::end_shield(cancellable);
}

// What an earlier run has kept already need not be kept twice. Leaves the others in `entries`.
task<std::vector<storage::sequence>> spool_journal::find_repeats(std::vector<const spool_entry*>& entries) {
    std::vector<const spool_entry*> fresh;
    std::vector<storage::sequence> repeats;
    for (const spool_entry* const one : entries) {
        const auto known = repeats_.find(one->body);
        bool same = false;
        if (known) same = co_await holds(*known, *one);
        if (!same) {
            fresh.push_back(one);
            continue;
        }
        repeats.push_back(*known);
        repeats_.forget(one->body);
    }
    entries = std::move(fresh);
    co_return repeats;
}

task<bool> spool_journal::holds(storage::sequence record, const spool_entry& entry) {
    if (const auto segment = index_.unfilled(record)) co_await fill(*segment);
    const auto about = index_.at(record);
    if (!about || about->held) co_return false;
    std::vector<storage::sequence> one(1, record);
    auto got = co_await read(std::move(one));
    const auto still = index_.at(record);
    if (got.front().has_error() || !still || still->held) co_return false;
    const leased_record& kept = *got.front();
    if (kept.header.key != entry.header.key || (kept.file == nullptr) != (entry.file == nullptr))
        co_return false;
    if (!std::ranges::equal(kept.body, entry.body)) co_return false;
    if (!kept.file) co_return true;
    // Only what can be read is as good as what was brought.
    auto work = [&kept] { return storage::read_in_steps(*kept.file, [](bytes_view) { return result<>(); }); };
    const auto intact = co_await run_blocking(x_.blocking, std::move(work));
    co_return intact.has_value();
}

task<result<>> spool_journal::settle(std::vector<storage::sequence> records, std::vector<std::string> files) {
    const std::string payload = spool_record::encode_sequences(records);
    storage::journal_input input;
    input.type = kind::settled;
    input.head = as_bytes(payload);
    auto inputs = std::span<const storage::journal_input>(&input, 1);
    auto done = co_await log_->append(inputs);
    // Also after a failure nothing here sends them again; a restart may. When everything in a segment is
    // settled, unlinking it says so too, and that works on a full disk.
    for (const storage::sequence one : records) index_.erase(one);
    co_await trim();
    if (done.has_error()) co_return done.error();
    co_await drop_files(std::move(files));
    co_await compact();
    co_return result<>();
}

task<result<>> spool_journal::fail(std::vector<failed_record> all) {
    std::vector<std::string> payloads;
    payloads.reserve(all.size());
    std::vector<storage::journal_input> inputs;
    for (const failed_record& one : all) {
        payloads.push_back(spool_record::encode_failed(one.record, one.what, one.history));
        storage::journal_input input;
        input.type = kind::failed;
        input.head = as_bytes(payloads.back());
        inputs.push_back(input);
    }
    auto done = co_await log_->append(inputs);
    if (done.has_error()) co_return done.error();
    for (std::size_t i = 0; i < all.size(); ++i) {
        index_.fail(all[i].record, all[i].what.attempts, all[i].what.next_at, (*done)[i]);
        last_error_ = std::move(all[i].what.why);
    }
    co_return result<>();
}

task<> spool_journal::note_attempts(std::uint16_t what, std::vector<spool_record::attempt> all) {
    const std::string payload = spool_record::encode_attempts(all);
    storage::journal_input input;
    input.type = what;
    input.head = as_bytes(payload);
    auto inputs = std::span<const storage::journal_input>(&input, 1);
    auto done = co_await log_->append(inputs, storage::durability::written);
    // Sending goes on without the note: on a full disk it is what makes room.
    if (done.has_error()) ++x_.count["spool_unnoted_attempts"];
}

task<std::vector<result<leased_record>>> spool_journal::read(std::vector<storage::sequence> records) {
    std::vector<spool_index::found> about;
    std::vector<storage::record_location> places;
    for (const storage::sequence one : records) {
        const auto found = index_.at(one);
        about.push_back(found.value_or(spool_index::found()));
        places.push_back(about.back().where);
        if (about.back().mark) places.push_back(*about.back().mark);
    }
    auto got = co_await log_->read(std::move(places));
    std::vector<result<leased_record>> out;
    for (std::size_t i = 0, at = 0; i < records.size(); ++i) {
        auto& body = got[at++];
        const auto* const mark = about[i].mark ? &got[at++] : nullptr;
        out.push_back(to_leased(records[i], about[i], body, mark));
    }
    co_return std::move(out);
}

error spool_journal::unreadable(const std::string& why) const {
    error_details d;
    d.code = error_code(EBADMSG, boost::system::system_category());
    d.context = "a record in " + directory_.native() + " " + why;
    return {disposition::park, std::move(d)};
}

result<leased_record> spool_journal::to_leased(storage::sequence record, const spool_index::found& about,
                                               result<storage::journal_record>& body,
                                               const result<storage::journal_record>* mark) const {
    if (body.has_error()) return body.error();
    auto kept = spool_record::read_kept(*body);
    if (!kept) return unreadable("has a header this program cannot read");
    leased_record out;
    out.header = std::move(kept->header);
    out.header.attempts = about.attempts;
    out.header.next_at = about.next_at;
    if (mark != nullptr && mark->has_value()) spool_record::apply_mark((**mark).payload, record, out.header);
    out.body = kept->body;
    out.backing = body->backing;
    if (!out.header.file.empty()) out.file = bodies_.find(out.header.file, out.body);
    if (!out.header.file.empty() && !out.file) return unreadable("names a file that cannot be one of ours");
    out.from_earlier_run = about.since == spool_index::origin::earlier_run;
    return out;
}

storage::sequence spool_journal::keep_from() const {
    storage::sequence from = index_.oldest().value_or(log_->next_sequence());
    if (!appending_from_.empty()) from = std::min(from, *appending_from_.begin());
    return from;
}

task<> spool_journal::trim() {
    const storage::sequence from = keep_from();
    if (!log_->removable(from)) co_return;
    const auto before = log_->segments();
    auto done = co_await log_->remove_before(from);
    const auto left = log_->segments();
    sealed_ -= std::min(sealed_, before.size() - std::min(before.size(), left.size()));
    auto work = [this, &before, &left] {
        for (const storage::segment_info& one : before)
            if (std::ranges::find(left, one.name, &storage::segment_info::name) == left.end())
                digests_.remove(one.name);
    };
    if (limits_.digest_from_bytes <= before.front().size) co_await run_blocking(x_.blocking, std::move(work));
    if (done.has_value()) co_return;
    ++x_.count["spool_failed_removals"];
    x_.log.warning("spool files that are done with could not be removed",
                   {{"error", done.error().context()}});
}

// The oldest segment, when most of what it and all later ones hold is finished and only a few records keep
// it. Those are written anew at the end, each in a record that says which one it stands for, so that after a
// crash there is exactly one of the two.
std::vector<storage::sequence> spool_journal::worth_moving() const {
    if (log_->segment_count() < 3) return {};
    const std::uint64_t on_disk = log_->size_on_disk();
    if (on_disk < limits_.compact_from_bytes || index_.bytes() * 2 > on_disk) return {};
    const auto segment = log_->oldest_segment();
    const std::uint64_t left = index_.journal_bytes_of_oldest(segment->name);
    if (left > limits_.compact_step_bytes || left > segment->size / 4) return {};
    return index_.movable_of_oldest(segment->name);
}

task<> spool_journal::compact() {
    if (compacting_) co_return;
    const auto old = worth_moving();
    if (old.empty()) co_return;
    compacting_ = true;
    const bool cancellable = co_await storage::begin_shield();
    co_await move(old);
    compacting_ = false;
    co_await storage::end_shield(cancellable);
    co_await trim();
}

task<> spool_journal::move(std::vector<storage::sequence> old) {
    // Nobody may take them meanwhile.
    std::vector<time_source::wall> touched;
    for (const storage::sequence one : old) touched.push_back(index_.lease(one, x_.time.wall_now()));
    auto wanted = old;
    auto got = co_await read(std::move(wanted));
    std::vector<std::string> heads;
    std::vector<new_record> records;
    std::vector<storage::sequence> moving;
    heads.reserve(got.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (got[i].has_error()) continue;  // stays, and holds its segment
        heads.push_back(spool_record::encode_moved(old[i], got[i]->header));
        new_record one;
        one.input.type = kind::moved;
        one.input.head = as_bytes(heads.back());
        one.input.body = got[i]->body;
        one.header = &got[i]->header;
        one.since =
            got[i]->from_earlier_run ? spool_index::origin::earlier_run : spool_index::origin::this_run;
        one.touched = touched[i];
        records.push_back(one);
        moving.push_back(old[i]);
    }
    auto done = co_await write(std::move(records));
    for (std::size_t i = 0; i < old.size(); ++i) index_.unlease(old[i], touched[i]);
    if (done.has_error()) {
        ++x_.count["spool_failed_moves"];
        co_return;
    }
    for (const storage::sequence one : moving) index_.erase(one);
    x_.count["spool_moved_records"] += moving.size();
}

}  // namespace firehose::stages
