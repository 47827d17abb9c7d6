// Files in parts, and what shards share while they deliver them.
#include "pipeline/run.hpp"
#include "stages/account.hpp"
#include "stages/cut_plan.hpp"
#include "stages/distant_spool.hpp"
#include "stages/line_ranges.hpp"
#include "stages/memory_spool.hpp"
#include "tests/contract/temporary_directory.hpp"
#include "tests/support/shard_fixture.hpp"

#include "pipeline/call_on.hpp"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <random>
#include <string>
#include <vector>

using namespace firehose;
using namespace firehose::stages;

namespace {

struct seen_line {
    std::string text;
    std::uint64_t line, offset;
    bool operator==(const seen_line&) const = default;
};
std::ostream& operator<<(std::ostream& out, const seen_line& l) {
    return out << "line " << l.line << " at " << l.offset << ": " << l.text;
}

/// Reads a range as ingest_lines does; refused lines have no text.
std::vector<seen_line> read(const std::string& text, line_range range, std::size_t max_line,
                            std::uint64_t lines_before = 0) {
    std::vector<seen_line> out;
    line_splitter splitter(
        {64, max_line, 8},
        [&](std::uint64_t line, std::uint64_t offset) { out.push_back({"", line + lines_before, offset}); },
        range);
    const auto keep = [&](const line_splitter::lines& found) {
        for (const auto& item : found.items)
            out.push_back({std::string(as_text(item.bytes)), item.line + lines_before, item.offset});
    };
    for (auto at = range.read_from(); at < text.size() && !splitter.past_the_range();) {
        const auto space = splitter.space();
        const auto n = std::min<std::size_t>(space.size(), text.size() - at);
        std::memcpy(space.data(), text.data() + at, n);
        at += n;
        keep(splitter.filled(n));
    }
    if (!splitter.past_the_range()) {
        static_cast<void>(splitter.space());
        keep(splitter.finish());
    }
    std::ranges::sort(out, {}, &seen_line::offset);
    return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(parts)

BOOST_AUTO_TEST_CASE(ranges_that_meet_have_every_line_once_wherever_they_meet) {
    contract::temporary_directory directory;
    const auto path = directory.path / "in";
    std::mt19937 draw(7);
    for (int round = 0; round < 60; ++round) {
        std::string text;
        const auto lines = draw() % 12;
        for (unsigned i = 0; i < lines; ++i)
            text +=
                std::string(draw() % 3 == 0 ? draw() % 300 : draw() % 5, 'a') + (draw() % 4 ? "\n" : "\r\n");
        if (draw() % 2) text += "tail";
        contract::write_file(path, text);
        const auto whole = read(text, {}, 100);
        for (std::uint64_t border = 1; border <= text.size(); border += 1 + draw() % 3) {
            const auto second = std::min<std::uint64_t>(text.size(), border + draw() % 200);
            std::vector<seen_line> together;
            for (const auto& range : ranges_from({0, border, second})) {
                const auto before = lines_before(path, range.begin);
                BOOST_REQUIRE(before.has_value());
                for (auto& line : read(text, range, 100, *before)) together.push_back(std::move(line));
            }
            BOOST_TEST_CONTEXT("round " << round << ", borders " << border << " and " << second)
            BOOST_CHECK_EQUAL_COLLECTIONS(together.begin(), together.end(), whole.begin(), whole.end());
        }
    }
}

BOOST_AUTO_TEST_CASE(a_range_is_read_no_further_than_its_last_line) {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "line " + std::to_string(i) + "\n";
    line_splitter splitter({64, 100, 8}, [](auto, auto) {}, {100, 200});
    std::uint64_t at = 99;
    while (!splitter.past_the_range()) {
        const auto space = splitter.space();
        std::memcpy(space.data(), text.data() + at, space.size());
        at += space.size();
        splitter.filled(space.size());
    }
    BOOST_TEST(at < 400U);
}

BOOST_AUTO_TEST_CASE(parts_are_of_a_size_and_not_too_small) {
    using list = std::vector<std::uint64_t>;
    BOOST_TEST(starts_of_parts(1000, 4, 100) == (list{0, 250, 500, 750}));
    BOOST_TEST(starts_of_parts(1000, 4, 400) == (list{0, 500}));
    BOOST_TEST(starts_of_parts(1000, 4, 1001) == (list{0}));
    BOOST_TEST(starts_of_parts(0, 4, 1) == (list{0}));
    BOOST_TEST(lines_before("/nowhere", 5).has_error());
    BOOST_TEST(size_in_parts("/dev/null") == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_plan_keeps_the_parts_of_its_first_run, shard_fixture) {
    contract::temporary_directory directory;
    storage::system_files files;
    const std::vector<std::uint64_t> first{0, 10, 20};
    const std::vector<std::uint64_t> other{0, 15};
    BOOST_TEST((*run(cut_plan::open(x, files, directory.path, "id", "in", first)))->starts() == first);
    BOOST_TEST((*run(cut_plan::open(x, files, directory.path, "id", "in", other)))->starts() == first);
    BOOST_TEST((*run(cut_plan::open(x, files, directory.path, "another", "in", other)))->starts() == other);
    BOOST_TEST(cut_plan::identity_of_part("id", 0) == "id");
    BOOST_TEST(cut_plan::identity_of_part("id", 10) != cut_plan::identity_of_part("id", 20));
}

BOOST_AUTO_TEST_CASE(books_of_shards_add_up) {
    account one, two;
    const time_source::steady later{std::chrono::seconds(5)};
    one.accept();
    one.want("s");
    one.move("s", standing::in_flight, standing::delivered, later);
    two.accept();
    two.refuse();
    two.want("s", 3);
    two.move("s", standing::in_flight, standing::spooled, later, 3);
    two.want("t");
    two.backlog_delivered("t");
    one.add(two);
    BOOST_TEST(one.accepted() == 2U);
    BOOST_TEST(one.refused() == 1U);
    const auto& s = one.targets().at("s");
    BOOST_TEST(s.accepted == 4U);
    BOOST_TEST(s.delivered == 1U);
    BOOST_TEST(s.spooled == 3U);
    BOOST_TEST(s.spooled_records == 1U);
    BOOST_TEST((s.last_delivered == later));
    BOOST_TEST(s.balances());
    BOOST_TEST(one.targets().at("t").in_flight == 1U);
    BOOST_TEST(one.backlog().at("t").delivered == 1U);
}

namespace {

/// Shard 1 uses the spool of shard 0, which waits until it is through.
struct two_shards {
    std::unique_ptr<memory_spool> spool{};
    std::unique_ptr<wait_queue> done_changed{};
    bool done = false;
    std::string problem{};
    std::size_t taken = 0;

    task<> home() {
        while (!done) co_await done_changed->async_wait(use_task);
    }

    task<> away(executor home_shard) {
        distant_spool distant(home_shard, *spool);
        problem = co_await use(distant);
        asio::post(home_shard, [this] {
            done = true;
            done_changed->wake_all();
        });
    }

    task<std::string> use(distant_spool& distant) {
        std::vector<spool_entry> entries(3);
        const std::string body = "{}";
        for (std::size_t i = 0; i < entries.size(); ++i) {
            entries[i].header.to.service = "s";
            entries[i].header.key = "k" + std::to_string(i);
            entries[i].body = as_bytes(body);
        }
        auto kept = co_await distant.append(entries);
        if (kept.has_error()) co_return kept.error().context();
        auto parked = co_await distant.park(std::span(entries).first(1));
        if (parked.has_error()) co_return parked.error().context();
        const lease_query which;
        auto leased = co_await distant.lease(which);
        if (leased.has_error()) co_return leased.error().context();
        taken = leased->size();
        const settlement through = delivered();
        for (const auto& record : *leased) {
            auto settled = co_await distant.settle(record.lease, through);
            if (settled.has_error()) co_return settled.error().context();
        }
        co_return std::string();
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_shard_keeps_its_events_in_the_spool_of_another) {
    two_shards both;
    run_options options;
    options.handle_signals = false;
    const auto report = run_sharded(
        2,
        [&](unsigned shard, context& x, const std::vector<executor>& all) {
            if (shard == 0) {
                both.spool = std::make_unique<memory_spool>(x.time);
                both.done_changed = std::make_unique<wait_queue>(x.ex);
                return both.home();
            }
            return both.away(all.front());
        },
        options);
    BOOST_TEST((report.how == ending::finished), report.what);
    BOOST_TEST(both.problem == "");
    BOOST_TEST(both.taken == 3U);
    BOOST_TEST(both.spool->records().empty());
    BOOST_TEST(both.spool->dead_letters().size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
