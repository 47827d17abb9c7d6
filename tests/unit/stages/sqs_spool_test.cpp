#include "stages/memory_spool.hpp"
#include "stages/sqs_spool.hpp"
#include "storage/sqs_message.hpp"
#include "tests/contract/spool_contract.hpp"
#include "tests/support/fake_queue.hpp"
#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <map>
#include <set>

using namespace firehose;
using namespace firehose::stages;
using namespace std::chrono_literals;
using call = fake_queue_server::call;

namespace {

void report(const std::vector<std::string>& broken) {
    for (const std::string& one : broken) BOOST_ERROR(one);
    BOOST_TEST(broken.empty());
}

/// What outlives a process: the disk.
class disk_of final : public spool_backend {
public:
    explicit disk_of(spool_backend& to) : to_(to) {}
    task<result<>> append(std::span<const spool_entry> e) override { return to_.append(e); }
    task<result<>> park(std::span<const spool_entry> e) override { return to_.park(e); }
    task<result<std::vector<leased_record>>> lease(const lease_query& q) override { return to_.lease(q); }
    task<result<>> settle(lease_id l, const settlement& s) override { return to_.settle(l, s); }
    std::vector<backlog> contents() const override { return to_.contents(); }

private:
    spool_backend& to_;
};

failure why(std::string code) {
    failure f;
    f.disposition = "retry";
    f.code = std::move(code);
    f.status = 503;
    f.message = "PUT x: 503";
    return f;
}

storage::destination place(const std::string& bucket) {
    storage::destination to;
    to.service = "aws";
    to.type = "s3";
    to.bucket = bucket;
    to.credential_id = "507f1f77bcf86cd799439011";
    return to;
}

struct sqs_fixture : shard_fixture {
    std::shared_ptr<fake_queue_server> server = std::make_shared<fake_queue_server>();
    std::shared_ptr<fake_queue_server> dead;
    memory_spool disk{time};
    sqs_spool_options how;
    std::deque<std::string> bodies;
    std::unique_ptr<sqs_spool> spool;

    task<std::unique_ptr<sqs_spool>> make() {
        sqs_spool::parts with;
        with.queue = std::make_unique<fake_queue>(x, server);
        if (dead) with.dead_letters = std::make_unique<fake_queue>(x, dead, "dead");
        with.disk = std::make_unique<disk_of>(disk);
        auto opened = co_await sqs_spool::open(x, std::move(with), how);
        if (opened.has_error()) throw std::runtime_error(opened.error().context());
        co_return std::move(*opened);
    }
    std::unique_ptr<sqs_spool> another() { return run(make()); }
    void open() { spool = another(); }
    task<spool_backend*> reopen() {
        spool.reset();
        co_await time.sleep_until(time.now() + how.visibility + 1s);
        spool = co_await make();
        co_return spool.get();
    }
    std::vector<std::string> check(contract::spool_options options = {}) {
        open();
        options.pass_time = [this] { time.advance(1s); };
        options.skips_destinations = false;
        options.tells_destinations_apart = false;
        options.hides_until_due = true;
        return run(contract::check_spool(*spool, x, std::move(options)));
    }

    spool_entry entry(const std::string& id, std::string body = "{}", const std::string& bucket = "b") {
        bodies.push_back(std::move(body));
        spool_entry e;
        e.header.event_id = id;
        e.header.group_id = "g";
        e.header.to = place(bucket);
        e.header.key = "g/" + id + ".json";
        e.header.first_failed_at = time.wall_now();
        e.header.next_at = time.wall_now();
        e.header.last_error = why("SlowDown");
        e.body = as_bytes(bodies.back());
        return e;
    }
    task<> add_all(sqs_spool& to, std::vector<spool_entry> all) {
        const auto done = co_await to.append(all);
        BOOST_TEST(done.has_value());
    }
    void add(const std::vector<spool_entry>& all) { run(add_all(*spool, all)); }

    task<std::vector<leased_record>> lease_all(sqs_spool& from, lease_query which) {
        auto got = co_await from.lease(which);
        if (got.has_error()) co_return std::vector<leased_record>();
        co_return std::move(*got);
    }
    std::vector<leased_record> lease(lease_query which = {}) { return run(lease_all(*spool, which)); }
    std::vector<leased_record> due() {
        lease_query which;
        which.due_before = time.wall_now();
        return lease(which);
    }
    task<bool> settle_one(sqs_spool& in, lease_id id, settlement what) {
        const auto done = co_await in.settle(id, what);
        co_return done.has_value();
    }
    static task<> deliver_one(sqs_spool& in, lease_id id) {
        const settlement what = delivered();
        const auto done = co_await in.settle(id, what);
        BOOST_TEST(done.has_value());
    }
    bool settle_as(lease_id id, settlement what) { return run(settle_one(*spool, id, std::move(what))); }
    settlement failed_until(std::chrono::seconds later, unsigned attempts = 1) {
        failed how_it_failed;
        how_it_failed.attempts = attempts;
        how_it_failed.next_at = time.wall_now() + later;
        how_it_failed.why = why("InternalError");
        return how_it_failed;
    }
    static std::multiset<std::string> ids(const std::vector<leased_record>& of) {
        std::multiset<std::string> out;
        for (const auto& one : of) out.insert(one.header.event_id);
        return out;
    }
};

using names = std::multiset<std::string>;

}  // namespace

BOOST_FIXTURE_TEST_SUITE(sqs_spool_contract, sqs_fixture)

BOOST_AUTO_TEST_CASE(a_standard_queue_keeps_it) {
    contract::spool_options options;
    options.reopen = [this] { return reopen(); };
    report(check(std::move(options)));
}

BOOST_AUTO_TEST_CASE(with_a_queue_for_dead_letters_too) {
    dead = std::make_shared<fake_queue_server>();
    contract::spool_options options;
    options.reopen = [this] { return reopen(); };
    report(check(std::move(options)));
    BOOST_TEST(dead->messages.size() == 3u);
    BOOST_TEST(disk.dead_letters().empty());
}

BOOST_AUTO_TEST_CASE(a_fifo_queue_keeps_it_but_counts_no_deaths) {
    server->fifo = true;
    dead = std::make_shared<fake_queue_server>();  // which need not be of the same kind
    report(check());
    BOOST_TEST(disk.records().empty());
    BOOST_TEST(disk.dead_letters().empty());
    BOOST_TEST(dead->messages.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_queue_of_256_kib_keeps_it) {
    how.message_bytes = server->most_bytes = 256 * 1024;
    contract::spool_options options;
    options.reopen = [this] { return reopen(); };
    report(check(std::move(options)));
}

BOOST_AUTO_TEST_CASE(the_disk_alone_keeps_it_while_the_queue_is_away) {
    how.message_bytes = 5000;
    open();
    server->fail = [](call what, const std::string&) -> std::optional<error> {
        if (what != call::send) return std::nullopt;
        return error(disposition::retry, "no route to host");
    };
    add({entry("a"), entry("b", std::string(100'000, '\x01'))});
    BOOST_TEST(disk.records().size() == 2u);
    BOOST_TEST(count["spool_kept_on_disk"] == 2u);
    const auto sends = server->calls[call::send];
    add({entry("c")});
    BOOST_TEST(server->calls[call::send] == sends, "a queue that failed is left in peace for a while");
    server->fail = nullptr;
    advance(how.outage_pause + 1s);
    add({entry("d")});
    BOOST_TEST(server->messages.size() == 1u);
    names seen;
    for (int i = 0; i < 4; ++i)
        for (const auto& one : lease()) {
            seen.insert(one.header.event_id);
            BOOST_TEST(settle_as(one.lease, delivered()));
        }
    BOOST_TEST((seen == names{"a", "b", "c", "d"}));
    BOOST_TEST(spool->contents().empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(sqs_spools, sqs_fixture)

BOOST_AUTO_TEST_CASE(what_is_too_large_goes_to_the_disk_and_a_counter_moves) {
    how.message_bytes = 4096;
    open();
    std::string noise(20'000, '\0');
    random.fill(std::as_writable_bytes(std::span(noise)));
    add({entry("small"), entry("packs", std::string(100'000, 'x')), entry("large", noise)});
    BOOST_TEST(server->messages.size() == 2u);
    BOOST_TEST(disk.records().size() == 1u);
    BOOST_TEST(count["spool_too_large_for_queue"] == 1u);
    std::map<std::string, std::string> seen;
    for (int i = 0; i < 2; ++i)
        for (const auto& one : lease()) seen[one.header.event_id] = as_text(one.body);
    BOOST_TEST(seen["small"] == "{}");
    BOOST_TEST(seen["packs"] == std::string(100'000, 'x'));
    BOOST_TEST(seen["large"] == noise);
}

BOOST_AUTO_TEST_CASE(a_queue_that_takes_less_than_it_should_costs_disk_not_records) {
    server->most_bytes = 2000;  // the setting says 1 MiB
    open();
    add({entry("a"), entry("b", std::string(3000, 'q'))});
    BOOST_TEST(server->messages.size() == 1u);
    BOOST_TEST(disk.records().size() == 1u);
    add({entry("c")});
    BOOST_TEST(server->messages.size() == 2u, "it is not taken for an outage");
}

BOOST_AUTO_TEST_CASE(a_lease_is_extended_as_long_as_somebody_holds_it) {
    open();
    const auto other = another();
    add({entry("a")});
    BOOST_TEST(lease().size() == 1u);
    auto holding = start(spool->hold_leases());
    for (int minute = 0; minute < 30; ++minute) {
        for (int i = 0; i < 60; ++i) advance(1s);
        BOOST_TEST((server->messages.front().visible_at > time.now()));
    }
    BOOST_TEST(server->messages.front().receives == 1u);
    holding.cancel();
    settle();
    BOOST_TEST(holding.was_cancelled());
    advance(how.visibility + 1s);
    const auto again = run(lease_all(*other, {}));
    BOOST_REQUIRE(again.size() == 1u);
    BOOST_TEST(again.front().header.attempts == 1u, "a receive that came to nothing counts as an attempt");
    BOOST_TEST(again.front().from_earlier_run);
}

BOOST_AUTO_TEST_CASE(a_lease_that_was_lost_multiplies_nothing) {
    open();
    const auto other = another();
    add({entry("theirs"), entry("ours")});
    const auto got = lease();
    BOOST_REQUIRE(got.size() == 2u);
    advance(how.visibility + 1s);  // nobody held the leases
    lease_query one;
    one.max_records = 1;
    const auto theirs = run(lease_all(*other, one));
    BOOST_REQUIRE((ids(theirs) == names{"theirs"}));
    BOOST_TEST(lease().empty());  // what we see again is still ours, and not handed out twice
    for (const auto& r : got) BOOST_TEST(settle_as(r.lease, failed_until(2s)));
    BOOST_TEST(run(settle_one(*other, theirs[0].lease, failed_until(2s))));
    BOOST_TEST(server->messages.size() == 2u);
    BOOST_TEST(count["spool_leases_lost"] == 1u);
    BOOST_TEST(count["spool_leases_late"] == 1u);
}

BOOST_AUTO_TEST_CASE(a_schedule_beyond_the_longest_delay_is_kept) {
    open();
    auto late = entry("late");
    late.header.next_at = time.wall_now() + 40min;
    add({late, entry("now")});
    std::chrono::seconds passed{0};
    names seen;
    while (!seen.contains("late")) {
        for (const auto& one : due()) {
            seen.insert(one.header.event_id);
            BOOST_TEST(settle_as(one.lease, delivered()));
            BOOST_TEST(one.header.attempts == 0u);
        }
        advance(30s);
        passed = duration_cast<std::chrono::seconds>(time.wall_now() - late.header.first_failed_at);
        BOOST_REQUIRE(passed < 50min);
    }
    BOOST_TEST(passed.count() >= 40 * 60);
}

BOOST_AUTO_TEST_CASE(records_of_a_resting_destination_do_not_bar_the_way) {
    open();
    std::vector<spool_entry> all;
    for (int i = 0; i < 50; ++i) all.push_back(entry("dead" + std::to_string(i), "{}", "dead"));
    all.push_back(entry("alive", "{}", "alive"));
    add(all);
    lease_query which;
    which.due_before = time.wall_now();
    which.skip = [](const storage::destination& to) { return to.bucket == "dead"; };
    const auto got = lease(which);
    BOOST_REQUIRE((ids(got) == names{"alive"}));
    BOOST_TEST(settle_as(got.front().lease, delivered()));
    BOOST_TEST(server->calls[call::receive] <= 7u);
    for (int i = 0; i < 20; ++i) {  // ever again
        advance(how.skip_pause + 1s);
        which.due_before = time.wall_now();
        BOOST_TEST(lease(which).empty());
    }
    advance(how.skip_pause + 1s);
    const auto back = due();
    BOOST_TEST(back.size() == 50u);
    for (const auto& one : back) BOOST_TEST(one.header.attempts == 0u, "looking is not trying");
}

BOOST_AUTO_TEST_CASE(a_pass_over_a_dead_destination_ends) {
    open();
    std::vector<spool_entry> all;
    for (int i = 0; i < 200; ++i) all.push_back(entry(std::to_string(i), "{}", "dead"));
    add(all);
    advance(1s);
    lease_query pass;
    pass.untouched_since = time.wall_now();
    pass.skip = [](const storage::destination&) { return true; };
    BOOST_TEST(lease(pass).empty());
    BOOST_TEST(server->calls[call::receive] <= 25u, "once round the queue and not again");
    // The next pass finds all of them at once.
    pass.skip = nullptr;
    advance(1s);
    pass.untouched_since = time.wall_now();
    pass.max_records = 500;
    BOOST_TEST(lease(pass).size() == 200u);
}

BOOST_AUTO_TEST_CASE(the_redrive_policy_takes_what_kills_its_receivers_and_nothing_else) {
    server->max_receives = 3;
    open();
    add({entry("down")});
    for (unsigned i = 1; i <= 20; ++i) {  // the destination is down for hours
        const auto got = lease();
        BOOST_REQUIRE(got.size() == 1u);
        BOOST_TEST(got.front().header.attempts == i - 1);
        BOOST_TEST(settle_as(got.front().lease, failed_until(600s, i)));
        advance(601s);
    }
    BOOST_TEST(server->redriven.empty());
    for (int i = 0; i < 4; ++i) {  // now each receiver dies
        const auto victim = another();
        BOOST_TEST(run(lease_all(*victim, {})).size() == (i < 3 ? 1u : 0u));
        advance(how.visibility + 1s);
    }
    BOOST_TEST(server->redriven.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_stranger_in_the_queue_is_left_alone) {
    open();
    fake_queue_server::message stranger;
    stranger.id = "stranger";
    stranger.visible_at = time.now();
    for (const char* body : {"hello", "{\"v\":2,\"service\":\"aws\"}", "{\"v\":1}"}) {
        stranger.what.body = body;
        server->messages.push_back(stranger);
    }
    add({entry("ours")});
    BOOST_TEST((ids(lease()) == names{"ours"}));
    BOOST_TEST(count["spool_foreign_messages"] == 3u);
    BOOST_TEST(server->messages.size() == 4u);
    advance(20s);
    BOOST_TEST(lease().empty());
    BOOST_TEST(count["spool_foreign_messages"] == 3u, "and not looked at again for a while");
}

BOOST_AUTO_TEST_CASE(settlements_that_fail_repeat_a_record_and_lose_none) {
    // Every call to the queue fails in turn, before it is carried out and after; then all works again.
    for (const bool carried_out : {false, true}) {
        for (std::size_t bad = 0;; ++bad) {
            server = std::make_shared<fake_queue_server>();
            open();
            std::size_t calls = 0;
            bool hit = false;
            const auto strike = [&] {
                const bool now = calls++ == bad;
                hit = hit || now;
                return now;
            };
            if (carried_out)
                server->lose_answer = [&](call) { return strike(); };
            else
                server->fail = [&](call, const std::string&) -> std::optional<error> {
                    if (!strike()) return std::nullopt;
                    return error(disposition::retry, "reset by peer");
                };
            add({entry("delivered"), entry("failed"), entry("parked"), entry("released")});
            names delivered_ids;
            for (const auto& one : lease()) {
                settlement what = released();
                const auto& id = one.header.event_id;
                if (id == "delivered") what = delivered();
                if (id == "failed") what = failed_until(5s);
                if (id == "parked") what = parked{why("EntityTooLarge")};
                if (id == "delivered") delivered_ids.insert(id);
                settle_as(one.lease, what);
            }
            server->fail = nullptr;
            server->lose_answer = nullptr;
            open();  // the process dies here
            for (int i = 0; i < 10; ++i) {
                for (const auto& one : due()) {
                    delivered_ids.insert(one.header.event_id);
                    BOOST_TEST(settle_as(one.lease, delivered()));
                }
                advance(30s);
            }
            names everything(delivered_ids);
            for (const auto& one : disk.dead_letters()) everything.insert(one.header.event_id);
            for (const char* id : {"delivered", "failed", "parked", "released"})
                BOOST_TEST(everything.contains(id), id << " is gone, call " << bad << " failed");
            BOOST_TEST(server->messages.empty());
            if (!hit) break;
        }
    }
}

BOOST_AUTO_TEST_CASE(several_processes_that_are_killed_drain_one_queue) {
    open();
    constexpr int records = 400;
    std::vector<spool_entry> all;
    for (int i = 0; i < records; ++i) all.push_back(entry(std::to_string(i)));
    add(all);
    std::map<std::string, int> puts;
    std::vector<std::unique_ptr<sqs_spool>> processes(3);
    int kills = 0, rounds = 0;
    while (!server->messages.empty()) {
        BOOST_REQUIRE(++rounds < 5000);
        for (auto& process : processes) {
            if (!process) process = another();
            lease_query which;
            which.due_before = time.wall_now();
            which.max_records = 7;
            for (const auto& one : run(lease_all(*process, which))) {
                if (random.uniform() < 0.05) {  // killed with this and the rest in its hands
                    process.reset();
                    ++kills;
                    break;
                }
                const bool fails = random.uniform() < 0.2;
                if (!fails) ++puts[one.header.key];
                if (!fails && random.uniform() < 0.05) {  // killed between the store's answer and the queue
                    process.reset();
                    ++kills;
                    break;
                }
                const settlement what = fails ? failed_until(2s) : settlement(delivered());
                BOOST_TEST(run(settle_one(*process, one.lease, what)));
            }
        }
        advance(5s);
    }
    BOOST_TEST(puts.size() == static_cast<std::size_t>(records));
    BOOST_TEST(kills > 10);
    int repeats = 0;
    for (const auto& [key, n] : puts) repeats += n - 1;
    BOOST_TEST_MESSAGE(records << " records, " << kills << " kills, " << repeats
                               << " repeats under the same key");
}

BOOST_AUTO_TEST_CASE(settling_many_at_once_takes_few_calls) {
    open();
    std::vector<spool_entry> all;
    for (int i = 0; i < 100; ++i) all.push_back(entry(std::to_string(i)));
    add(all);
    lease_query which;
    which.max_records = 100;
    const auto got = lease(which);
    BOOST_REQUIRE(got.size() == 100u);
    std::vector<started_task> running;
    for (const auto& one : got) running.push_back(start(deliver_one(*spool, one.lease)));
    settle();
    for (const auto& one : running) BOOST_TEST(one.done());
    BOOST_TEST(server->messages.empty());
    BOOST_TEST(server->calls[call::remove] <= 16u);
}

BOOST_AUTO_TEST_CASE(a_queue_that_is_not_there_is_an_error_when_opening) {
    server->fail = [](call, const std::string&) { return error(disposition::stop, "QueueDoesNotExist"); };
    BOOST_CHECK_THROW(open(), std::runtime_error);
    server->fail = [](call, const std::string&) { return error(disposition::retry, "Connection refused"); };
    open();  // one that cannot be reached will be
    server->fail = nullptr;
    server->retention = 4 * 24h;
    log_lines.clear();
    open();
    BOOST_REQUIRE(log_lines.size() == 1u);
    BOOST_TEST(log_lines.front().find("MessageRetentionPeriod") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(contents_are_what_the_queue_says_and_the_disk_has) {
    open();
    add({entry("a"), entry("b")});
    auto got = lease();
    BOOST_TEST(settle_as(got.front().lease, parked{why("EntityTooLarge")}));
    const auto rows = spool->contents();
    BOOST_REQUIRE(rows.size() == 2u);
    BOOST_TEST(rows[0].parked == 1u);
    BOOST_TEST(rows[0].records == 0u);
    BOOST_TEST(rows[1].whole_queue);
    BOOST_TEST(rows[1].records == 1u);
    BOOST_TEST(rows[1].to.bucket == "spool");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(sqs_records)

namespace {
spool_header hostile_header() {
    spool_header h;
    h.event_id = "\"\\/\n\x01\xe2\x98\x83../..\xef\xbf\xbf\xf0\x9f\x98\x80";
    h.group_id = "g";
    h.to = place("../../etc");
    h.layout = "batch";
    h.content_encoding = "gzip";
    h.events = 1'000;
    h.key = "k";
    h.attempts = 3;
    h.next_at = time_source::wall::max();
    h.first_failed_at = time_source::wall(std::chrono::nanoseconds(1'767'225'600'123'456'789));
    h.last_error = why("Odd");
    h.last_error.message = "cut \xff\xc3( here";
    return h;
}
}  // namespace

BOOST_AUTO_TEST_CASE(come_back_as_they_went) {
    std::string every_byte;
    for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
    for (const std::string& body : {std::string(), std::string("{\"a\":\"\xc3\xa9\\u0000\"}"), every_byte,
                                    std::string("\xef\xbf\xbe"), std::string(300'000, 'y')}) {
        const sqs_record::origin from{"run", time_source::wall(std::chrono::seconds(5))};
        const auto text = sqs_record::encode(hostile_header(), from, as_bytes(body), 100'000);
        BOOST_REQUIRE(text.has_value());
        BOOST_TEST(storage::sqs::is_valid_text(*text));
        BOOST_TEST(text->size() <= 100'000u);
        const auto back = sqs_record::decode(*text);
        BOOST_REQUIRE(back.has_value());
        BOOST_TEST(as_text(bytes_view(back->backing.get(), back->size)) == body);
        const auto want = hostile_header();
        BOOST_TEST(back->header.event_id == want.event_id);
        BOOST_TEST((back->header.to == want.to));
        BOOST_TEST(back->header.layout == "batch");
        BOOST_TEST(back->header.content_encoding == "gzip");
        BOOST_TEST(back->header.events == 1'000u);
        BOOST_TEST(back->header.attempts == 3u);
        BOOST_TEST((back->header.next_at == want.next_at));
        BOOST_TEST((back->header.first_failed_at == want.first_failed_at));
        BOOST_TEST(back->header.last_error.code == "Odd");
        BOOST_TEST(back->header.last_error.message == "cut \xef\xbf\xbd\xef\xbf\xbd( here");
        BOOST_TEST(back->from.run == "run");
        BOOST_TEST((back->from.touched_at == from.touched_at));
    }
}

BOOST_AUTO_TEST_CASE(are_readable_where_the_event_is_text) {
    spool_header h;
    h.to = place("b");
    const auto text = sqs_record::encode(h, {}, as_bytes("{\"a\":1}"), 10'000);
    BOOST_REQUIRE(text.has_value());
    BOOST_TEST(text->find(R"("encoding":"text","body":"{\"a\":1}"})") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(that_do_not_fit_are_none) {
    spool_header h;
    h.to = place("b");
    seeded_randomness random(4);
    std::string noise(10'000, '\0');
    random.fill(std::as_writable_bytes(std::span(noise)));
    BOOST_TEST(!sqs_record::encode(h, {}, as_bytes(noise), 10'000).has_value());
    BOOST_TEST(!sqs_record::encode(h, {}, as_bytes("x"), 100).has_value());
}

BOOST_AUTO_TEST_CASE(of_others_are_refused_with_a_reason) {
    const auto reason = [](std::string_view text) {
        const auto got = sqs_record::decode(text);
        return got.has_value() ? std::string() : got.error().context();
    };
    BOOST_TEST(reason("").find("is not a record") != std::string::npos);
    BOOST_TEST(reason("[1]").find("is not a record") != std::string::npos);
    BOOST_TEST(reason(R"({"v":9,"service":"aws"})").find("later version") != std::string::npos);
    BOOST_TEST(reason(R"({"v":1,"service":"aws","encoding":"gzip","body":"AAAA"})").find("cannot be read") !=
               std::string::npos);
    BOOST_TEST(reason(R"({"v":1,"service":"aws","encoding":"odd","body":"x"})").find("cannot be read") !=
               std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
