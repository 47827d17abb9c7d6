#include "stages/spool_index.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

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
    if (b == blocks_.end()) return nullptr;
    const storage::sequence delta = record - b->first;
    const auto it = std::lower_bound(b->items.begin(), b->items.end(), delta,
                                     [](const item& i, storage::sequence d) { return i.delta < d; });
    return it != b->items.end() && it->delta == delta ? &*it : nullptr;
}

void spool_index::put(const storage::record_location& where, const spool_record::schedule& when,
                      std::size_t body_bytes, time_source::wall touched) {
    if (contains(where.first)) return;
    auto b = block_of(where.first);
    const bool fits = b != blocks_.end() && b->segment == where.segment && b->items.size() < block_items &&
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
            for (auto i = cut; i != b->items.end(); ++i) {
                rest.items.push_back(*i);
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
    one.attempts = when.attempts & 0x3fffffffu;
    one.next_at = ticks(when.next_at);
    one.touched = ticks(touched);
    const auto place = std::lower_bound(b->items.begin(), b->items.end(), one.delta,
                                        [](const item& i, std::uint32_t d) { return i.delta < d; });
    b->items.insert(place, one);
    b->due_from = std::min(b->due_from, one.next_at);
    b->touched_from = std::min(b->touched_from, one.touched);
    ++records_;
    bytes_ += body_bytes;
}

void spool_index::erase(storage::sequence record) {
    item* const i = find(record);
    if (i == nullptr) return;
    --records_;
    bytes_ -= i->body;
    const auto b = block_of(record);
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
    item* const i = find(record);
    if (i == nullptr) return;
    i->attempts = attempts & 0x3fffffffu;
    i->next_at = ticks(next_at);
    i->mark_segment = number_of(mark.segment);
    i->mark_offset = mark.offset;
    const auto b = block_of(record);
    b->due_from = std::min(b->due_from, i->next_at);
}

time_source::wall spool_index::lease(storage::sequence record, time_source::wall now) {
    item* const i = find(record);
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
    item* const i = find(record);
    if (i != nullptr) i->attempts = attempts & 0x3fffffffu;
}

void spool_index::give_up(storage::sequence record) {
    item* const i = find(record);
    if (i != nullptr) i->unreadable = 1;
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
    if (i->mark_segment != no_mark) {
        storage::record_location mark;
        mark.segment = marked_segments_[i->mark_segment];
        mark.offset = i->mark_offset;
        out.mark = mark;
    }
    return out;
}

std::optional<storage::sequence> spool_index::next_due(storage::sequence from, const lease_query& which) {
    const std::int64_t due = ticks(which.due_before), untouched = ticks(which.untouched_since);
    const bool any_touch = which.untouched_since == time_source::wall::max();
    auto b = block_of(from);
    if (b == blocks_.end()) b = blocks_.begin();
    for (; b != blocks_.end(); ++b) {
        if (b->due_from > due || (!any_touch && b->touched_from >= untouched)) continue;
        // The bounds are made exact on the way, leased records apart: their turn comes with unlease().
        std::int64_t due_from = std::numeric_limits<std::int64_t>::max(), touched_from = due_from;
        bool whole = true;
        for (const item& i : b->items) {
            if (b->first + i.delta < from) {
                whole = false;
                continue;
            }
            if (i.leased != 0 || i.unreadable != 0) continue;
            due_from = std::min(due_from, i.next_at);
            touched_from = std::min(touched_from, i.touched);
            if (i.next_at <= due && (any_touch || i.touched < untouched)) return b->first + i.delta;
        }
        if (whole) {
            b->due_from = due_from;
            b->touched_from = touched_from;
        }
    }
    return std::nullopt;
}

std::optional<storage::sequence> spool_index::oldest() const {
    if (blocks_.empty()) return std::nullopt;
    return blocks_.front().first + blocks_.front().items.front().delta;
}

std::optional<time_source::wall> spool_index::oldest_failure() const {
    if (blocks_.empty()) return std::nullopt;
    return time_source::wall(std::chrono::seconds(blocks_.front().items.front().first_failed));
}

std::optional<time_source::wall> spool_index::earliest() const {
    if (blocks_.empty()) return std::nullopt;
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    for (const block& b : blocks_)
        for (const item& i : b.items) first = std::min(first, i.next_at);
    return from_ticks(first);
}

}  // namespace firehose::stages
