// What was added around the records: digests, files written anew, repeats, histories, and an operator's
// tools.
#include "stages/spool_record.hpp"
#include "stages/spool_view.hpp"
#include "storage/destination.hpp"
#include "storage/segment_scan.hpp"
#include "tests/journal/spool_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>

using namespace firehose;
using namespace firehose::stages;

namespace {

class tools_fixture : public spool_fixture {
public:
    /// Every file gets a digest, and everything is written anew as soon as that makes sense.
    static directory_spool_options eager() {
        directory_spool_options how;
        how.segment_bytes = 700;
        how.digest_from_bytes = 0;
        how.compact_from_bytes = 0;
        return how;
    }
    void append(directory_spool& to, spool_entry one) {
        const std::vector<spool_entry> entries(1, std::move(one));
        BOOST_REQUIRE(run(to.append(entries)).has_value());
    }
    void fill(directory_spool& to, int from, int until, const std::string& bucket = "b") {
        for (int i = from; i < until; ++i) append(to, entry(bucket, "e" + std::to_string(i)));
    }
    std::vector<leased_record> lease(directory_spool& from, std::size_t most) {
        lease_query which;
        which.max_records = most;
        return *run(from.lease(which));
    }
    void settle(directory_spool& in, const leased_record& one, settlement what) {
        BOOST_REQUIRE(run(in.settle(one.lease, what)).has_value());
    }
    static failed not_yet(unsigned attempts, std::string message) {
        failed how;
        how.attempts = attempts;
        how.why.disposition = "retry";
        how.why.code = "SlowDown";
        how.why.status = 503;
        how.why.message = std::move(message);
        return how;
    }
    std::size_t count_files(std::string_view extension) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(disk.files(), [&](const auto& f) { return f.extension() == extension; }));
    }
    std::vector<kept_record> view(const spool_filter& which,
                                  std::vector<std::string>* bodies_seen = nullptr) {
        std::vector<kept_record> out;
        const auto add = [&](const kept_record& one) {
            if (bodies_seen != nullptr) bodies_seen->push_back(std::string(as_text(one.body)));
            out.push_back(one);
            return true;
        };
        BOOST_REQUIRE(visit_kept(disk, "/data", which, add).has_value());
        return out;
    }
    backlog only_row(const directory_spool& of) {
        auto rows = of.contents();
        BOOST_REQUIRE(rows.size() == 1u);
        return rows.front();
    }
};

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::set<std::string> events(const std::vector<kept_record>& of) {
    std::set<std::string> out;
    for (const kept_record& one : of) out.insert(one.header.event_id);
    return out;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(digests, tools_fixture)

BOOST_AUTO_TEST_CASE(a_start_reads_only_the_digests_and_knows_the_same) {
    auto spool = open(disk, eager());
    fill(*spool, 0, 40);
    const auto before = only_row(*spool);
    spool.reset();
    open(disk, eager()).reset();  // the last file gets its digest here
    BOOST_TEST(count_files(".index") == count_files(".journal"));

    faults::faulty_files fs(disk);
    std::size_t segments_opened = 0;
    fs.on_call([&](std::size_t, const std::string& call) { segments_opened += call == "read"; });
    spool = open(fs, eager());
    fs.on_call(nullptr);
    const auto after = only_row(*spool);
    BOOST_TEST(after.records == before.records);
    BOOST_TEST(after.bytes == before.bytes);
    BOOST_TEST((after.oldest == before.oldest));
    BOOST_TEST((after.next_at == before.next_at));
    BOOST_TEST(after.last_error.message == before.last_error.message);
    BOOST_TEST(deliver_all(*spool).size() == 40u);
    BOOST_TEST(count_files(".index") == 0u);
}

BOOST_AUTO_TEST_CASE(what_later_files_say_of_earlier_ones_counts) {
    auto spool = open(disk, eager());
    fill(*spool, 0, 30);
    auto got = lease(*spool, 30);
    for (std::size_t i = 0; i < 30; ++i) {
        if (i % 3 == 0) settle(*spool, got[i], delivered());
        if (i % 3 == 1) settle(*spool, got[i], not_yet(7, "later"));
    }
    // The rest was being sent when the process ended.
    for (int starts = 0; starts < 3; ++starts) {
        spool.reset();
        spool = open(disk, eager());
        BOOST_TEST(only_row(*spool).records == 20u);
    }
    got = lease(*spool, 100);
    BOOST_REQUIRE(got.size() == 20u);
    for (const auto& one : got) {
        const bool failed_before = one.header.last_error.message == "later";
        BOOST_TEST(one.header.attempts == (failed_before ? 7u : 2u));
        BOOST_TEST(one.from_earlier_run);
    }
}

BOOST_AUTO_TEST_CASE(one_that_is_gone_damaged_or_older_than_its_file_is_as_good_as_none) {
    auto spool = open(disk, eager());
    fill(*spool, 0, 40);
    spool.reset();
    open(disk, eager()).reset();
    std::size_t n = 0;
    for (const auto& f : disk.files()) {
        if (f.extension() != ".index") continue;
        auto text = disk.content(f);
        if (n % 3 == 0) text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 1);
        if (n % 3 == 1) text.resize(text.size() / 2);
        if (n % 3 == 2) disk.remove(f);
        if (n % 3 != 2) disk.set_content(f, text);
        ++n;
    }
    // A file that was changed since: its intact records are found where they are now.
    for (const auto& f : disk.files()) {
        if (f.extension() != ".journal") continue;
        auto text = disk.content(f);
        disk.set_content(f, text.substr(0, 40) + "xyz" + text.substr(40));
        break;
    }
    spool = open(disk, eager());
    BOOST_TEST(deliver_all(*spool).size() == 40u);
}

// The spool with all that lies beside its segments, changed at random: by somebody, which shows, or by the
// disk.
BOOST_AUTO_TEST_CASE(whatever_happens_to_the_files_every_intact_record_is_delivered) {
    const std::uint64_t rounds = setting("FIREHOSE_SPOOL_MUTATIONS", setting("FIREHOSE_MUTATIONS", 2000) / 4);
    const std::uint64_t seed = setting("FIREHOSE_SEED", 20260102);
    const auto enough = std::chrono::steady_clock::now() +
                        std::chrono::minutes(setting("FIREHOSE_MUTATION_MINUTES", 100'000));
    std::cout << "spool mutations: FIREHOSE_SEED=" << seed << ", rounds " << rounds << "\n";
    auto how = eager();
    how.segment_bytes = 1500;
    {
        auto spool = open(disk, how);
        fill(*spool, 0, 30);
        spool.reset();
        open(disk, how).reset();
    }
    struct known {
        std::filesystem::path file;
        std::string bytes, id;
    };
    std::vector<known> records;
    std::vector<std::filesystem::path> files;
    for (const auto& f : disk.files()) {
        if (f.extension() == ".journal" || f.extension() == ".index") files.push_back(f);
        if (f.extension() != ".journal") continue;
        const auto content = disk.content(f);
        auto opened = *disk.open(f, storage::open_how::read);
        const auto name = *storage::journal_format::parse_file_name(f.filename().native());
        storage::scan_segment(*opened, content.size(), name, 1u << 20,
                              [&](const storage::recovered_record& r) {
                                  const auto put = spool_record::parse_put(r.payload);
                                  records.push_back({f, content.substr(r.where.offset, r.where.length),
                                                     spool_record::parse_header(*put)->event_id});
                              });
    }
    BOOST_REQUIRE(records.size() == 30u);

    std::mt19937_64 draw(seed);
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(draw() % n); };
    std::uint64_t intact = 0, damaged = 0, tried = 0;
    std::chrono::steady_clock::duration longest{};
    for (std::uint64_t round = 0; round < rounds && std::chrono::steady_clock::now() < enough; ++round) {
        ++tried;
        const auto copy = disk.after_kill();
        for (std::size_t n = 1 + below(3); n > 0; --n) {
            const auto& file = files[below(files.size())];
            auto text = copy->content(file);
            if (text.empty()) continue;
            const std::size_t at = below(text.size()), length = std::min(text.size() - at, 1 + below(200));
            switch (below(5)) {
                case 0: text[at] = static_cast<char>(text[at] ^ (1 << below(8))); break;
                case 1: text.resize(at); break;
                case 2: text.replace(at, length, length, '\0'); break;
                case 3: text.erase(at, length); break;
                default: text.insert(at, text.substr(below(text.size()), 1 + below(200)));
            }
            const bool by_the_disk = text.size() == copy->content(file).size() && below(2) == 0;
            by_the_disk ? copy->rot_content(file, text) : copy->set_content(file, text);
        }
        std::map<std::string, std::string> contents;
        for (const auto& file : files) contents[file.native()] = copy->content(file);
        std::map<std::string, int> seen;
        // What rotted under a digest is found on the way; the next start reads that file.
        for (int starts = 0; starts < 2; ++starts) {
            const auto began = std::chrono::steady_clock::now();
            auto spool = try_open(*copy, how);
            longest = std::max(longest, std::chrono::steady_clock::now() - began);
            BOOST_REQUIRE_MESSAGE(spool.has_value(), "seed " << seed << " round " << round << ": no start");
            for (const auto& [id, times] : deliver_all(**spool)) seen[id] += times;
        }
        for (const known& one : records) {
            const bool whole = contents[one.file.native()].find(one.bytes) != std::string::npos;
            ++(whole ? intact : damaged);
            BOOST_REQUIRE_MESSAGE(
                whole == (seen[one.id] > 0),
                "seed " << seed << " round " << round << ": " << one.id
                        << (whole ? " is intact and was not delivered" : " is damaged and was"));
        }
        log_lines.clear();
    }
    std::cout << "spool mutations: " << tried << " spools, the longest start "
              << std::chrono::duration_cast<std::chrono::milliseconds>(longest).count() << " ms; intact "
              << intact << " all delivered, damaged " << damaged << " none delivered\n";
}

BOOST_AUTO_TEST_CASE(memory_does_not_grow_with_what_nobody_touches) {
    auto how = eager();
    how.segment_bytes = 20'000;
    auto spool = open(disk, how);
    fill(*spool, 0, 500);
    spool_filter all;
    BOOST_TEST(view(all).size() == 500u);
    // Newest first from files of which only the summary is known.
    lease_query which;
    which.newest_first = true;
    which.max_records = 3;
    spool.reset();
    spool = open(disk, how);
    auto got = *run(spool->lease(which));
    BOOST_REQUIRE(got.size() == 3u);
    BOOST_TEST(got[0].header.event_id == "e499");
    BOOST_TEST(got[2].header.event_id == "e497");
    for (const auto& one : got) settle(*spool, one, delivered());
    which.newest_first = false;
    got = *run(spool->lease(which));
    BOOST_TEST(got[0].header.event_id == "e0");
    for (const auto& one : got) settle(*spool, one, released());
    BOOST_TEST(deliver_all(*spool).size() == 497u);
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

/// Files that hold more than a few records.
directory_spool_options roomy() {
    auto how = tools_fixture::eager();
    how.segment_bytes = 4'000;
    return how;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(old_files, tools_fixture)

BOOST_AUTO_TEST_CASE(one_record_that_keeps_failing_does_not_hold_all_later_files) {
    auto spool = open(disk, roomy());
    append(*spool, entry("b", "stuck"));
    fill(*spool, 0, 200);
    auto got = lease(*spool, 201);
    for (const auto& one : got)
        settle(*spool, one, one.header.event_id == "stuck" ? settlement(not_yet(3, "no")) : delivered());
    BOOST_TEST(count_files(".journal") < 8u);
    BOOST_TEST(count["spool_moved_records"] > 0u);
    spool.reset();
    spool = open(disk, roomy());
    got = lease(*spool, 10);
    BOOST_REQUIRE(got.size() == 1u);
    BOOST_TEST(got.front().header.event_id == "stuck");
    BOOST_TEST(got.front().header.attempts == 3u);
    BOOST_TEST(got.front().header.last_error.message == "no");
    BOOST_TEST(got.front().header.history.size() == 1u);
    BOOST_TEST(got.front().from_earlier_run);
    BOOST_TEST(as_text(got.front().body).starts_with("stuck."));
}

BOOST_AUTO_TEST_CASE(a_power_cut_while_a_record_is_written_anew_leaves_exactly_one_of_it) {
    std::vector<std::unique_ptr<faults::memory_files>> states;
    faults::faulty_files fs(disk);
    auto spool = open(fs, roomy());
    append(*spool, entry("b", "stuck"));
    fill(*spool, 0, 60);
    auto got = lease(*spool, 61);
    fs.on_call([&](std::size_t, const std::string&) {
        using enum faults::unsynced_data;
        for (const auto data : {lost, kept, torn})
            for (const auto names : {faults::unsynced_names::lost, faults::unsynced_names::kept})
                states.push_back(disk.after_power_cut(data, names));
    });
    for (const auto& one : got)
        settle(*spool, one, one.header.event_id == "stuck" ? settlement(released()) : delivered());
    fs.on_call(nullptr);
    BOOST_TEST(count["spool_moved_records"] > 0u);
    BOOST_TEST(states.size() > 300u);
    for (auto& left : states) {
        auto again = open(*left, roomy());
        const auto seen = deliver_all(*again);
        BOOST_REQUIRE(seen.contains("stuck"));
        for (const auto& [id, times] : seen) BOOST_REQUIRE_MESSAGE(times == 1, id << " came twice");
        log_lines.clear();
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(repeats, tools_fixture)

BOOST_AUTO_TEST_CASE(an_event_that_comes_again_after_a_restart_is_kept_once) {
    for (const bool with_digests : {false, true}) {
        const auto how = with_digests ? eager() : directory_spool_options();
        auto spool = open(disk, how);
        fill(*spool, 0, 20);
        spool.reset();
        spool = open(disk, how);
        fill(*spool, 10, 30);
        BOOST_TEST(only_row(*spool).records == 30u);
        auto same_body = entry("b", "e0");
        same_body.header.key = "another.json";  // another object
        append(*spool, same_body);
        BOOST_TEST(only_row(*spool).records == 31u);
        std::size_t earlier = 0;
        for (const auto& one : lease(*spool, 100)) {
            earlier += one.from_earlier_run;
            settle(*spool, one, delivered());
        }
        BOOST_TEST(earlier == 10u);  // the others count as this run's
        spool.reset();
    }
}

BOOST_AUTO_TEST_CASE(one_that_could_not_be_kept_everywhere_is_nobodys) {
    auto spool = open(disk);
    append(*spool, entry("a", "old"));
    append(*spool, entry("z", "other"));
    spool.reset();
    faults::faulty_files fs(disk);
    spool = open(fs);
    fs.only([](const std::string& call) { return call == "write"; });
    fs.fail(0, EIO, 2);
    const std::vector<spool_entry> both{entry("a", "old"), entry("z", "new")};
    BOOST_TEST(run(spool->append(both)).has_error());
    fs.fail(faults::faulty_files::never, 0);
    for (const auto& one : lease(*spool, 10)) BOOST_TEST(one.from_earlier_run);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(histories, tools_fixture)

BOOST_AUTO_TEST_CASE(a_dead_letter_remembers_its_attempts_and_takes_them_back_with_it) {
    auto spool = open(disk, eager());
    append(*spool, entry("b", "poison"));
    for (unsigned attempt = 1; attempt <= 12; ++attempt) {
        auto got = lease(*spool, 1);
        BOOST_REQUIRE(got.size() == 1u);
        settle(*spool, got.front(), not_yet(attempt, "attempt " + std::to_string(attempt)));
        if (attempt % 5 == 0) {
            spool.reset();
            spool = open(disk, eager());
        }
    }
    auto got = lease(*spool, 1);
    parked what;
    what.why.message = std::string(199, 'x') + "\xc3\xa9";  // cut between characters
    settle(*spool, got.front(), what);

    spool_filter dead;
    dead.waiting = false;
    const auto seen = view(dead);
    BOOST_REQUIRE(seen.size() == 1u);
    const auto& history = seen.front().header.history;
    BOOST_REQUIRE(history.size() == history_limit);
    BOOST_TEST(history.front().why.message == "attempt 1");
    BOOST_TEST(history[history_limit - 2].why.message == "attempt 12");
    BOOST_TEST(history.back().why.message == std::string(199, 'x'));
    BOOST_TEST(history.back().attempt == 13u);
    BOOST_TEST(history[1].why.code == "SlowDown");
    BOOST_TEST(history[1].why.status == 503);

    spool.reset();
    spool = open(disk, eager());
    auto back = *run(spool->retry(dead));
    BOOST_TEST(back.parked == 1u);
    BOOST_TEST(only_row(*spool).parked == 0u);
    got = lease(*spool, 1);
    BOOST_REQUIRE(got.size() == 1u);
    BOOST_TEST(got.front().header.attempts == 0u);
    BOOST_TEST(got.front().header.history.size() == history_limit);
    BOOST_TEST(as_text(got.front().body).starts_with("poison."));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(an_operator, tools_fixture)

BOOST_AUTO_TEST_CASE(sees_every_record_as_it_is_while_a_process_runs) {
    auto spool = open(disk, eager());
    fill(*spool, 0, 20, "one");
    fill(*spool, 20, 40, "two");
    const std::vector<spool_entry> dead(1, entry("one", "dead"));
    BOOST_REQUIRE(run(spool->park(dead)).has_value());
    auto got = lease(*spool, 4);
    settle(*spool, got[0], delivered());
    settle(*spool, got[1], not_yet(5, "Access denied, says the policy"));
    std::vector<std::string> texts;
    const auto files = disk.files();
    spool_filter which;
    auto seen = view(which, &texts);
    BOOST_TEST(seen.size() == 40u);
    BOOST_TEST((disk.files() == files));
    for (std::size_t i = 0; i < seen.size(); ++i)
        BOOST_TEST(texts[i].starts_with(seen[i].header.event_id + "."));

    which.error = "ACCESS denied";
    seen = view(which);
    BOOST_REQUIRE(seen.size() == 1u);
    BOOST_TEST(seen.front().header.attempts == 5u);
    which = {};
    which.bucket = "two";
    BOOST_TEST(view(which).size() >= 19u);
    which = {};
    which.waiting = false;
    BOOST_TEST((events(view(which)) == std::set<std::string>{"dead"}));
    const auto id = view(which).front().id;
    which = {};
    which.ids = {id, "e7", "e8.json"};
    BOOST_TEST((events(view(which)) == std::set<std::string>{"dead", "e7", "e8"}));
    which = {};
    which.destination = storage::hash(dead.front().header.to);
    which.flow = "another";
    BOOST_TEST(view(which).empty());
}

BOOST_AUTO_TEST_CASE(makes_waiting_records_due_and_throws_others_away) {
    auto spool = open(disk, eager());
    for (int i = 0; i < 30; ++i) {
        auto one = entry(i % 2 == 0 ? "even" : "odd", "e" + std::to_string(i));
        one.header.next_at = time.wall_now() + std::chrono::hours(24);
        one.header.first_failed_at = time.wall_now() - std::chrono::hours(i);
        append(*spool, one);
    }
    spool.reset();
    spool = open(disk, eager());
    spool_filter which;
    which.bucket = "even";
    lease_query due;
    due.due_before = time.wall_now();
    BOOST_TEST(run(spool->lease(due))->empty());
    const auto sooner = *run(spool->retry(which));
    BOOST_TEST(sooner.waiting == 15u);
    const auto now_due = *run(spool->lease(due));
    BOOST_TEST(now_due.size() == 15u);
    for (const auto& one : now_due) settle(*spool, one, released());

    spool_filter old;
    old.failed_before = time.wall_now() - std::chrono::hours(20) - std::chrono::seconds(1);
    const auto gone = *run(spool->purge(old));
    BOOST_TEST(gone.waiting == 9u);
    spool.reset();
    spool = open(disk, eager());
    BOOST_TEST(deliver_all(*spool).size() == 21u);
}

BOOST_AUTO_TEST_CASE(finds_damage_without_touching_it) {
    auto spool = open(disk, eager());
    fill(*spool, 0, 20);
    spool.reset();
    auto checks = *verify_spool(disk, "/data");
    BOOST_REQUIRE(checks.size() == 1u);
    BOOST_TEST(checks.front().good());
    BOOST_TEST(checks.front().undelivered == 20u);
    for (const auto& f : disk.files()) {
        if (f.extension() != ".journal") continue;
        auto text = disk.content(f);
        text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 0x20);
        disk.set_content(f, text);
        break;
    }
    const auto files = disk.files();
    checks = *verify_spool(disk, "/data");
    BOOST_TEST(!checks.front().good());
    BOOST_TEST(checks.front().damaged_ranges == 1u);
    BOOST_TEST(checks.front().undelivered == 19u);
    BOOST_TEST((disk.files() == files));
    open(disk, eager()).reset();
    checks = *verify_spool(disk, "/data");
    BOOST_TEST(checks.front().quarantined_files == 1u);
    BOOST_TEST(checks.front().good());  // what was damaged is known and kept
}

BOOST_AUTO_TEST_CASE(is_told_which_process_has_the_spool) {
    auto spool = open(disk);
    auto second = try_open(disk);
    BOOST_REQUIRE(second.has_error());
    BOOST_TEST(second.error().context().find("(process " + std::to_string(::getpid()) + ")") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(sees_how_long_the_drain_will_take) {
    auto spool = open(disk);
    fill(*spool, 0, 100);
    BOOST_TEST(!only_row(*spool).eta());
    for (int i = 0; i < 60; ++i) {
        time.advance(std::chrono::milliseconds(100));
        for (const auto& one : lease(*spool, 1)) settle(*spool, one, delivered());
    }
    const auto row = only_row(*spool);
    BOOST_TEST(row.drain_rate > 9);
    BOOST_TEST(row.drain_rate < 11);
    BOOST_REQUIRE(row.eta());
    BOOST_TEST(row.eta()->count() <= 5);
    const auto from_files = inspect(disk, "/data", time.wall_now());
    BOOST_TEST(from_files->front().eta().has_value());
    time.advance(std::chrono::minutes(5));
    BOOST_TEST(!only_row(*spool).eta());
    BOOST_TEST(!inspect(disk, "/data", time.wall_now())->front().eta());
}

BOOST_AUTO_TEST_SUITE_END()
