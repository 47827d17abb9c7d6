// Objects of a log that does not end: read again from a cursor after crashes and losses.
#include "stages/gathering.hpp"
#include "tests/faults/memory_files.hpp"
#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <map>
#include <random>
#include <set>

using namespace firehose;
using namespace firehose::stages;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t flows = 3;

batch_options objects_of(std::uint64_t count, std::string_view key = "{flow}/{hash}.{ext}") {
    batch_options how;
    how.format = packing::none;
    how.key = key_template::parse(key, packing::none).what;
    how.count = count;
    return how;
}

std::string lines_of(const finished_object& o) { return std::string(as_text(o.what.raw)); }

/// Event `position` of a log whose event n says "n" and belongs to flow n % flows.
class numbered_events {
public:
    event at(std::uint64_t position) {
        bodies_.push_back(std::to_string(position));
        event e;
        e.raw = as_bytes(bodies_.back());
        e.id = bodies_.back();
        e.flow = "f" + std::to_string(position % flows);
        e.targets = targets_;
        e.position = position;
        e.arrived_ms = 1'767'225'600'000 + static_cast<std::int64_t>(position) * 3'600'000;  // 2026, hourly
        return e;
    }

private:
    std::deque<std::string> bodies_{};
    target_list targets_ =
        std::make_shared<const std::vector<target>>(std::vector<target>{{{.service = "aws"}, {}}});
};

struct log_of_objects : shard_fixture {
    std::unique_ptr<faults::memory_files> disk = std::make_unique<faults::memory_files>();
    std::uint64_t saved = 1;
    std::uint64_t end = 1'000'000;
    std::shared_ptr<cut_plan> plan{};
    std::unique_ptr<gathering> open{};
    numbered_events events{};
    batch_options how = objects_of(3);

    log_of_objects() { start_process(); }

    void start_process() {
        open.reset();
        plan.reset();
        auto opened = run(cut_plan::open_for_log(x, *disk, "/data/plan", end, [this] { return saved; }));
        if (opened.has_error()) throw std::runtime_error(opened.error().context());
        plan = std::move(*opened);
        open = std::make_unique<gathering>(how, plan, plan->arrival_ms(), count);
    }
    void kill() {
        open.reset();
        plan.reset();
        disk = disk->after_kill();
        start_process();
    }
    /// Killed when the cursor on disk was there; where the next reading begins.
    std::uint64_t restart_at(std::uint64_t cursor) {
        saved = cursor;
        kill();
        return plan->begin_reading(cursor);
    }
    /// One batch of the events in [from, to).
    void read(std::uint64_t from, std::uint64_t to, std::uint64_t unsettled = 0,
              const ack_token& whole = ack_token()) {
        open->begin_batch(time.now());
        for (auto n = from; n < to; ++n) {
            auto e = events.at(n);
            e.settled = n < unsettled;
            open->pass(n);
            open->add(e, whole);
        }
    }
    /// What is finished, its plan on disk.
    std::vector<finished_object> take() {
        auto objects = open->take_finished();
        std::vector<planned_cut> cuts;
        for (const auto& o : objects)
            if (!o.recorded) cuts.push_back(o.plan);
        if (!cuts.empty()) BOOST_REQUIRE(run(plan->record(std::move(cuts))).has_value());
        return objects;
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(objects_of_a_log, log_of_objects)

BOOST_AUTO_TEST_CASE(an_object_on_both_sides_of_the_cursor_is_made_again_whole) {
    read(1, 9);  // f1: 1 4 7, f2: 2 5 8, f0: 3 6
    const auto before = take();
    BOOST_REQUIRE_EQUAL(before.size(), 2U);
    BOOST_TEST(lines_of(before[0]) == "1\n4\n7\n");
    BOOST_TEST(restart_at(3) == 1U);
    read(1, 10, 3);
    const auto after = take();
    BOOST_REQUIRE_EQUAL(after.size(), 3U);
    for (std::size_t i = 0; i < 2; ++i) {
        BOOST_TEST(after[i].recorded);
        BOOST_TEST(after[i].plan.key == before[i].plan.key);
        BOOST_TEST(lines_of(after[i]) == lines_of(before[i]));
    }
    BOOST_TEST(lines_of(after[2]) == "3\n6\n9\n");
}

BOOST_AUTO_TEST_CASE(a_settled_event_that_no_object_needs_goes_into_none) {
    read(1, 9);
    take();
    BOOST_TEST(restart_at(6) == 1U);
    read(1, 9, 6);
    const auto again = take();
    BOOST_REQUIRE_EQUAL(again.size(), 2U);
    open->cut_all();
    const auto rest = take();
    BOOST_REQUIRE_EQUAL(rest.size(), 1U);
    BOOST_TEST(lines_of(rest[0]) == "6\n");  // 3 has its verdict
}

BOOST_AUTO_TEST_CASE(what_is_read_again_after_a_loss_is_in_its_objects_once) {
    std::vector<outcome> verdicts;
    ack_token first([&](outcome o) { verdicts.push_back(o); });
    read(1, 6, 0, first);
    first.resolve(outcome::stored);
    read(2, 7);
    open->cut_all();
    std::multiset<std::string> texts;
    for (const auto& o : take()) texts.insert(lines_of(o));
    BOOST_TEST((texts == std::multiset<std::string>{"2\n5\n", "3\n6\n", "4\n"}));
    BOOST_TEST((verdicts == std::vector<outcome>{outcome::lost}));
    BOOST_TEST(open->memory_used() == 0U);
}

BOOST_AUTO_TEST_CASE(a_planned_object_whose_last_event_went_elsewhere_is_cut_when_that_was_passed) {
    read(1, 9);
    take();
    kill();
    plan->begin_reading(1);
    read(1, 7);  // of 1 4 7 and 2 5 8 the last is missing
    open->pass(7);
    open->pass(8);
    BOOST_TEST(take().empty());
    read(9, 10);
    BOOST_TEST(take().size() == 3U);  // 3 6 9 too
}

BOOST_AUTO_TEST_CASE(a_planned_object_whose_last_event_never_comes_is_cut_in_the_end) {
    read(1, 9);
    take();
    kill();
    read(1, 7);
    time.advance(1s);
    BOOST_TEST(!open->cut_followed_since(time.now() - 2s));
    BOOST_TEST(take().empty());
    BOOST_TEST((open->following_since() == time.now() - 1s));
    BOOST_TEST(open->cut_followed_since(time.now() - 1s));
    BOOST_TEST(take().size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_reading_that_ends_early_leaves_planned_objects_to_the_next) {
    read(1, 9);
    const auto before = take();
    kill();
    read(1, 6);
    open->cut_all();
    for (const auto& o : take()) BOOST_TEST(lines_of(o) == "3\n");
    BOOST_TEST(open->memory_used() == 0U);
    kill();
    read(1, 9);
    std::set<std::string> keys;
    for (const auto& o : take()) keys.insert(o.plan.key);
    for (const auto& o : before) BOOST_TEST(keys.contains(o.plan.key));
}

BOOST_AUTO_TEST_CASE(a_plan_of_another_log_is_not_followed) {
    read(1, 9);
    take();
    end = 8;
    kill();
    BOOST_TEST(plan->known() == 1U);  // 1 4 7; there is no event 8
}

BOOST_AUTO_TEST_CASE(what_ends_before_the_cursor_is_not_made_again) {
    read(1, 9);
    take();
    kill();
    BOOST_TEST(plan->begin_reading(8) == 2U);
    read(2, 10, 8);
    const auto again = take();
    BOOST_REQUIRE_EQUAL(again.size(), 1U);
    BOOST_TEST(lines_of(again[0]) == "2\n5\n8\n");
}

BOOST_AUTO_TEST_CASE(an_event_without_a_time_has_that_of_its_acceptance) {
    how = objects_of(1, "{yyyy}{MM}{dd}{HH}/{hash}.{ext}");
    start_process();
    read(1, 3);
    const auto objects = take();
    BOOST_REQUIRE_EQUAL(objects.size(), 2U);
    BOOST_TEST(objects[0].plan.key.starts_with("2026010101/"));
    BOOST_TEST(objects[1].plan.key.starts_with("2026010102/"));
}

BOOST_AUTO_TEST_CASE(one_partition_too_many_cuts_the_object_that_was_opened_first) {
    how = objects_of(1000, "{flow}/{hash}.{ext}");
    how.partitions = 2;
    start_process();
    read(1, 4);
    const auto cut = take();
    BOOST_REQUIRE_EQUAL(cut.size(), 1U);
    BOOST_TEST(lines_of(cut[0]) == "1\n");
    BOOST_TEST(count["batch_objects_cut_for_partitions"] == 1U);
    BOOST_TEST(count["batch_events_in_overflow_partition"] == 0U);
    BOOST_TEST(open->open_objects() == 2U);
}

BOOST_AUTO_TEST_CASE(what_is_never_read_again_leaves_memory_and_disk) {
    how = objects_of(1);
    start_process();
    constexpr std::uint64_t each = 2000;
    std::size_t most_files = 0;
    for (std::uint64_t round = 0; round < 20; ++round) {
        read(1 + round * each, 1 + (round + 1) * each);
        saved = 1 + round * each;
        take();
        BOOST_TEST(plan->known() <= each);
        most_files = std::max(most_files, disk->files("/data/plan").size());
    }
    BOOST_TEST(most_files < 5U);  // of about six segments
    kill();
    BOOST_TEST(plan->known() <= each);
}

/// A log, a reader with a cursor, stores that are slow, refuse or are cut off from their answers, and a
/// process that is killed: as long as routing stays as it is, each event is in one object.
BOOST_AUTO_TEST_CASE(each_event_is_in_one_object_whatever_happens_between) {
    struct read_batch {
        std::uint64_t end;
        std::optional<outcome> verdict{};
    };
    constexpr std::uint64_t end = 400;
    for (unsigned seed = 0; seed < 90; ++seed) {
        std::mt19937 draw(seed);
        const auto one_in = [&draw](unsigned n) { return draw() % n == 0; };
        open.reset();
        plan.reset();  // its files are the disk's
        disk = std::make_unique<faults::memory_files>();
        saved = 1;
        how = objects_of(2 + seed % 9);
        how.format = seed % 2 ? packing::none : packing::gzip;
        how.key =
            key_template::parse(seed % 3 ? "{flow}/{hash}.{ext}" : "{flow}/{position}.{ext}", how.format)
                .what;
        how.partitions = seed % 5 == 0 ? 2 : 100;
        start_process();

        std::map<std::string, std::vector<std::uint64_t>> stored;
        std::map<std::string, std::string> bytes;
        std::deque<std::shared_ptr<read_batch>> batches;
        std::vector<finished_object> on_the_way;
        std::uint64_t next = 1, unsettled = 1, delivered = 1;
        const auto put = [&](const finished_object& o) {
            const auto [at, is_new] = bytes.try_emplace(o.plan.key, lines_of(o));
            BOOST_TEST((is_new || at->second == lines_of(o)), "another content under " << o.plan.key);
            if (is_new) stored[o.plan.key] = {o.plan.first, o.plan.last, o.plan.events};
        };
        const auto read_again = [&](std::uint64_t from) {
            batches.clear();
            unsettled = delivered = from;
            next = plan->begin_reading(from);
        };
        while (delivered < end) {
            if (next < end && !one_in(3)) {
                const auto upto = std::min<std::uint64_t>(end, next + 1 + draw() % 6);
                auto batch = std::make_shared<read_batch>(read_batch{upto, {}});
                batches.push_back(batch);
                ack_token whole([batch](outcome o) { batch->verdict = o; });
                read(next, upto, unsettled, whole);
                whole.resolve(outcome::stored);
                next = upto;
            }
            if (one_in(20) || next == end) open->cut_opened_before(time.now());
            if (next == end && one_in(4)) open->cut_followed_since(time.now());
            for (auto& o : take()) on_the_way.push_back(std::move(o));
            while (!on_the_way.empty() && !one_in(3)) {
                const auto which = draw() % on_the_way.size();
                auto o = std::move(on_the_way[which]);
                on_the_way.erase(on_the_way.begin() + static_cast<std::ptrdiff_t>(which));
                const bool refused = one_in(30);
                if (!refused || one_in(2)) put(o);  // or only its answer was lost
                for (auto& ack : o.acks) ack.resolve(refused ? outcome::lost : outcome::stored);
            }
            while (!batches.empty() && batches.front()->verdict == outcome::stored) {
                delivered = std::max(delivered, batches.front()->end);
                batches.pop_front();
            }
            if (one_in(5)) saved = delivered;
            const bool lost = !batches.empty() && batches.front()->verdict == outcome::lost;
            if (lost) read_again(delivered);
            const bool stopped = one_in(60);
            if (stopped) open->cut_all();
            if (stopped)
                for (auto& o : take()) on_the_way.push_back(std::move(o));
            if (stopped || one_in(40)) {
                for (const auto& o : on_the_way)
                    if (stopped || one_in(2)) put(o);
                on_the_way.clear();
                kill();
                read_again(saved);
            }
        }
        std::uint64_t events_stored = 0;
        std::set<std::uint64_t> seen;
        for (const auto& [key, what] : stored) {
            events_stored += what[2];
            for (auto n = what[0]; n <= what[1]; n += flows)
                BOOST_TEST(seen.insert(n).second, "seed " << seed << ": event " << n << " is twice there");
        }
        BOOST_TEST(events_stored == end - 1, "seed " << seed << ": " << events_stored);
        BOOST_TEST(seen.size() == end - 1, "seed " << seed);
    }
}

BOOST_AUTO_TEST_SUITE_END()
