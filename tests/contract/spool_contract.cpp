#include "tests/contract/spool_contract.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

namespace firehose::contract {
namespace {

using namespace std::chrono_literals;
using namespace firehose::stages;

storage::destination place(const std::string& bucket) {
    storage::destination to;
    to.service = "aws";
    to.type = "s3";
    to.bucket = bucket;
    to.prefix = "some/prefix";
    to.credential_id = "507f1f77bcf86cd799439011";
    return to;
}

failure reason(std::string code) {
    failure why;
    why.disposition = "retry";
    why.code = std::move(code);
    why.status = 503;
    why.message = "PUT x: 503, \"quoted\" and \xc3\xa9";
    return why;
}

bool same(const failure& a, const failure& b) {
    return a.disposition == b.disposition && a.code == b.code && a.status == b.status &&
           a.message == b.message;
}

class checker {
public:
    checker(spool_backend& s, context& x, spool_options how) : s_(&s), x_(x), how_(std::move(how)) {}

    task<> run() {
        co_await round_trip();
        co_await several_destinations();
        co_await limits();
        co_await schedule();
        co_await one_pass();
        co_await settlements();
        co_await dead_letters();
        co_await odd_contents();
        if (how_.reopen) co_await survival();
    }
    std::vector<std::string> take() { return std::move(broken_); }

private:
    void expect(bool kept, const std::string& promise) {
        if (!kept) broken_.push_back(title_ + ": " + promise);
    }
    void pass_time() {
        if (how_.pass_time) how_.pass_time();
    }
    spool_entry entry(const std::string& bucket, const std::string& id, const std::string& body) {
        bodies_.push_back(std::make_unique<std::string>(body));
        spool_entry e;
        e.header.event_id = id;
        e.header.group_id = "group of " + id;
        e.header.flow_id = "flow";
        e.header.to = place(bucket);
        e.header.key = "some/prefix/" + id + ".json";
        e.header.attempts = 1;
        e.header.first_failed_at = x_.time.wall_now() - 1s;
        e.header.first_failed_at =
            std::chrono::time_point_cast<std::chrono::seconds>(e.header.first_failed_at);
        e.header.next_at = x_.time.wall_now() - 1ms;
        e.header.last_error = reason("SlowDown");
        e.body = as_bytes(*bodies_.back());
        return e;
    }
    task<> add(std::vector<spool_entry> entries) {
        auto done = co_await s_->append(entries);
        expect(done.has_value(), "append() succeeds");
    }
    task<std::vector<leased_record>> lease(lease_query which) {
        auto got = co_await s_->lease(which);
        expect(got.has_value(), "lease() succeeds");
        if (got.has_error()) co_return std::vector<leased_record>();
        co_return std::move(*got);
    }
    task<> settle(lease_id id, settlement what) {
        auto done = co_await s_->settle(id, what);
        expect(done.has_value(), "settle() succeeds");
    }
    task<> deliver_all() {
        for (;;) {
            lease_query all;
            auto got = co_await lease(all);
            if (got.empty()) co_return;
            for (const leased_record& one : got) {
                settlement what = delivered();
                co_await settle(one.lease, what);
            }
        }
    }
    const backlog* row(const std::string& bucket) {
        contents_ = s_->contents();
        for (const backlog& one : contents_)
            if (one.to == place(bucket)) return &one;
        return nullptr;
    }
    /// Sums over all rows.
    bool has(std::uint64_t records, std::uint64_t parked) {
        std::uint64_t r = 0, p = 0;
        for (const backlog& one : s_->contents()) {
            r += one.records;
            p += one.parked;
        }
        return r == records && p == parked;
    }
    /// Of a spool that keeps what is not due out of sight.
    task<> wait_if_hidden(std::chrono::seconds how_long) {
        if (!how_.hides_until_due) co_return;
        const auto wake = x_.time.now() + how_long;
        co_await x_.time.sleep_until(wake);
    }
    static std::vector<std::string> ids(const std::vector<leased_record>& of) {
        std::vector<std::string> out;
        for (const leased_record& one : of) out.push_back(one.header.event_id);
        return out;
    }

    task<> round_trip() {
        title_ = "round trip";
        expect(s_->contents().empty(), "an empty spool has no rows");
        lease_query all;
        auto none = co_await lease(all);
        expect(none.empty(), "nothing to lease in an empty spool");
        auto nothing = co_await s_->append(std::span<const spool_entry>());
        expect(nothing.has_value(), "appending nothing succeeds");
        const std::string binary("\0\xff\n{\"a\":1}\r", 11);
        spool_entry wrote = entry("b1", "e1", binary);
        wrote.header.layout = "batch";
        wrote.header.content_encoding = "gzip";
        wrote.header.events = 40;
        std::vector<spool_entry> entries(1, wrote);
        co_await add(std::move(entries));
        const backlog* const before = row("b1");
        const bool apart = how_.tells_destinations_apart;
        expect(has(1, 0), "contents() counts records");
        expect(!apart || (before != nullptr && before->records == 1 && before->bytes == binary.size()),
               "contents() counts the bytes of the bodies");
        expect(!apart || (before != nullptr && before->oldest == wrote.header.first_failed_at &&
                          before->next_at == wrote.header.next_at &&
                          same(before->last_error, wrote.header.last_error)),
               "contents() knows the oldest, the next attempt and the last error");
        auto got = co_await lease(all);
        expect(got.size() == 1, "what was appended can be leased");
        if (got.size() != 1) co_return;
        const leased_record& r = got.front();
        expect(as_text(r.body) == binary, "a body comes back byte by byte");
        expect(r.header.event_id == "e1" && r.header.group_id == "group of e1" &&
                   r.header.flow_id == "flow" && r.header.to == place("b1") &&
                   r.header.key == wrote.header.key,
               "ids, destination and key come back");
        expect(r.header.layout == "batch" && r.header.content_encoding == "gzip" && r.header.events == 40,
               "layout, encoding and the number of events come back");
        expect(r.header.attempts == 1 && r.header.first_failed_at == wrote.header.first_failed_at &&
                   r.header.next_at == wrote.header.next_at &&
                   same(r.header.last_error, wrote.header.last_error),
               "attempts, times and the last error come back");
        expect(r.lease != 0, "a lease is not 0");
        auto again = co_await lease(all);
        expect(again.empty(), "a leased record is not leased again");
        expect(has(1, 0), "a leased record still counts");
        settlement what = delivered();
        co_await settle(r.lease, what);
        expect(s_->contents().empty(), "a delivered record is gone");
        auto twice = co_await s_->settle(r.lease, what);
        expect(twice.has_error(), "settling twice is an error");
    }

    task<> several_destinations() {
        title_ = "destinations";
        std::vector<spool_entry> entries;
        for (int i = 0; i < 5; ++i) entries.push_back(entry("busy", "busy" + std::to_string(i), "x"));
        entries.push_back(entry("calm", "calm0", "y"));
        co_await add(std::move(entries));
        expect(!how_.tells_destinations_apart ||
                   (s_->contents().size() == 2 && s_->contents().front().to == place("busy")),
               "one row per destination, in their order");
        lease_query two;
        two.max_records = 2;
        auto got = co_await lease(two);
        std::set<std::string> buckets;
        for (const leased_record& one : got) buckets.insert(one.header.to.bucket);
        expect(!how_.skips_destinations || buckets.size() == 2, "destinations take turns");
        for (const leased_record& one : got) {
            settlement what = delivered();
            co_await settle(one.lease, what);
        }
        lease_query some;
        some.skip = [](const storage::destination& to) { return to.bucket == "busy"; };
        if (how_.skips_destinations) {
            auto skipped = co_await lease(some);
            expect(skipped.empty(), "skipped destinations are passed over");
        }
        lease_query rest;
        rest.max_records = 3;
        auto left = co_await lease(rest);
        auto got_ids = ids(left);
        expect(std::is_sorted(got_ids.begin(), got_ids.end()) && left.size() == 3, "the oldest come first");
        for (const leased_record& one : left) {
            settlement what = released();
            co_await settle(one.lease, what);
        }
        co_await deliver_all();
    }

    task<> limits() {
        title_ = "limits";
        std::vector<spool_entry> entries;
        for (int i = 0; i < 6; ++i)
            entries.push_back(
                entry("b1", "e" + std::to_string(i), std::string(1000, static_cast<char>('a' + i))));
        co_await add(std::move(entries));
        lease_query few;
        few.max_bytes = 2500;
        auto two = co_await lease(few);
        expect(two.size() == 2, "no more than max_bytes are taken");
        few.max_bytes = 10;
        auto one = co_await lease(few);
        expect(one.size() == 1, "one record is taken although it is larger than max_bytes");
        few.max_bytes = 1 << 20;
        few.max_records = 2;
        auto more = co_await lease(few);
        expect(more.size() == 2, "no more than max_records are taken");
        expect(ids(two) == std::vector<std::string>({"e0", "e1"}) &&
                   ids(more) == std::vector<std::string>({"e3", "e4"}),
               "in the order of appending");
        for (auto* const batch : {&two, &one, &more})
            for (const leased_record& r : *batch) {
                settlement what = delivered();
                co_await settle(r.lease, what);
            }
        co_await deliver_all();
    }

    task<> schedule() {
        title_ = "schedule";
        const auto now = x_.time.wall_now();
        std::vector<spool_entry> entries;
        entries.push_back(entry("b1", "later", "1"));
        entries.back().header.next_at = now + how_.later;
        entries.push_back(entry("b1", "now", "2"));
        entries.back().header.next_at = now;
        co_await add(std::move(entries));
        lease_query due;
        due.due_before = now;
        auto got = co_await lease(due);
        expect(ids(got) == std::vector<std::string>({"now"}),
               "only what is due is taken, the instant itself included");
        if (got.size() == 1) {
            failed how;
            how.attempts = 2;
            how.next_at = now + 2 * how_.later;
            how.why = reason("InternalError");
            settlement what = how;
            co_await settle(got.front().lease, what);
        }
        const backlog* const r = row("b1");
        expect(has(2, 0), "both records are still there");
        expect(!how_.tells_destinations_apart ||
                   (r != nullptr && r->next_at == now + how_.later && r->last_error.code == "InternalError"),
               "a failed record stays, with a new schedule");
        auto none = co_await lease(due);
        expect(none.empty(), "a failed record is not due before its time");
        due.due_before = now + 2 * how_.later;
        co_await wait_if_hidden(2 * how_.later);
        auto both = co_await lease(due);
        expect(ids(both) == std::vector<std::string>({"later", "now"}),
               "when its time has come it is taken again");
        for (const leased_record& one : both) {
            if (one.header.event_id == "now")
                expect(one.header.attempts == 2 && one.header.next_at == now + 2 * how_.later &&
                           same(one.header.last_error, reason("InternalError")) && as_text(one.body) == "2",
                       "attempts, schedule and reason of the failure come back");
            settlement what = delivered();
            co_await settle(one.lease, what);
        }
    }

    task<> one_pass() {
        title_ = "one pass";
        std::vector<spool_entry> entries;
        for (int i = 0; i < 4; ++i) entries.push_back(entry("b1", "e" + std::to_string(i), "x"));
        co_await add(std::move(entries));
        pass_time();
        const auto begun = x_.time.wall_now();
        std::vector<spool_entry> late(1, entry("b1", "late", "x"));
        co_await add(std::move(late));
        std::vector<std::string> seen;
        for (;;) {
            lease_query which;
            which.max_records = 3;
            which.untouched_since = begun;
            auto got = co_await lease(which);
            if (got.empty()) break;
            if (seen.size() > 20) break;
            for (const leased_record& one : got) {
                seen.push_back(one.header.event_id);
                failed how;
                how.attempts = one.header.attempts + 1;
                how.next_at = begun - 1ms;
                how.why = reason("SlowDown");
                settlement what = how;
                co_await settle(one.lease, what);
            }
        }
        std::sort(seen.begin(), seen.end());
        expect(seen == std::vector<std::string>({"e0", "e1", "e2", "e3"}),
               "with untouched_since, a pass tries each older record once and nothing newer");
        co_await deliver_all();
        expect(s_->contents().empty(), "after it everything can be delivered");
    }

    task<> settlements() {
        title_ = "settlements";
        std::vector<spool_entry> entries(1, entry("b1", "e", "x"));
        co_await add(std::move(entries));
        lease_query all;
        auto got = co_await lease(all);
        if (got.size() != 1) co_return;
        settlement what = released();
        co_await settle(got.front().lease, what);
        auto again = co_await lease(all);
        expect(again.size() == 1 && again.front().header.attempts == 1,
               "a released record is as if it had not been leased");
        settlement unknown = delivered();
        auto refused = co_await s_->settle(987654321, unknown);
        expect(refused.has_error(), "an unknown lease is an error");
        for (const leased_record& one : again) co_await settle(one.lease, unknown);
    }

    task<> dead_letters() {
        title_ = "dead letters";
        std::vector<spool_entry> entries;
        entries.push_back(entry("b1", "poison", "x"));
        entries.push_back(entry("b1", "good", "y"));
        co_await add(std::move(entries));
        lease_query all;
        auto got = co_await lease(all);
        for (const leased_record& one : got) {
            parked how;
            how.why = reason("EntityTooLarge");
            settlement what = delivered();
            if (one.header.event_id == "poison") what = how;
            co_await settle(one.lease, what);
        }
        const backlog* const r = row("b1");
        expect(has(0, 1), "a parked record is counted as such");
        expect(!how_.tells_destinations_apart || (r != nullptr && !r->oldest && !r->next_at),
               "a parked record is no backlog, but counts as parked");
        std::vector<spool_entry> direct(1, entry("b2", "hopeless", "z"));
        direct.front().header.key.clear();
        auto kept = co_await s_->park(direct);
        expect(kept.has_value(), "park() succeeds, also without a key");
        expect(has(0, 2), "park() makes a dead letter");
        auto none = co_await lease(all);
        expect(none.empty(), "dead letters are not leased");
    }

    task<> odd_contents() {
        title_ = "odd contents";
        std::vector<spool_entry> entries;
        entries.push_back(entry("b1", "", ""));
        entries.push_back(entry("b1", "\"\\/\n\xe2\x98\x83../..", std::string(3 << 20, 'L')));
        entries.push_back(entry("b1", "plain", "x"));
        entries.back().header.to.bucket = "../../etc";
        entries.back().header.to.prefix = "";
        entries.back().header.to.credential_id = "";
        if (!how_.hides_until_due) entries.back().header.next_at = time_source::wall::max();
        co_await add(std::move(entries));
        lease_query all;
        auto got = co_await lease(all);
        expect(got.size() == 3, "empty bodies, long bodies and hostile names are taken as they are");
        std::set<std::string> names, buckets;
        std::set<std::size_t> sizes;
        for (const leased_record& one : got) {
            names.insert(one.header.event_id);
            buckets.insert(one.header.to.bucket);
            sizes.insert(one.body.size());
            settlement what = delivered();
            co_await settle(one.lease, what);
        }
        expect(names == std::set<std::string>({"", "plain", "\"\\/\n\xe2\x98\x83../.."}) &&
                   buckets.contains("../../etc") &&
                   sizes == std::set<std::size_t>({0, 1, std::size_t(3) << 20}),
               "and come back so");
    }

    task<> survival() {
        title_ = "survival";
        std::uint64_t parked_before = 0;
        for (const backlog& one : s_->contents()) parked_before += one.parked;
        const auto now = x_.time.wall_now();
        std::vector<spool_entry> entries;
        for (const char* id : {"left", "leased", "failed", "delivered", "parked", "released"})
            entries.push_back(entry("b3", id, std::string("body of ") + id));
        co_await add(std::move(entries));
        lease_query five;
        five.max_records = 6;
        auto got = co_await lease(five);
        expect(got.size() == 6, "six records");
        failed how;
        how.attempts = 7;
        how.next_at = now + how_.later;
        how.why = reason("Busy");
        for (const leased_record& one : got) {
            settlement what = released();
            if (one.header.event_id == "leased") continue;
            if (one.header.event_id == "failed") what = how;
            if (one.header.event_id == "delivered") what = delivered();
            if (one.header.event_id == "parked") what = parked();
            co_await settle(one.lease, what);
        }
        s_ = co_await how_.reopen();
        const backlog* const r = row("b3");
        expect(has(4, parked_before + 1), "the backlog is as it was");
        expect(!how_.tells_destinations_apart || (r != nullptr && r->last_error.code == "Busy"),
               "the last error is as it was");
        lease_query due;
        due.due_before = now;
        auto again = co_await lease(due);
        std::set<std::string> names;
        for (const leased_record& one : again) {
            names.insert(one.header.event_id);
            const bool died_over = one.header.event_id == "leased";
            expect(one.header.attempts == (died_over ? 2u : 1u),
                   "a record that was leased when the process died has one more attempt, others have not");
            expect(as_text(one.body) == "body of " + one.header.event_id, "bodies are as they were");
            expect(one.from_earlier_run, "records of before are marked so");
        }
        expect(names == std::set<std::string>({"left", "leased", "released"}),
               "a restart does not make everything due, and repeats what was leased");
        s_ = co_await how_.reopen();
        auto third = co_await lease(due);
        for (const leased_record& one : third)
            expect(one.header.attempts == (one.header.event_id == "leased" ? 3u : 2u),
                   "each time the process dies counts");
        for (const leased_record& one : third) {
            settlement what = delivered();
            co_await settle(one.lease, what);
        }
        lease_query all;
        co_await wait_if_hidden(how_.later);
        auto last = co_await lease(all);
        expect(last.size() == 1 && last.front().header.attempts == 7 &&
                   last.front().header.next_at == now + how_.later &&
                   last.front().header.last_error.code == "Busy",
               "the schedule of a failed record is kept");
        for (const leased_record& one : last) {
            settlement what = delivered();
            co_await settle(one.lease, what);
        }
        s_ = co_await how_.reopen();
        expect(has(0, parked_before + 1), "what was delivered stays delivered");
    }

    spool_backend* s_;
    context& x_;
    spool_options how_;
    std::string title_;
    std::vector<std::string> broken_;
    std::vector<std::unique_ptr<std::string>> bodies_;
    std::vector<backlog> contents_;
};

}  // namespace

task<std::vector<std::string>> check_spool(stages::spool_backend& s, context& x, spool_options how) {
    checker c(s, x, std::move(how));
    co_await c.run();
    co_return c.take();
}

}  // namespace firehose::contract
