#include "stages/drain_meter.hpp"
#include "stages/spool_view.hpp"
#include "storage/destination.hpp"
#include "tests/journal/spool_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>

using namespace firehose;
using namespace firehose::stages;

BOOST_FIXTURE_TEST_SUITE(a_directory_spool, spool_fixture)

BOOST_AUTO_TEST_CASE(lies_where_a_person_finds_it) {
    auto spool = open(disk);
    const std::vector<spool_entry> one(1, entry("leads", "e1"));
    BOOST_REQUIRE(run(spool->append(one)).has_value());
    const auto where = std::filesystem::path("/data/spool") / storage::directory_name(one[0].header.to);
    BOOST_TEST(disk.content(where / "destination.json").find("\"bucket\":\"leads\"") != std::string::npos);
    std::size_t segments = 0;
    for (const auto& f : disk.files(where)) segments += f.extension() == ".journal";
    BOOST_TEST(segments == 1u);
}

BOOST_AUTO_TEST_CASE(has_one_owner) {
    auto first = open(disk);
    auto second = try_open(disk);
    BOOST_REQUIRE(second.has_error());
    BOOST_TEST(second.error().context().find("in use by another process") != std::string::npos);
    first.reset();
    BOOST_TEST(try_open(disk).has_value());
}

BOOST_AUTO_TEST_CASE(is_refused_where_others_can_write) {
    open(disk).reset();
    disk.set_writable_by_others("/data/spool");
    BOOST_TEST(try_open(disk).has_error());
}

BOOST_AUTO_TEST_CASE(leaves_nothing_when_everything_is_delivered) {
    auto spool = open(disk);
    std::vector<spool_entry> all;
    for (int i = 0; i < 50; ++i) all.push_back(entry("b" + std::to_string(i % 3), "e" + std::to_string(i)));
    BOOST_REQUIRE(run(spool->append(all)).has_value());
    BOOST_TEST(deliver_all(*spool).size() == 50u);
    BOOST_TEST(spool->contents().empty());
    for (const auto& f : disk.files()) BOOST_TEST(f.extension() != ".journal", f);
    spool.reset();
    spool = open(disk);
    const std::vector<std::filesystem::path> only{"/data/spool/lock"};
    BOOST_TEST(disk.files() == only);
    BOOST_TEST(disk.list("/data/spool")->size() == 1u);  // empty directories are gone too
}

BOOST_AUTO_TEST_CASE(unlinks_the_oldest_files_and_none_that_is_needed) {
    directory_spool_options how;
    how.segment_bytes = 1;  // one record a file
    auto spool = open(disk, how);
    const auto files = [this] {
        std::size_t n = 0;
        for (const auto& f : disk.files()) n += f.extension() == ".journal";
        return n;
    };
    for (int i = 0; i < 6; ++i) {
        const std::vector<spool_entry> one(1, entry("b", "e" + std::to_string(i)));
        BOOST_REQUIRE(run(spool->append(one)).has_value());
    }
    lease_query all;
    auto got = *run(spool->lease(all));
    settlement what = delivered();
    for (const std::size_t i : {1u, 2u, 4u}) run(spool->settle(got[i].lease, what));
    const auto before = files();
    BOOST_TEST(before >= 6u + 3u);  // the first record holds everything behind it
    run(spool->settle(got[0].lease, what));
    BOOST_TEST(files() <= before - 3 + 1);
    spool.reset();
    spool = open(disk, how);
    const std::map<std::string, int> left{{"e3", 1}, {"e5", 1}};
    BOOST_TEST((deliver_all(*spool) == left));
}

BOOST_AUTO_TEST_CASE(a_parked_record_holds_no_file) {
    directory_spool_options how;
    how.segment_bytes = 1;
    auto spool = open(disk, how);
    std::vector<spool_entry> all{entry("b", "poison"), entry("b", "good")};
    BOOST_REQUIRE(run(spool->append(all)).has_value());
    lease_query one;
    one.max_records = 1;
    auto got = *run(spool->lease(one));
    settlement what = parked();
    BOOST_REQUIRE(run(spool->settle(got.front().lease, what)).has_value());
    deliver_all(*spool);
    std::vector<std::filesystem::path> left;
    for (const auto& f : disk.files())
        if (f.extension() == ".journal") left.push_back(f);
    BOOST_REQUIRE(left.size() == 1u);
    BOOST_TEST(left.front().parent_path().filename() == "parked");
    BOOST_TEST(disk.content(left.front()).find("poison....") != std::string::npos);
    spool.reset();
    spool = open(disk, how);
    BOOST_TEST(spool->contents().front().parked == 1u);
}

BOOST_AUTO_TEST_CASE(keeps_all_or_nothing_over_several_destinations) {
    faults::faulty_files fs(disk);
    auto spool = open(fs);
    const std::vector<spool_entry> before{entry("a", "a0"), entry("z", "z0")};
    BOOST_REQUIRE(run(spool->append(before)).has_value());
    fs.only([](const std::string& call) { return call == "sync"; });
    fs.fail(1, EIO);  // the first destination's sync goes well, the second's does not
    const std::vector<spool_entry> both{entry("a", "a1"), entry("z", "z1")};
    BOOST_TEST(run(spool->append(both)).has_error());
    const std::map<std::string, int> expected{{"a0", 1}, {"z0", 1}};
    BOOST_TEST((deliver_all(*spool) == expected));
}

BOOST_AUTO_TEST_CASE(delivers_and_frees_a_full_disk) {
    directory_spool_options how;
    how.segment_bytes = 300;
    faults::faulty_files fs(disk);
    auto spool = open(fs, how);
    for (int i = 0; i < 20; ++i) {
        const std::vector<spool_entry> one(1, entry("b", "e" + std::to_string(i)));
        BOOST_REQUIRE(run(spool->append(one)).has_value());
    }
    fs.only([](const std::string& call) { return call == "write" || call == "create"; });
    fs.fail(0, ENOSPC, faults::faulty_files::never - 1);
    const std::vector<spool_entry> more(1, entry("b", "more"));
    auto refused = run(spool->append(more));
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST(refused.error().context().find("disk is full") != std::string::npos);
    lease_query all;
    auto got = *run(spool->lease(all));
    BOOST_TEST(got.size() == 20u);
    settlement what = delivered();
    for (const auto& one : got) run(spool->settle(one.lease, what));
    // Unlinking says "delivered" where no byte can be written.
    for (const auto& f : disk.files()) BOOST_TEST(f.extension() != ".journal", f);
    fs.fail(faults::faulty_files::never, 0);
    BOOST_TEST(run(spool->append(more)).has_value());
    const std::map<std::string, int> expected{{"more", 1}};
    BOOST_TEST((deliver_all(*spool) == expected));
}

BOOST_AUTO_TEST_CASE(poison_that_is_damaged_on_disk_holds_up_nobody) {
    auto spool = open(disk);
    std::vector<spool_entry> all{entry("b", "one"), entry("b", "two"), entry("b", "three")};
    BOOST_REQUIRE(run(spool->append(all)).has_value());
    for (const auto& f : disk.files())
        if (f.extension() == ".journal") {
            auto bytes = disk.content(f);
            bytes[bytes.find("two.....")] = 'T';
            disk.set_content(f, bytes);
        }
    const std::map<std::string, int> expected{{"one", 1}, {"three", 1}};
    BOOST_TEST((deliver_all(*spool) == expected));
    BOOST_TEST(count["spool_unreadable_records"] == 1u);
    spool.reset();
    spool = open(disk);
    BOOST_TEST(deliver_all(*spool).empty());
    BOOST_TEST(count["journal_damaged_ranges"] == 1u);
    std::size_t kept = 0;
    for (const auto& f : disk.files()) kept += f.parent_path().filename() == "quarantine";
    BOOST_TEST(kept == 1u);
}

BOOST_AUTO_TEST_CASE(can_be_looked_at_while_it_runs) {
    auto spool = open(disk);
    std::vector<spool_entry> all{entry("b", "one"), entry("b", "two"), entry("a", "three")};
    all[1].header.next_at = time.wall_now() + std::chrono::hours(1);
    BOOST_REQUIRE(run(spool->append(all)).has_value());
    BOOST_REQUIRE(run(spool->park(std::vector<spool_entry>(1, entry("c", "dead")))).has_value());
    lease_query one;
    one.max_records = 1;
    auto got = *run(spool->lease(one));
    settlement what = delivered();
    run(spool->settle(got.front().lease, what));
    const auto live = spool->contents();
    auto seen = inspect(disk, "/data", time.wall_now());
    BOOST_REQUIRE(seen.has_value());
    BOOST_REQUIRE(seen->size() == live.size());
    for (std::size_t i = 0; i < live.size(); ++i) {
        BOOST_TEST(((*seen)[i].to == live[i].to));
        BOOST_TEST((*seen)[i].records == live[i].records);
        BOOST_TEST((*seen)[i].bytes == live[i].bytes);
        BOOST_TEST((*seen)[i].parked == live[i].parked);
        BOOST_TEST(((*seen)[i].next_at == live[i].next_at));
    }
    BOOST_TEST(inspect(disk, "/nowhere", time.wall_now())->empty());
}

BOOST_AUTO_TEST_CASE(tries_each_of_many_records_once_in_a_pass) {
    auto spool = open(disk);
    std::vector<spool_entry> all;
    for (int i = 0; i < 2'000; ++i) all.push_back(entry("b", std::to_string(i), 1));
    BOOST_REQUIRE(run(spool->append(all)).has_value());
    // One pass in which everything fails again: no record twice, and no scan of all that came before.
    const auto begun = time.wall_now() + std::chrono::seconds(1);
    time.advance(std::chrono::seconds(1));
    std::size_t tried = 0;
    for (;;) {
        lease_query which;
        which.max_records = 100;
        which.untouched_since = begun;
        auto got = *run(spool->lease(which));
        if (got.empty()) break;
        for (const auto& one : got) {
            failed how;
            how.attempts = 2;
            settlement what = how;
            run(spool->settle(one.lease, what));
            ++tried;
        }
    }
    BOOST_TEST(tried == 2'000u);
    BOOST_TEST(spool->contents().front().records == 2'000u);
}

// The commit that carries both ends before either knows; the file must not go with the delivered record.
BOOST_AUTO_TEST_CASE(a_record_appended_in_the_moment_of_the_last_delivery_stays) {
    auto spool = open(disk);
    settlement what = delivered();
    const std::vector<spool_entry> next(1, entry("b", "next"));
    auto settling = [&](lease_id lease) -> task<> {
        auto done = co_await spool->settle(lease, what);
        if (done.has_error()) throw std::runtime_error(done.error().context());
    };
    auto appending = [&]() -> task<> {
        auto done = co_await spool->append(next);
        if (done.has_error()) throw std::runtime_error(done.error().context());
    };
    const std::vector<spool_entry> first(1, entry("b", "first"));
    for (int order = 0; order < 2; ++order) {
        BOOST_REQUIRE(run(spool->append(first)).has_value());
        lease_query all;
        auto got = *run(spool->lease(all));
        BOOST_REQUIRE(got.size() == 1u);
        auto a = order == 0 ? start(settling(got.front().lease)) : start(appending());
        auto b = order == 0 ? start(appending()) : start(settling(got.front().lease));
        finish(a);
        finish(b);
        spool.reset();
        spool = open(disk);
        const std::map<std::string, int> expected{{"next", 1}};
        BOOST_TEST((deliver_all(*spool) == expected));
    }
}

BOOST_AUTO_TEST_CASE(a_cancelled_lease_leaves_its_records_to_the_next) {
    auto spool = open(disk);
    const std::vector<spool_entry> all{entry("b", "one"), entry("b", "two")};
    BOOST_REQUIRE(run(spool->append(all)).has_value());
    auto taking = [&]() -> task<> {
        lease_query which;
        co_await spool->lease(which);
    };
    auto t = start(taking());
    io.restart();
    io.poll_one();
    t.cancel();
    settle();
    BOOST_TEST(t.was_cancelled());
    BOOST_TEST(deliver_all(*spool).size() == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
