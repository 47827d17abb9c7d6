// Every file call fails in turn, and the power is cut at every file call: nothing acknowledged is lost.
#include "tests/journal/spool_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <iostream>

using namespace firehose;
using namespace firehose::stages;

namespace {

// What a run was told is safe, and what it was told is gone.
struct promises {
    std::set<std::string> kept{}, delivered{}, parked{};
    // Settling failed: gone or not, both are right.
    std::set<std::string> unsure{};
};

// Appends, leases, fails, parks and delivers; goes on after every error. Small segments, so that files
// are made and removed all the time.
task<> workload(directory_spool& spool, spool_fixture& with, promises& p) {
    int number = 0;
    for (int round = 0; round < 6; ++round) {
        std::vector<std::string> ids;
        std::vector<spool_entry> entries;
        for (int i = 0; i < 3; ++i) {
            ids.push_back("e" + std::to_string(number++));
            entries.push_back(with.entry(i == 2 ? "other" : "main", ids.back()));
        }
        auto added = co_await spool.append(entries);
        if (added.has_value()) p.kept.insert(ids.begin(), ids.end());
        lease_query which;
        which.max_records = 2;
        auto got = co_await spool.lease(which);
        if (got.has_error()) continue;
        for (const leased_record& one : *got) {
            const std::string id = one.header.event_id;
            const std::size_t kind = p.delivered.size() % 4 + static_cast<std::size_t>(round % 2);
            settlement what = delivered();
            if (kind == 2) what = parked();
            if (kind == 3) what = failed();
            if (kind == 4) what = released();
            if (kind < 3) p.unsure.insert(id);  // while it runs
            auto settled = co_await spool.settle(one.lease, what);
            if (settled.has_error() || kind >= 3) continue;
            p.unsure.erase(id);
            (kind == 2 ? p.parked : p.delivered).insert(id);
        }
    }
}

class sweep_fixture : public spool_fixture {
public:
    directory_spool_options small() {
        directory_spool_options how;
        how.segment_bytes = 600;
        how.digest_from_bytes = 0;
        how.compact_from_bytes = 0;
        return how;
    }
    // What is there after a restart must agree with what was promised.
    std::string check(faults::memory_files& left, const promises& p) {
        auto opened = try_open(left, small());
        if (opened.has_error()) return "the start failed: " + opened.error().context();
        std::uint64_t dead = 0;
        for (const auto& row : (*opened)->contents()) dead += row.parked;
        const auto seen = deliver_all(**opened);
        for (const std::string& id : p.kept) {
            const bool gone = p.delivered.contains(id) || p.parked.contains(id) || p.unsure.contains(id);
            if (!gone && !seen.contains(id)) return id + " was kept and is lost";
        }
        for (const std::string& id : p.delivered)
            if (seen.contains(id)) return id + " was delivered durably and comes again";
        if (dead < p.parked.size()) return "a dead letter is lost";
        const std::vector<spool_entry> one(1, entry("main", "afterwards"));
        if (run((*opened)->append(one)).has_error()) return "it does not take new records";
        if (deliver_all(**opened).size() != 1) return "the new record is not there";
        return {};
    }
};

/// Every so manieth call is tried; 1: all.
std::size_t sweep_step() {
    const char* asked = std::getenv("FIREHOSE_SWEEP_STEP");
    return asked == nullptr ? 1 : std::max<std::size_t>(1, std::strtoul(asked, nullptr, 10));
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(sweeps, sweep_fixture)

BOOST_AUTO_TEST_CASE(every_call_fails_in_turn) {
    const std::pair<const char*, int> troubles[] = {
        {"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT},
        {"EMFILE", EMFILE}, {"EINTR", EINTR},   {"short", faults::faulty_files::short_transfer}};
    std::size_t injected = 0;
    for (const auto& [name, number] : troubles)
        for (const std::size_t length : {std::size_t{1}, std::size_t{40}})
            for (std::size_t n = 0;; n += sweep_step()) {
                if (length > 1 && number != EIO && number != ENOSPC)
                    break;  // a disk that is ill or full for a while
                faults::memory_files files;
                faults::faulty_files fs(files);
                fs.fail(n, number, length);
                promises p;
                bool hit = true;  // also when the start fails
                {
                    auto opened = try_open(fs, small());
                    if (opened.has_value()) {
                        run(workload(**opened, *this, p));  // "stuck" would throw
                        hit = fs.hit();
                        fs.fail(faults::faulty_files::never, 0);
                        const std::vector<spool_entry> one(1, entry("main", "healed"));
                        BOOST_REQUIRE_MESSAGE(run((*opened)->append(one)).has_value(),
                                              name << " at call " << n << ": later appends fail");
                        p.kept.insert("healed");
                    }
                }
                fs.fail(faults::faulty_files::never, 0);
                // Both what the process left and what a power cut would have left.
                const auto cut =
                    files.after_power_cut(faults::unsynced_data::lost, faults::unsynced_names::lost);
                const std::string after_cut = check(*cut, p), after_end = check(*files.after_kill(), p);
                BOOST_REQUIRE_MESSAGE(after_cut.empty(), name << " x" << length << " at call " << n
                                                              << ", power cut: " << after_cut);
                BOOST_REQUIRE_MESSAGE(after_end.empty(),
                                      name << " x" << length << " at call " << n << ": " << after_end);
                ++injected;
                bodies.clear();
                log_lines.clear();
                if (!hit) break;  // beyond the last call: every one has had its turn
            }
    std::cout << "sweep: " << injected << " runs with a failing call, 0 records lost\n";
}

BOOST_AUTO_TEST_CASE(the_power_is_cut_at_every_call) {
    struct state {
        std::unique_ptr<faults::memory_files> left;
        promises told;
        std::string what;
    };
    std::vector<state> states;
    faults::faulty_files fs(disk);
    promises p;
    auto spool = open(fs, small());
    // The hook runs on the pool's thread while the shard waits for it, so `p` holds still.
    fs.on_call([&](std::size_t n, const std::string& call) {
        using enum faults::unsynced_data;
        if (n % sweep_step() != 0) return;
        for (const auto data : {lost, kept, torn, zeros})
            for (const auto names : {faults::unsynced_names::lost, faults::unsynced_names::kept})
                states.push_back({disk.after_power_cut(data, names), p,
                                  "call " + std::to_string(n) + " (" + call + "), data " +
                                      std::to_string(static_cast<int>(data)) + ", names " +
                                      std::to_string(static_cast<int>(names))});
    });
    run(workload(*spool, *this, p));
    fs.on_call(nullptr);
    spool.reset();
    BOOST_TEST(states.size() > 500u / sweep_step());
    BOOST_TEST(p.kept.size() == 18u);
    for (state& one : states) {
        const std::string wrong = check(*one.left, one.told);
        BOOST_REQUIRE_MESSAGE(wrong.empty(), one.what << ": " << wrong);
        log_lines.clear();
    }
    std::cout << "crash states: " << states.size() << " restarted, 0 acknowledged records lost\n";
}

BOOST_AUTO_TEST_CASE(the_power_is_cut_during_recovery_too) {
    faults::memory_files first;
    promises p;
    {
        auto spool = open(first, small());
        run(workload(*spool, *this, p));
    }
    // Damage, so that recovery has something to write.
    for (const auto& f : first.files())
        if (f.extension() == ".journal") {
            first.set_content(f, first.content(f) + "torn tail");
        }
    std::vector<std::unique_ptr<faults::memory_files>> states;
    faults::faulty_files fs(first);
    fs.on_call([&](std::size_t n, const std::string&) {
        using enum faults::unsynced_data;
        if (n % sweep_step() != 0) return;
        for (const auto data : {lost, kept, torn})
            for (const auto names : {faults::unsynced_names::lost, faults::unsynced_names::kept})
                states.push_back(first.after_power_cut(data, names));
    });
    open(fs, small()).reset();
    fs.on_call(nullptr);
    for (const auto& one : states) {
        const std::string wrong = check(*one, p);
        BOOST_REQUIRE_MESSAGE(wrong.empty(), wrong);
    }
    std::cout << "crash states during recovery: " << states.size()
              << " restarted, 0 acknowledged records lost\n";
}

BOOST_AUTO_TEST_SUITE_END()
