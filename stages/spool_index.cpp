#include "stages/spool_index.hpp"

#include <algorithm>
#include <chrono>

namespace firehose::stages {
namespace {

constexpr std::size_t block_items = 512;

std::int64_t ticks(time_source::wall t) { return t.time_since_epoch().count(); }
time_source::wall from_ticks(std::int64_t n) { return time_source::wall(time_source::wall::duration(n)); }

}  // namespace

std::deque<spool_index::block>::iterator spool_index::block_of(storage::sequence record) {
    auto it = std::upper_bound(blocks_.begin(), blocks_.end(), record,
                               [](storage::sequence s, const block& b) { return s < b.first; });
    return it == blocks_.begin() ? blocks_.end() : std::prev(it);
}

spool_index::item* spool_index::find(storage::sequence record) {
    const auto b = block_of(record);
    if (b == blocks_.end() || b->summed > 0) return nullptr;
    const storage::sequence delta = record - b->first;
    const auto it = std::lower_bound(b->items.begin(), b->items.end(), delta,
                                     [](const item& i, storage::sequence d) { return i.delta < d; });
    return it != b->items.end() && it->delta == delta ? &*it : nullptr;
}

spool_index::item* spool_index::find_to_change(storage::sequence record) {
    item* const i = find(record);
    if (i != nullptr) block_of(record)->changed = true;
    return i;
}

void spool_index::put(const storage::record_location& where, const spool_record::schedule& when,
                      std::size_t body_bytes, time_source::wall touched, origin since) {
    if (contains(where.first)) return;
    auto b = block_of(where.first);
    const bool fits = b != blocks_.end() && b->segment == where.segment && b->summed == 0 &&
                      b->items.size() < block_items &&
                      where.first - b->first < std::numeric_limits<std::uint32_t>::max();
    if (!fits) {
        block made;
        made.first = where.first;
        made.segment = where.segment;
        made.due_from = made.touched_from = std::numeric_limits<std::int64_t>::max();
        auto place = b == blocks_.end() ? blocks_.begin() : std::next(b);
        // Only damage brings records out of order: the rest of a block that is split stays findable.
        if (b != blocks_.end() && !b->items.empty() && b->first + b->items.back().delta > where.first) {
            block rest;
            const auto cut = std::find_if(b->items.begin(), b->items.end(),
                                          [&](const item& i) { return b->first + i.delta > where.first; });
            rest.first = b->first + cut->delta;
            rest.segment = b->segment;
            rest.due_from = b->due_from;
            rest.touched_from = b->touched_from;
            rest.changed = b->changed;
            for (auto i = cut; i != b->items.end(); ++i) {
                rest.items.push_back(*i);
                rest.journal_bytes += i->length;
                b->journal_bytes -= i->length;
                rest.items.back().delta = static_cast<std::uint32_t>(b->first + i->delta - rest.first);
            }
            b->items.erase(cut, b->items.end());
            place = blocks_.insert(place, std::move(rest));
        }
        b = blocks_.insert(place, std::move(made));
    }
    item one;
    one.delta = static_cast<std::uint32_t>(where.first - b->first);
    one.offset = where.offset;
    one.length = where.length;
    one.body = static_cast<std::uint32_t>(body_bytes);
    one.first_failed = static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::seconds>(when.first_failed_at.time_since_epoch()).count());
    one.attempts = when.attempts & 0x1fffffffu;
    one.earlier = since == origin::earlier_run;
    one.next_at = ticks(when.next_at);
    one.touched = ticks(touched);
    const auto place = std::lower_bound(b->items.begin(), b->items.end(), one.delta,
                                        [](const item& i, std::uint32_t d) { return i.delta < d; });
    b->items.insert(place, one);
    b->journal_bytes += one.length;
    b->due_from = std::min(b->due_from, one.next_at);
    b->touched_from = std::min(b->touched_from, one.touched);
    ++records_;
    bytes_ += body_bytes;
}

void spool_index::erase(storage::sequence record) {
    item* const i = find_to_change(record);
    if (i == nullptr) return;
    --records_;
    bytes_ -= i->body;
    const auto b = block_of(record);
    b->journal_bytes -= i->length;
    b->items.erase(b->items.begin() + (i - b->items.data()));
    if (b->items.empty()) blocks_.erase(b);
}

std::uint32_t spool_index::number_of(const storage::journal_format::segment_name& segment) {
    const auto it = std::find(marked_segments_.rbegin(), marked_segments_.rend(), segment);
    if (it != marked_segments_.rend()) return static_cast<std::uint32_t>(marked_segments_.rend() - it - 1);
    marked_segments_.push_back(segment);
    return static_cast<std::uint32_t>(marked_segments_.size() - 1);
}

void spool_index::fail(storage::sequence record, unsigned attempts, time_source::wall next_at,
                       const storage::record_location& mark) {
    item* const i = find_to_change(record);
    if (i == nullptr) return;
    i->attempts = attempts & 0x1fffffffu;
    i->next_at = ticks(next_at);
    i->mark_segment = number_of(mark.segment);
    i->mark_offset = mark.offset;
    const auto b = block_of(record);
    b->due_from = std::min(b->due_from, i->next_at);
}

time_source::wall spool_index::lease(storage::sequence record, time_source::wall now) {
    item* const i = find_to_change(record);
    if (i == nullptr) return now;
    const auto before = from_ticks(i->touched);
    i->leased = 1;
    i->touched = ticks(now);
    return before;
}

void spool_index::unlease(storage::sequence record, std::optional<time_source::wall> touched_before) {
    item* const i = find(record);
    if (i == nullptr) return;
    i->leased = 0;
    if (touched_before) i->touched = ticks(*touched_before);
    const auto b = block_of(record);
    b->due_from = std::min(b->due_from, i->next_at);
    b->touched_from = std::min(b->touched_from, i->touched);
}

void spool_index::set_attempts(storage::sequence record, unsigned attempts) {
    item* const i = find_to_change(record);
    if (i != nullptr) i->attempts = attempts & 0x1fffffffu;
}

void spool_index::give_up(storage::sequence record) {
    item* const i = find_to_change(record);
    if (i != nullptr) i->unreadable = 1;
}

void spool_index::set_origin(storage::sequence record, origin since) {
    item* const i = find_to_change(record);
    if (i != nullptr) i->earlier = since == origin::earlier_run;
}

std::optional<spool_index::found> spool_index::at(storage::sequence record) {
    const item* const i = find(record);
    if (i == nullptr) return std::nullopt;
    found out;
    out.where.first = record;
    out.where.segment = block_of(record)->segment;
    out.where.offset = i->offset;
    out.where.length = i->length;
    out.body = i->body;
    out.attempts = i->attempts;
    out.next_at = from_ticks(i->next_at);
    out.first_failed = i->first_failed;
    out.since = i->earlier != 0 ? origin::earlier_run : origin::this_run;
    out.held = i->leased != 0 || i->unreadable != 0;
    if (i->mark_segment != no_mark) {
        storage::record_location mark;
        mark.segment = marked_segments_[i->mark_segment];
        mark.offset = i->mark_offset;
        out.mark = mark;
    }
    return out;
}

bool spool_index::worth_a_look(const block& b, const lease_query& which) const {
    const bool any_touch = which.untouched_since == time_source::wall::max();
    return b.due_from <= ticks(which.due_before) &&
           (any_touch || b.touched_from < ticks(which.untouched_since));
}

// The first due record of the block in [from, before), or the last one.
std::optional<storage::sequence> spool_index::due_in(block& b, storage::sequence from,
                                                     storage::sequence before, const lease_query& which) {
    const std::int64_t due = ticks(which.due_before), untouched = ticks(which.untouched_since);
    const bool any_touch = which.untouched_since == time_source::wall::max();
    // The bounds are made exact on the way, leased records apart: their turn comes with unlease().
    std::int64_t due_from = std::numeric_limits<std::int64_t>::max(), touched_from = due_from;
    bool whole = true;
    std::optional<storage::sequence> last;
    for (const item& i : b.items) {
        const storage::sequence record = b.first + i.delta;
        if (record < from || record >= before) {
            whole = false;
            continue;
        }
        if (i.leased != 0 || i.unreadable != 0) continue;
        due_from = std::min(due_from, i.next_at);
        touched_from = std::min(touched_from, i.touched);
        if (i.next_at > due || (!any_touch && i.touched >= untouched)) continue;
        if (!which.newest_first) return record;
        last = record;
    }
    if (whole && !last) {
        b.due_from = due_from;
        b.touched_from = touched_from;
    }
    return last;
}

spool_index::due spool_index::next_due(storage::sequence from, const lease_query& which) {
    auto b = block_of(from);
    if (b == blocks_.end()) b = blocks_.begin();
    due out;
    for (; b != blocks_.end() && !out.record && !out.unfilled; ++b) {
        if (!worth_a_look(*b, which)) continue;
        if (b->summed > 0)
            out.unfilled = b->segment;
        else
            out.record = due_in(*b, from, std::numeric_limits<storage::sequence>::max(), which);
    }
    return out;
}

spool_index::due spool_index::last_due(storage::sequence before, const lease_query& which) {
    due out;
    if (before == 0) return out;
    auto b = block_of(before - 1);
    if (b == blocks_.end()) return out;
    for (++b; b != blocks_.begin() && !out.record && !out.unfilled;) {
        --b;
        if (!worth_a_look(*b, which)) continue;
        if (b->summed > 0)
            out.unfilled = b->segment;
        else
            out.record = due_in(*b, 0, before, which);
    }
    return out;
}

std::uint64_t
spool_index::journal_bytes_of_oldest(const storage::journal_format::segment_name& segment) const {
    std::uint64_t bytes = 0;
    for (auto b = blocks_.begin(); b != blocks_.end() && b->segment == segment; ++b) {
        if (b->summed > 0) return segment_is_whole;
        bytes += b->journal_bytes;
    }
    return bytes;
}

std::vector<storage::sequence>
spool_index::movable_of_oldest(const storage::journal_format::segment_name& segment) const {
    std::vector<storage::sequence> out;
    for (auto b = blocks_.begin(); b != blocks_.end() && b->segment == segment; ++b) {
        for (const item& i : b->items) {
            if (i.leased != 0 || i.unreadable != 0) return {};
            out.push_back(b->first + i.delta);
        }
    }
    return out;
}

void spool_index::put_summary(const segment_digest& of, time_source::wall touched, origin since) {
    if (of.records == 0) return;
    block made;
    made.first = of.first;
    made.segment = of.segment.name;
    made.summed = of.records;
    made.summed_bytes = of.bytes;
    made.oldest = of.oldest;
    made.since = since;
    made.due_from = of.due_from;
    made.touched_from = ticks(touched);
    const auto place = std::upper_bound(blocks_.begin(), blocks_.end(), of.first,
                                        [](storage::sequence s, const block& b) { return s < b.first; });
    blocks_.insert(place, std::move(made));
    records_ += of.records;
    bytes_ += of.bytes;
}

std::optional<storage::journal_format::segment_name> spool_index::unfilled(storage::sequence record) {
    const auto b = block_of(record);
    if (b == blocks_.end() || b->summed == 0) return std::nullopt;
    return b->segment;
}

void spool_index::fill(const storage::journal_format::segment_name& segment,
                       std::span<const digest_put> records) {
    const auto b = std::find_if(blocks_.begin(), blocks_.end(),
                                [&](const block& one) { return one.summed > 0 && one.segment == segment; });
    if (b == blocks_.end()) return;
    const block was = *b;
    blocks_.erase(b);
    records_ -= was.summed;
    bytes_ -= was.summed_bytes;
    for (const digest_put& one : records) {
        storage::record_location where;
        where.first = one.record;
        where.segment = segment;
        where.offset = one.offset;
        where.length = one.length;
        spool_record::schedule when;
        when.attempts = one.attempts;
        when.next_at = from_ticks(one.next_at);
        when.first_failed_at = time_source::wall(std::chrono::seconds(one.first_failed));
        put(where, when, one.body, from_ticks(was.touched_from), was.since);
    }
}

bool spool_index::shrink(const segment_digest& to) {
    std::uint64_t records = 0;
    std::int64_t touched = std::numeric_limits<std::int64_t>::min();
    origin since = origin::this_run;
    for (const block& b : blocks_) {
        if (b.segment != to.segment.name) continue;
        if (b.changed || b.summed > 0) return false;
        records += b.items.size();
        for (const item& i : b.items) {
            touched = std::max(touched, i.touched);
            since = i.earlier != 0 ? origin::earlier_run : origin::this_run;
        }
    }
    if (records != to.records || records == 0) return false;
    std::erase_if(blocks_, [&](const block& b) {
        if (b.segment != to.segment.name) return false;
        for (const item& i : b.items) bytes_ -= i.body;
        return true;
    });
    records_ -= records;
    put_summary(to, from_ticks(touched), since);
    return true;
}

std::vector<storage::journal_format::segment_name> spool_index::segments() const {
    std::vector<storage::journal_format::segment_name> out;
    for (const block& b : blocks_)
        if (out.empty() || out.back() != b.segment) out.push_back(b.segment);
    return out;
}

std::optional<storage::sequence> spool_index::oldest() const {
    if (blocks_.empty()) return std::nullopt;
    const block& b = blocks_.front();
    return b.summed > 0 ? b.first : b.first + b.items.front().delta;
}

std::optional<time_source::wall> spool_index::oldest_failure() const {
    if (blocks_.empty()) return std::nullopt;
    std::uint32_t oldest = std::numeric_limits<std::uint32_t>::max();
    for (const block& b : blocks_) {
        if (b.summed > 0) oldest = std::min(oldest, b.oldest);
        for (const item& i : b.items) oldest = std::min(oldest, i.first_failed);
    }
    return time_source::wall(std::chrono::seconds(oldest));
}

std::optional<time_source::wall> spool_index::earliest() const {
    if (blocks_.empty()) return std::nullopt;
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    for (const block& b : blocks_) {
        if (b.summed > 0) first = std::min(first, b.due_from);
        for (const item& i : b.items) first = std::min(first, i.next_at);
    }
    return from_ticks(first);
}

}  // namespace firehose::stages
