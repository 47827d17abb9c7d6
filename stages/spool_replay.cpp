#include "stages/spool_replay.hpp"

namespace firehose::stages {

namespace kind = spool_record::kind;

void spool_replay::need(storage::sequence record) {
    if (const auto segment = index.unfilled(record)) index.fill(*segment, digests_.puts(*segment));
}

void spool_replay::know_destination(bytes_view header) {
    last_header_.assign(as_text(header));
    last_why_.clear();
    if (to) return;
    spool_record::put_view put;
    put.header = header;
    if (const auto parsed = spool_record::parse_header(put)) to = parsed->to;
}

void spool_replay::put(const storage::recovered_record& record, const spool_record::put_view& put) {
    if (settled_early_.contains(record.where.first)) return;
    index.put(record.where, put.when, put.body.size(), time_source::wall::min(),
              spool_index::origin::earlier_run);
    know_destination(put.header);
}

void spool_replay::settle(storage::sequence record, storage::sequence said_at) {
    if (!open_leases_.empty()) open_leases_.erase(record);
    // Of a backlog that is nearly drained most marks speak of records whose files are gone.
    const auto oldest = index.oldest();
    if (record <= said_at && (!oldest || record < *oldest)) return;
    need(record);
    if (index.contains(record))
        index.erase(record);
    else if (record > said_at)  // a copy of later bytes in an earlier place
        settled_early_.insert(record);
}

void spool_replay::fail(storage::sequence record, unsigned attempts, time_source::wall next_at,
                        const storage::record_location& mark) {
    need(record);
    index.fail(record, attempts, next_at, mark);
    open_leases_.erase(record);
}

void spool_replay::give_back(storage::sequence record, unsigned attempts) {
    need(record);
    index.set_attempts(record, attempts);
    open_leases_.erase(record);
}

void spool_replay::visit(const storage::recovered_record& record) {
    switch (record.type) {
        case kind::put:
            if (const auto found = spool_record::parse_put(record.payload)) return put(record, *found);
            break;
        case kind::moved:
            if (const auto moved = spool_record::parse_moved(record.payload)) {
                settle(moved->from, record.where.first);
                return put(record, moved->put);
            }
            break;
        case kind::settled:
            for (const storage::sequence one : spool_record::parse_sequences(record.payload))
                settle(one, record.where.first);
            return;
        case kind::failed: {
            const auto what = spool_record::parse_failed(record.payload);
            if (!what) break;
            fail(what->record, what->attempts, what->next_at, record.where);
            last_why_.assign(as_text(what->why));
            return;
        }
        case kind::leased:
            for (const auto& one : spool_record::parse_attempts(record.payload)) {
                need(one.record);
                if (index.contains(one.record)) open_leases_[one.record] = one.attempts;
            }
            return;
        case kind::returned:
            for (const auto& one : spool_record::parse_attempts(record.payload))
                give_back(one.record, one.attempts);
            return;
        default: break;
    }
    ++foreign;
}

void spool_replay::take(const segment_digest& digest) {
    index.put_summary(digest, time_source::wall::min(), spool_index::origin::earlier_run);
    if (!digest.header.empty()) know_destination(as_bytes(digest.header));
    if (!digest.why.empty()) last_why_ = digest.why;
    foreign += digest.foreign;
    for (const digest_mark& one : digest.marks) {
        storage::record_location where;
        where.segment = digest.segment.name;
        where.offset = one.offset;
        if (one.type == kind::failed) {
            const time_source::wall next_at{time_source::wall::duration(one.next_at)};
            fail(one.record, one.attempts, next_at, where);
        } else if (one.type == kind::returned) {
            give_back(one.record, one.attempts);
        } else {
            need(one.record);
            if (index.contains(one.record)) open_leases_[one.record] = one.attempts;
        }
    }
    for (const storage::sequence one : digest.settled) settle(one, digest.segment.end);
}

void spool_replay::finish() {
    for (const auto& [record, attempts] : open_leases_) {
        need(record);
        index.set_attempts(record, attempts);
    }
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

storage::recovery_hooks spool_replay::hooks() {
    storage::recovery_hooks made;
    made.known = [this](const storage::journal_format::segment_name& name,
                        const storage::entry_status& now) -> std::optional<storage::segment_info> {
        builder_ = {};
        modified_ = now.modified;
        const auto digest = digests_.find(name, now);
        if (!digest) return std::nullopt;
        take(*digest);
        return digest->segment;
    };
    made.scanned = [this](const storage::segment_info& segment, bool whole) {
        const auto digest = builder_.take(segment, modified_);
        if (whole && digests_.write(digest)) index.shrink(digest);
    };
    return made;
}

storage::record_visitor spool_replay::visitor() {
    return [this](const storage::recovered_record& record) {
        builder_.add(record);
        visit(record);
    };
}

}  // namespace firehose::stages
