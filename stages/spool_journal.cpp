#include "stages/spool_journal.hpp"

#include <algorithm>
#include <cerrno>

namespace firehose::stages {

namespace kind = spool_record::kind;

void spool_replay::visit(const storage::recovered_record& record) {
    switch (record.type) {
        case kind::put: {
            const auto put = spool_record::parse_put(record.payload);
            if (!put) break;
            if (settled_early_.contains(record.where.first)) return;
            index.put(record.where, put->when, put->body.size(), time_source::wall::min());
            if (!to) {
                if (const auto header = spool_record::parse_header(*put)) to = header->to;
            }
            last_header_.assign(as_text(put->header));
            last_why_.clear();
            return;
        }
        case kind::settled:
            for (const storage::sequence one : spool_record::parse_sequences(record.payload)) {
                if (index.contains(one))
                    index.erase(one);
                else if (one > record.where.first)  // a copy of later bytes in an earlier place
                    settled_early_.insert(one);
                open_leases_.erase(one);
            }
            return;
        case kind::failed: {
            const auto what = spool_record::parse_failed(record.payload);
            if (!what) break;
            index.fail(what->record, what->attempts, what->next_at, record.where);
            open_leases_.erase(what->record);
            last_why_.assign(as_text(what->why));
            return;
        }
        case kind::leased:
            for (const auto& one : spool_record::parse_attempts(record.payload))
                if (index.contains(one.record)) open_leases_[one.record] = one.attempts;
            return;
        case kind::returned:
            for (const auto& one : spool_record::parse_attempts(record.payload)) {
                index.set_attempts(one.record, one.attempts);
                open_leases_.erase(one.record);
            }
            return;
        default: break;
    }
    ++foreign;
}

void spool_replay::finish() {
    for (const auto& [record, attempts] : open_leases_) index.set_attempts(record, attempts);
    if (!last_why_.empty()) {
        last_error = spool_record::parse_failure(as_bytes(last_why_));
    } else if (!last_header_.empty()) {
        spool_record::put_view put;
        put.header = as_bytes(last_header_);
        if (const auto header = spool_record::parse_header(put)) last_error = header->last_error;
    }
    open_leases_.clear();
    settled_early_.clear();
}

task<result<>> spool_journal::open() {
    if (log_) co_return result<>();
    spool_replay replay;
    storage::record_visitor visit = [&replay](const storage::recovered_record& record) {
        replay.visit(record);
    };
    auto opened = co_await storage::journal::open(x_, fs_, directory_, options_, std::move(visit));
    if (opened.has_error()) co_return opened.error();
    log_ = std::move(*opened);
    replay.finish();
    if (replay.foreign > 0) {
        x_.log.warning("spool records of an unknown kind are passed over",
                       {{"directory", directory_.native()}, {"records", replay.foreign}});
        x_.count["spool_foreign_records"] += replay.foreign;
    }
    index_ = std::move(replay.index);
    last_error_ = std::move(replay.last_error);
    to_ = std::move(replay.to);
    first_of_this_run_ = log_->next_sequence();
    co_return result<>();
}

task<result<std::vector<storage::sequence>>> spool_journal::append(std::vector<const spool_entry*> entries) {
    std::vector<std::string> heads;
    std::vector<storage::journal_input> inputs;
    heads.reserve(entries.size());
    for (const spool_entry* const one : entries) {
        heads.push_back(spool_record::encode_put(one->header));
        storage::journal_input input;
        input.type = kind::put;
        input.head = as_bytes(heads.back());
        input.body = one->body;
        inputs.push_back(input);
    }
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
    const auto now = x_.time.wall_now();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const spool_header& header = entries[i]->header;
        spool_record::schedule when;
        when.attempts = header.attempts;
        when.next_at = header.next_at;
        when.first_failed_at = header.first_failed_at;
        index_.put((*where)[i], when, entries[i]->body.size(), now);
        out.push_back((*where)[i].first);
        last_error_ = header.last_error;
    }
    co_return std::move(out);
}

task<result<>> spool_journal::settle(std::vector<storage::sequence> records) {
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
    co_return result<>();
}

task<result<>> spool_journal::fail(storage::sequence record, failed what) {
    const std::string payload = spool_record::encode_failed(record, what);
    storage::journal_input input;
    input.type = kind::failed;
    input.head = as_bytes(payload);
    auto inputs = std::span<const storage::journal_input>(&input, 1);
    auto done = co_await log_->append(inputs);
    if (done.has_error()) co_return done.error();
    index_.fail(record, what.attempts, what.next_at, done->front());
    last_error_ = std::move(what.why);
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

result<leased_record> spool_journal::to_leased(storage::sequence record, const spool_index::found& about,
                                               result<storage::journal_record>& body,
                                               const result<storage::journal_record>* mark) const {
    if (body.has_error()) return body.error();
    const auto put = spool_record::parse_put(body->payload);
    auto header = put ? spool_record::parse_header(*put) : std::nullopt;
    if (!header) {
        error_details d;
        d.code = error_code(EBADMSG, boost::system::system_category());
        d.context = "a record in " + directory_.native() + " has a header this program cannot read";
        return error(disposition::park, std::move(d));
    }
    leased_record out;
    out.header = std::move(*header);
    out.header.attempts = about.attempts;
    out.header.next_at = about.next_at;
    if (mark != nullptr && mark->has_value()) {
        // The location of a mark has no sequence to compare with; its content has.
        const auto why = spool_record::parse_failed((**mark).payload);
        if (why && why->record == record) out.header.last_error = spool_record::parse_failure(why->why);
    }
    out.body = put->body;
    out.backing = body->backing;
    out.from_earlier_run = record < first_of_this_run_;
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
    auto done = co_await log_->remove_before(from);
    if (done.has_value()) co_return;
    ++x_.count["spool_failed_removals"];
    x_.log.warning("spool files that are done with could not be removed",
                   {{"error", done.error().context()}});
}

}  // namespace firehose::stages
