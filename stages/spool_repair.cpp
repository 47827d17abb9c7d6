// What an operator does to a directory spool that no other process runs on.
#include "stages/directory_spool_queue.hpp"
#include "storage/shield.hpp"

namespace firehose::stages {
namespace {

constexpr std::size_t records_at_once = 64;

}  // namespace

/// The next records of one journal that a filter lets pass, some at a time.
struct directory_spool::selection {
    spool_journal& from;
    const spool_filter& which;
    bool parked = false;
    storage::sequence cursor = 0;
    bool ended = false;
    std::uint64_t unreadable = 0;
    std::vector<storage::sequence> numbers{};
    std::vector<leased_record> records{};

    task<> next() {
        numbers.clear();
        records.clear();
        std::vector<storage::sequence> some;
        const lease_query all;
        while (some.size() < records_at_once && !ended) {
            const auto due = from.index().next_due(cursor, all);
            if (due.unfilled) co_await from.fill(*due.unfilled);
            if (due.unfilled) continue;
            ended = !due.record;
            if (ended) break;
            cursor = *due.record + 1;
            some.push_back(*due.record);
        }
        auto asked = some;
        auto got = co_await from.read(std::move(asked));
        for (std::size_t i = 0; i < got.size(); ++i) take(some[i], got[i]);
    }

    std::vector<std::string> files() const {
        std::vector<std::string> out;
        for (const leased_record& one : records)
            if (!one.header.file.empty()) out.push_back(one.header.file);
        return out;
    }

private:
    void take(storage::sequence number, result<leased_record>& got) {
        if (got.has_error()) {
            ++unreadable;
            return;
        }
        kept_record one;
        one.parked = parked;
        one.id = record_id(got->header.to, parked, number);
        one.header = got->header;
        if (!which.matches(one)) return;
        numbers.push_back(number);
        records.push_back(std::move(*got));
    }
};

task<result<repair_counts>> directory_spool::retry(const spool_filter& which) {
    repair_counts total;
    for (const auto& [to, q] : queues_) {
        if (!which.wants(to)) continue;
        if (which.waiting && q->records.is_open()) {
            auto sooner = co_await reschedule(*q, which, total);
            if (sooner.has_error()) co_return sooner.error();
        }
        if (which.parked && q->dead_letters.is_open()) {
            auto back = co_await bring_back(*q, which, total);
            if (back.has_error()) co_return back.error();
        }
    }
    co_return total;
}

task<result<>> directory_spool::bring_back(queue& q, const spool_filter& which, repair_counts& total) {
    auto ready = co_await ensure_open(q, q.records);
    if (ready.has_error()) co_return ready;
    selection some{q.dead_letters, which, true};
    while (!some.ended) {
        co_await some.next();
        std::vector<spool_entry> entries;
        std::vector<const spool_entry*> pointers;
        for (const leased_record& one : some.records) {
            spool_entry entry;
            entry.header = one.header;
            entry.header.attempts = 0;
            entry.header.next_at = x_.time.wall_now();
            entry.body = one.body;
            entry.file = one.file;
            total.bytes += one.body_bytes();
            entries.push_back(std::move(entry));
        }
        for (const spool_entry& one : entries) pointers.push_back(&one);
        if (entries.empty()) continue;
        total.parked += entries.size();
        // First there, then gone here: a crash in between leaves both, never none.
        auto kept = co_await q.records.append(std::move(pointers));
        if (kept.has_error()) co_return kept.error();
        auto files = some.files();
        auto gone = co_await q.dead_letters.settle(some.numbers, std::move(files));
        if (gone.has_error()) co_return gone;
    }
    total.unreadable += some.unreadable;
    co_return result<>();
}

task<result<>> directory_spool::reschedule(queue& q, const spool_filter& which, repair_counts& total) {
    selection some{q.records, which, false};
    while (!some.ended) {
        co_await some.next();
        std::vector<failed_record> due;
        for (std::size_t i = 0; i < some.records.size(); ++i) {
            const spool_header& header = some.records[i].header;
            if (header.next_at <= x_.time.wall_now()) continue;  // is due anyway
            failed_record one;
            one.record = some.numbers[i];
            one.what.attempts = header.attempts;
            one.what.next_at = x_.time.wall_now();
            one.what.why = header.last_error;
            one.history = header.history;
            due.push_back(std::move(one));
        }
        for (const leased_record& one : some.records) total.bytes += one.body_bytes();
        total.waiting += some.records.size();
        if (due.empty()) continue;
        auto done = co_await q.records.fail(std::move(due));
        if (done.has_error()) co_return done;
    }
    total.unreadable += some.unreadable;
    co_return result<>();
}

task<result<repair_counts>> directory_spool::purge(const spool_filter& which) {
    repair_counts total;
    for (const auto& [to, q] : queues_) {
        if (!which.wants(to)) continue;
        for (const bool parked : {false, true}) {
            spool_journal& log = parked ? q->dead_letters : q->records;
            if (!(parked ? which.parked : which.waiting) || !log.is_open()) continue;
            selection some{log, which, parked};
            while (!some.ended) {
                co_await some.next();
                if (some.numbers.empty()) continue;
                auto files = some.files();
                auto gone = co_await log.settle(some.numbers, std::move(files));
                if (gone.has_error()) co_return gone.error();
                for (const leased_record& one : some.records) total.bytes += one.body_bytes();
                (parked ? total.parked : total.waiting) += some.numbers.size();
            }
            total.unreadable += some.unreadable;
        }
    }
    co_return total;
}

}  // namespace firehose::stages
