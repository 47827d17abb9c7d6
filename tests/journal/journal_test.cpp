#include "tests/journal/fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <future>
#include <utility>

using namespace firehose;
using namespace firehose::storage;

namespace {

journal_options small_segments() {
    journal_options how;
    how.segment_bytes = 200;
    return how;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(journal_appends, journal_fixture)

BOOST_AUTO_TEST_CASE(what_was_appended_is_read_back_now_and_after_a_restart) {
    {
        auto j = open(disk);
        BOOST_TEST(j->next_sequence() == 1u);
        auto a = append(*j, "first"), b = append(*j, std::string(100'000, 'x')), c = append(*j, "");
        BOOST_REQUIRE((a && b && c));
        BOOST_TEST(a->first == 1u);
        BOOST_TEST(c->first == 3u);
        auto got = run(j->read({*c, *b, *a}));
        BOOST_TEST(as_text(got[0]->payload) == "");
        BOOST_TEST(got[1]->payload.size() == 100'000u);
        BOOST_TEST(as_text(got[2]->payload) == "first");
        BOOST_TEST(got[2]->type == 1u);
    }
    auto j = open(*disk.after_power_cut(faults::unsynced_data::lost, faults::unsynced_names::lost));
    BOOST_TEST((values(recovered) == std::vector<std::string>{"first", std::string(100'000, 'x'), ""}));
    BOOST_TEST(j->next_sequence() > 3u);
}

BOOST_AUTO_TEST_CASE(appends_of_one_moment_share_one_sync) {
    faults::faulty_files fs(disk);
    auto j = open(fs);
    BOOST_REQUIRE(append(*j, "makes the segment").has_value());
    std::size_t syncs = 0, writes = 0;
    fs.on_call([&](std::size_t, const std::string& call) {
        syncs += call == "sync" || call == "sync_directory";
        writes += call == "write";
    });
    std::vector<started_task> all;
    auto one = [&](std::string text) -> task<> {
        auto done = co_await append_one(*j, std::move(text));
        if (done.has_error()) throw std::runtime_error(done.error().context());
    };
    for (int i = 0; i < 100; ++i) all.push_back(start(one("event " + std::to_string(i))));
    for (auto& t : all) finish(t);
    BOOST_TEST(syncs == 1u);
    BOOST_TEST(writes <= 2u);  // at most 64 pieces go into one system call
    BOOST_TEST(j->next_sequence() == 102u);
}

BOOST_AUTO_TEST_CASE(written_records_are_not_synced_but_survive_the_process) {
    faults::faulty_files fs(disk);
    auto j = open(fs);
    std::size_t syncs = 0;
    fs.on_call([&](std::size_t, const std::string& call) { syncs += call == "sync"; });
    BOOST_REQUIRE(run(append_one(*j, "noted", durability::written)).has_value());
    BOOST_TEST(syncs == 0u);
    j.reset();
    open(*disk.after_kill());
    BOOST_TEST((values(recovered) == std::vector<std::string>{"noted"}));
}

BOOST_AUTO_TEST_CASE(records_with_a_count_take_that_many_sequences) {
    auto j = open(disk);
    std::vector<journal_input> inputs(2);
    inputs[0].count = 10;
    inputs[1].count = 0;  // taken as 1: no two records share a sequence
    auto done = run(j->append(inputs));
    BOOST_REQUIRE(done.has_value());
    BOOST_TEST((*done)[0].first == 1u);
    BOOST_TEST((*done)[1].first == 11u);
    BOOST_TEST(j->next_sequence() == 12u);
}

BOOST_AUTO_TEST_CASE(a_record_over_the_limit_is_refused_and_costs_nothing) {
    journal_options how;
    how.max_payload = 10;
    auto j = open(disk, how);
    auto refused = append(*j, "eleven byte");
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST((refused.error().what() == disposition::park));
    BOOST_TEST(append(*j, "ten bytes!").has_value());
}

BOOST_AUTO_TEST_CASE(old_segments_go_when_nothing_before_the_mark_is_needed) {
    auto j = open(disk, small_segments());
    std::vector<record_location> where;
    for (int i = 0; i < 20; ++i) where.push_back(*append(*j, std::string(80, 'a')));
    BOOST_TEST(j->segments().size() == 10u);
    BOOST_TEST(!j->removable(where[1].first));
    BOOST_TEST(run(j->remove_before(where[1].first)).has_value());
    BOOST_TEST(j->segments().size() == 10u);
    BOOST_TEST(run(j->remove_before(where[7].first)).has_value());
    BOOST_TEST(j->segments().size() == 7u);
    BOOST_TEST(run(j->read({where[5]})).front().has_error());
    BOOST_TEST(run(j->read({where[6]})).front().has_value());
    // Also the one that is written to; the next append makes another.
    BOOST_TEST(run(j->remove_before(j->next_sequence())).has_value());
    BOOST_TEST(disk.files(directory).empty());
    auto next = append(*j, "after");
    BOOST_REQUIRE(next.has_value());
    BOOST_TEST(next->first > where.back().first);
}

BOOST_AUTO_TEST_CASE(readers_follow_in_order_through_segments_and_removals) {
    auto j = open(disk, small_segments());
    for (int i = 1; i <= 30; ++i) append(*j, "event " + std::to_string(i));
    std::vector<std::string> seen;
    for (sequence at = 1;;) {
        auto got = run(j->read_from(at, 100));
        BOOST_REQUIRE(got.has_value());
        if (got->empty()) break;
        for (const journal_record& r : *got) {
            BOOST_TEST(r.where.first == (at == 10 ? 19 : at));  // 10 to 18 were removed
            seen.emplace_back(as_text(r.payload));
            at = r.where.first + r.count;
        }
        if (at == 10) run(j->remove_before(20));
    }
    BOOST_REQUIRE(!seen.empty());
    BOOST_TEST(seen.front() == "event 1");
    BOOST_TEST(seen.back() == "event 30");
    BOOST_TEST(run(j->read_from(31, 100))->empty());
    append(*j, "event 31");
    BOOST_TEST(run(j->read_from(31, 100))->size() == 1u);
    // From the middle of a segment without a hint, and one record larger than the budget.
    auto middle = run(j->read_from(29, 1));
    BOOST_REQUIRE(middle->size() == 1u);
    BOOST_TEST(as_text(middle->front().payload) == "event 29");
    append(*j, std::string(300'000, 'y'));
    BOOST_TEST(run(j->read_from(32, 10))->front().payload.size() == 300'000u);
}

BOOST_AUTO_TEST_CASE(readers_begin_anywhere_with_or_without_marks) {
    for (const std::uint32_t every : {0U, 1U, 150U, 1U << 20}) {
        faults::memory_files own;
        journal_options how = small_segments();
        how.segment_bytes = 1000;
        how.index_every = every;
        auto j = open(own, how);
        for (int i = 1; i <= 60; ++i) append(*j, std::string(static_cast<std::size_t>(i * 37 % 90), 'x'));
        for (const bool recovered : {false, true}) {
            if (recovered) {
                j.reset();
                j = open(own, how);
                run(j->remove_before(20));
            }
            BOOST_TEST(j->first_sequence() == (recovered ? j->segments().front().name.first : 1U));
            for (sequence at = 60; at > 0; --at) {
                const auto got = run(j->read_from(at, 1));
                BOOST_REQUIRE(got->size() == 1U);
                const auto expected = std::max(at, j->first_sequence());
                BOOST_TEST(got->front().where.first == expected);
                BOOST_TEST(got->front().payload.size() == expected * 37 % 90);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(the_index_names_the_nearest_mark_before_a_sequence) {
    journal_index index(100);
    const journal_format::segment_name one{1, 7}, other{50, 8};
    for (std::uint32_t i = 0; i < 40; ++i) index.add({.first = i + 1, .segment = one, .offset = 40 + 30 * i});
    index.add({.first = 50, .segment = other, .offset = 40});
    BOOST_TEST(index.offset_before(one, 0) == 0U);
    BOOST_TEST(index.offset_before(one, 1) == 40U);
    BOOST_TEST(index.offset_before(one, 4) == 40U);
    BOOST_TEST(index.offset_before(one, 5) == 160U);  // the first 100 bytes behind
    BOOST_TEST(index.offset_before(one, 1000) == 40U + 30 * 36);
    BOOST_TEST(index.offset_before(other, 60) == 40U);
    index.forget(one);
    BOOST_TEST(index.offset_before(one, 5) == 0U);
    journal_index none(0);
    none.add({.first = 1, .segment = one, .offset = 40});
    BOOST_TEST(none.offset_before(one, 1) == 0U);
}

BOOST_AUTO_TEST_CASE(positions_are_never_given_twice_not_even_after_a_crash) {
    auto j = open(disk);
    for (int i = 0; i < 5; ++i) append(*j, "kept");
    j.reset();
    const auto segment = disk.files(directory).front();
    const std::string bytes = disk.content(segment);
    disk.set_content(segment, bytes + std::string(500, 'z'));  // what a crash left of unfinished appends
    j = open(disk);
    BOOST_TEST(j->next_sequence() >= 6u + 500u / journal_format::record_header_size);
    BOOST_TEST(disk.content(segment) == bytes);
    const auto next = append(*j, "new")->first;
    BOOST_TEST(recovered.size() == 5u);
    j.reset();
    j = open(disk);
    BOOST_TEST(recovered.size() == 6u);
    BOOST_TEST(j->next_sequence() > next);
}

BOOST_AUTO_TEST_CASE(a_failed_sync_abandons_the_segment_for_good) {
    faults::faulty_files fs(disk);
    auto j = open(fs);
    BOOST_REQUIRE(append(*j, "kept").has_value());
    fs.only([](const std::string& call) { return call == "sync"; });
    fs.fail(0, EIO);
    auto failed = append(*j, "unknown");
    BOOST_REQUIRE(failed.has_error());
    BOOST_TEST(failed.error().context().find("cannot append to /j") != std::string::npos);
    const auto first = disk.files(directory);
    BOOST_REQUIRE(first.size() == 1u);
    const std::string before = disk.content(first.front());
    BOOST_REQUIRE(append(*j, "in another file").has_value());
    BOOST_TEST(disk.files(directory).size() == 2u);
    BOOST_TEST(disk.content(first.front()) == before);
    BOOST_TEST(count["journal_failed_commits"] == 1u);
    j.reset();
    open(*disk.after_power_cut(faults::unsynced_data::lost, faults::unsynced_names::lost));
    BOOST_TEST((values(recovered) == std::vector<std::string>{"kept", "in another file"}));
}

BOOST_AUTO_TEST_CASE(a_full_disk_says_so_leaves_no_litter_and_heals) {
    faults::faulty_files fs(disk);
    auto j = open(fs);
    fs.only([](const std::string& call) { return call == "write" || call == "create"; });
    fs.fail(0, ENOSPC, 50);
    for (int i = 0; i < 10; ++i) {
        auto failed = append(*j, "no room");
        BOOST_REQUIRE(failed.has_error());
        BOOST_TEST(failed.error().context().find("disk is full") != std::string::npos);
    }
    BOOST_TEST(disk.files(directory).empty());
    fs.fail(faults::faulty_files::never, 0);
    BOOST_TEST(append(*j, "room again").has_value());
}

BOOST_AUTO_TEST_CASE(an_append_is_withdrawn_before_its_write_and_finished_after) {
    faults::faulty_files fs(disk);
    auto j = open(fs);
    std::promise<void> in_sync, go_on;
    auto released = go_on.get_future().share();
    bool first = true;
    fs.on_call([&](std::size_t, const std::string& call) {
        if (call != "sync" || !std::exchange(first, false)) return;
        in_sync.set_value();
        released.wait();
    });
    std::vector<std::string> kept;
    auto one = [&](std::string text) -> task<> {
        auto done = co_await append_one(*j, text);
        if (done.has_value()) kept.push_back(text);
    };
    auto writing = start(one("writing"));
    io.restart();
    io.poll();
    in_sync.get_future().wait();
    auto waiting = start(one("waiting")), patient = start(one("patient"));
    io.restart();
    io.poll();
    writing.cancel();
    waiting.cancel();
    io.restart();
    io.poll();
    BOOST_TEST(waiting.was_cancelled());
    BOOST_TEST(!writing.done());
    go_on.set_value();
    settle();
    BOOST_TEST(writing.done());
    BOOST_TEST(!writing.failed());
    finish(patient);
    const std::vector<std::string> expected{"writing", "patient"};
    BOOST_TEST(kept == expected, boost::test_tools::per_element());
    j.reset();
    open(disk);
    BOOST_TEST(values(recovered) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_append_that_comes_cancelled_writes_nothing) {
    auto j = open(disk);
    auto late = [&]() -> task<> {
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await time.sleep_until(time.now() + std::chrono::seconds(1));
    };
    auto one = [&]() -> task<> {
        try {
            co_await late();
        } catch (const boost::system::system_error&) {}
        co_await asio::this_coro::throw_if_cancelled(true);
        co_await append_one(*j, "too late");
    };
    auto t = start(one());
    settle();
    t.cancel();
    settle();
    BOOST_TEST(t.was_cancelled());
    BOOST_TEST(disk.files(directory).empty());
}

BOOST_AUTO_TEST_CASE(damage_since_the_start_is_told_and_not_delivered) {
    auto j = open(disk);
    auto where = *append(*j, "precious");
    const auto segment = disk.files(directory).front();
    std::string bytes = disk.content(segment);
    bytes[bytes.size() - 1] = '?';
    disk.set_content(segment, bytes);
    auto got = run(j->read({where}));
    BOOST_REQUIRE(got.front().has_error());
    BOOST_TEST(is_errno(got.front().error(), EBADMSG));
}

BOOST_AUTO_TEST_SUITE_END()
