#include "stages/memory_spool.hpp"

#include <algorithm>

namespace firehose::stages {
namespace {

spool_header with_history(spool_header header) {
    if (header.history.empty()) header.history = first_failure(header);
    return header;
}

memory_spool::entry to_entry(const spool_entry& from) {
    memory_spool::entry out;
    out.header = with_history(from.header);
    out.body = as_text(from.body);
    out.file = from.file;
    return out;
}

}  // namespace

task<result<>> memory_spool::append(std::span<const spool_entry> entries) {
    if (append_error_) co_return *append_error_;
    for (const spool_entry& one : entries) {
        queue& q = queues_[one.header.to];
        record& made = q.records[next_record_++];
        made.what.header = with_history(one.header);
        made.body = copy_to_slab(as_text(one.body));
        made.what.body = as_text(one.body);
        made.what.file = one.file;
        made.touched = time_.wall_now();
        q.last_error = one.header.last_error;
    }
    co_return result<>();
}

task<result<>> memory_spool::park(std::span<const spool_entry> entries) {
    if (append_error_) co_return *append_error_;
    for (const spool_entry& one : entries) {
        queue& q = queues_[one.header.to];
        q.parked.push_back(to_entry(one));
        if (q.records.empty()) q.last_error = one.header.last_error;
    }
    co_return result<>();
}

bool memory_spool::is_due(const record& r, const lease_query& which) {
    const bool untouched =
        which.untouched_since == time_source::wall::max() || r.touched < which.untouched_since;
    return !r.leased && untouched && r.what.header.next_at <= which.due_before;
}

std::optional<std::uint64_t> memory_spool::next_due(const queue& q, const lease_query& which) {
    const auto due = [&](const auto& one) { return is_due(one.second, which); };
    if (which.newest_first) {
        const auto last = std::find_if(q.records.rbegin(), q.records.rend(), due);
        return last == q.records.rend() ? std::nullopt : std::optional(last->first);
    }
    const auto first = std::find_if(q.records.begin(), q.records.end(), due);
    return first == q.records.end() ? std::nullopt : std::optional(first->first);
}

task<result<std::vector<leased_record>>> memory_spool::lease(const lease_query& which) {
    struct turn {
        const storage::destination* to;
        queue* from;
        std::size_t taken = 0;
    };
    std::vector<turn> turns;
    const auto add = [&](auto begin, auto end) {
        for (auto it = begin; it != end; ++it)
            if (!which.skip || !which.skip(it->first)) turns.push_back({&it->first, &it->second});
    };
    const auto first = queues_.lower_bound(turn_);
    add(first, queues_.end());
    add(queues_.begin(), first);

    std::vector<leased_record> out;
    std::size_t bytes = 0;
    bool full = false;
    while (!turns.empty() && !full) {
        for (std::size_t i = 0; i < turns.size() && !full;) {
            std::optional<std::uint64_t> number;
            if (turns[i].taken < which.max_of_one) number = next_due(*turns[i].from, which);
            if (!number) {
                turns.erase(turns.begin() + static_cast<std::ptrdiff_t>(i));
                continue;
            }
            record& r = turns[i].from->records.at(*number);
            const std::size_t size = r.what.body.size();
            if (out.size() >= which.max_records || (!out.empty() && bytes + size > which.max_bytes)) {
                turn_ = *turns[i].to;
                full = true;
                continue;
            }
            bytes += size;
            leases_[next_lease_] = {*turns[i].to, *number, r.touched};
            r.leased = true;
            r.touched = time_.wall_now();
            leased_record taken;
            taken.lease = next_lease_++;
            taken.header = r.what.header;
            taken.backing = r.body;
            taken.file = r.what.file;
            taken.body = bytes_view(r.body.get(), size);
            out.push_back(std::move(taken));
            ++turns[i].taken;
            ++i;
        }
    }
    co_return std::move(out);
}

void memory_spool::note(spool_header& header, unsigned attempt, const failure& why) const {
    attempt_note one;
    one.at = time_.wall_now();
    one.attempt = attempt;
    one.why = why;
    remember(header.history, std::move(one));
}

task<result<>> memory_spool::settle(lease_id lease, const settlement& what) {
    const auto found = leases_.find(lease);
    if (found == leases_.end())
        co_return error(disposition::park, "the spool knows no lease " + std::to_string(lease));
    if (settle_error_) co_return *settle_error_;
    const held mine = found->second;
    leases_.erase(found);
    queue& q = queues_[mine.to];
    const auto it = q.records.find(mine.number);
    record& r = it->second;
    if (std::holds_alternative<delivered>(what)) {
        q.records.erase(it);
    } else if (const auto* const how = std::get_if<failed>(&what)) {
        r.leased = false;
        note(r.what.header, how->attempts, how->why);
        r.what.header.attempts = how->attempts;
        r.what.header.next_at = how->next_at;
        r.what.header.last_error = q.last_error = how->why;
    } else if (const auto* const why = std::get_if<parked>(&what)) {
        ++r.what.header.attempts;
        note(r.what.header, r.what.header.attempts, why->why);
        r.what.header.last_error = why->why;
        if (q.records.size() == 1) q.last_error = why->why;
        q.parked.push_back(std::move(r.what));
        q.records.erase(it);
    } else {
        r.leased = false;
        r.touched = mine.touched_before;
    }
    co_return result<>();
}

std::vector<backlog> memory_spool::contents() const {
    std::vector<backlog> out;
    for (const auto& [to, q] : queues_) {
        if (q.records.empty() && q.parked.empty()) continue;
        backlog row;
        row.to = to;
        row.records = q.records.size();
        row.parked = q.parked.size();
        row.last_error = q.last_error;
        for (const auto& [number, r] : q.records) {
            row.bytes += r.what.body.size();
            if (!row.oldest) row.oldest = r.what.header.first_failed_at;
            row.next_at = row.next_at ? std::min(*row.next_at, r.what.header.next_at) : r.what.header.next_at;
        }
        out.push_back(std::move(row));
    }
    return out;
}

std::vector<memory_spool::entry> memory_spool::records() const {
    std::vector<entry> out;
    for (const auto& [to, q] : queues_)
        for (const auto& [number, r] : q.records) out.push_back(r.what);
    return out;
}

std::vector<memory_spool::entry> memory_spool::dead_letters() const {
    std::vector<entry> out;
    for (const auto& [to, q] : queues_) out.insert(out.end(), q.parked.begin(), q.parked.end());
    return out;
}

}  // namespace firehose::stages
