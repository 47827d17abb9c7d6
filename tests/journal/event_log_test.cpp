#include "stages/event_log.hpp"

#include "pipeline/compose.hpp"
#include "stages/ingest_journal.hpp"
#include "stages/json_elements.hpp"
#include "tests/faults/faulty_files.hpp"
#include "tests/faults/memory_files.hpp"
#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace firehose;
using namespace firehose::stages;
using namespace std::chrono_literals;

namespace {

log_append batch_of(std::initializer_list<std::string_view> events, std::string_view key = "") {
    log_append out;
    for (const auto e : events) {
        out.bytes += e;
        out.lengths.push_back(static_cast<std::uint32_t>(e.size()));
    }
    if (!key.empty()) out.key = http::sha256(key);
    out.digest = http::sha256(out.bytes);
    return out;
}

using opened_log = std::unique_ptr<event_log>;

struct log_fixture : shard_fixture {
    faults::memory_files disk;

    opened_log open(storage::file_system& fs, event_log_options how = {}) {
        auto made = run(event_log::open(x, fs, "/data", how));
        if (made.has_error()) throw std::runtime_error(made.error().context());
        return std::move(*made);
    }
    opened_log open() { return open(disk); }
    log_receipt add(event_log& to, log_append what) {
        auto done = run(to.append(std::move(what)));
        if (done.has_error()) throw std::runtime_error(done.error().context());
        return *done;
    }
    int status_of(event_log& to, log_append what) {
        const auto done = run(to.append(std::move(what)));
        return done.has_error() ? done.error().status() : 0;
    }
    /// Every event from a position on, by position.
    std::map<log_position, std::string> all(event_log& from, log_position at = 1) {
        std::map<log_position, std::string> out;
        for (;;) {
            const auto blocks = run(from.read(at, 1000));
            if (blocks.has_error()) throw std::runtime_error(blocks.error().context());
            if (blocks->empty()) return out;
            for (const auto& b : *blocks) {
                for (std::size_t i = 0; i < b.events.size(); ++i) out[b.first + i] = as_text(b.events[i]);
                at = b.first + b.events.size();
            }
        }
    }
};

/// What the delivery pipeline does with what it gets, by script.
struct recorder {
    using input_type = raw_event;
    std::shared_ptr<std::vector<std::string>> seen = std::make_shared<std::vector<std::string>>();
    std::shared_ptr<std::vector<outcome>> verdicts = std::make_shared<std::vector<outcome>>();

    task<> run(receiver<raw_event> in, context&) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;
            for (const auto& e : b->items()) seen->push_back(std::string(as_text(e.bytes)));
            auto said = outcome::stored;
            if (!verdicts->empty()) {
                said = verdicts->front();
                verdicts->erase(verdicts->begin());
            }
            b->take_ack().resolve(said);
        }
    }
};

task<> deliver(event_log& from, recorder to, context& x) {
    ingest_journal::options how;
    how.batch_bytes = 1;  // one block at a time
    auto pipeline = chain(ingest_journal(from, how), to);
    co_await pipeline.run(x);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(the_event_log, log_fixture)

BOOST_AUTO_TEST_CASE(events_come_back_byte_for_byte_by_position) {
    auto log = open();
    auto first = batch_of({"{\"a\":1}", "{\n}"});
    first.flow = "flow 1";
    BOOST_TEST(add(*log, first).first == 1U);
    BOOST_TEST(add(*log, batch_of({"{}"})).first == 3U);
    BOOST_TEST(log->end() == 4U);
    const auto blocks = run(log->read(1, 1 << 20));
    BOOST_REQUIRE(blocks->size() == 2U);
    BOOST_TEST(blocks->front().flow == "flow 1");
    BOOST_TEST(blocks->back().flow.empty());
    BOOST_TEST((all(*log) == std::map<log_position, std::string>{{1, "{\"a\":1}"}, {2, "{\n}"}, {3, "{}"}}));
    BOOST_TEST(run(log->read(2, 1 << 20))->size() == 2U);
    BOOST_TEST(run(log->read(3, 1 << 20))->size() == 1U);
    BOOST_TEST(run(log->read(4, 1 << 20))->empty());
}

BOOST_AUTO_TEST_CASE(a_key_is_accepted_once_and_remembered_by_the_files) {
    auto log = open();
    BOOST_TEST(!add(*log, batch_of({"{}", "{}"}, "k")).replayed);
    const auto again = add(*log, batch_of({"{}", "{}"}, "k"));
    BOOST_TEST(again.replayed);
    BOOST_TEST(again.first == 1U);
    BOOST_TEST(again.count == 2U);
    BOOST_TEST(status_of(*log, batch_of({"{\"other\":1}"}, "k")) == 422);
    BOOST_TEST(!add(*log, batch_of({"{}", "{}"}, "k2")).replayed);
    const auto killed = disk.after_kill();
    const auto reopened = open(*killed);
    BOOST_TEST(add(*reopened, batch_of({"{}", "{}"}, "k")).replayed);
    time.advance(25h);
    BOOST_TEST(!add(*reopened, batch_of({"{}", "{}"}, "k")).replayed);
}

BOOST_AUTO_TEST_CASE(a_key_whose_request_is_under_way_is_409) {
    auto log = open();
    std::vector<int> statuses;
    const auto send = [&](log_append what) -> task<> {
        auto done = co_await log->append(std::move(what));
        statuses.push_back(done.has_error() ? done.error().status() : 0);
    };
    auto one = start(send(batch_of({"{}"}, "k")));
    auto two = start(send(batch_of({"{}"}, "k")));
    finish(one);
    finish(two);
    BOOST_TEST((statuses == std::vector<int>{409, 0}));
}

BOOST_AUTO_TEST_CASE(only_so_many_keys_are_remembered) {
    event_log_options how;
    how.most_keys = 3;
    auto log = open(disk, how);
    for (const char* key : {"1", "2", "3", "4"}) add(*log, batch_of({"{}"}, key));
    BOOST_TEST(add(*log, batch_of({"{}"}, "4")).replayed);
    BOOST_TEST(!add(*log, batch_of({"{}"}, "1")).replayed);
}

BOOST_AUTO_TEST_CASE(a_disk_that_refuses_is_503_and_nothing_is_kept) {
    faults::faulty_files fs(disk);
    auto log = open(fs);
    add(*log, batch_of({"{}"}));
    fs.fail(0, ENOSPC, 2);
    BOOST_TEST(status_of(*log, batch_of({"{\"lost\":1}"})) == 503);
    fs.fail(faults::faulty_files::never, 0);
    const auto receipt = add(*log, batch_of({"{\"kept\":1}"}));
    BOOST_TEST(receipt.first > 1U);
    BOOST_TEST(
        (all(*log) == std::map<log_position, std::string>{{1, "{}"}, {receipt.first, "{\"kept\":1}"}}));
}

BOOST_AUTO_TEST_CASE(the_cursor_is_a_hint_that_may_be_lost_but_is_never_ahead) {
    auto log = open();
    for (int i = 0; i < 5; ++i) add(*log, batch_of({"{}"}));
    BOOST_TEST(log->delivered() == 1U);
    log->set_delivered(4);
    log->set_delivered(2);  // never back
    run(log->save_delivered());
    log.reset();
    BOOST_TEST(open()->delivered() == 4U);
    const auto file = std::filesystem::path("/data/events/delivered");
    const auto good = disk.content(file);
    for (const std::string& bad :
         {std::string("5 1\n"), std::string("99"), std::string(), good + "x", "4" + good}) {
        disk.set_content(file, bad);
        BOOST_TEST(open()->delivered() == 1U, bad);
    }
    BOOST_TEST(log_lines.back().find("the whole log is delivered again") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_cursor_of_another_log_is_not_believed) {
    {
        auto log = open();
        for (int i = 0; i < 5; ++i) add(*log, batch_of({"{}"}));
        log->set_delivered(6);
        run(log->save_delivered());
    }
    for (const auto& file : disk.files("/data/events/journal")) BOOST_REQUIRE(disk.remove(file).has_value());
    auto log = open();
    add(*log, batch_of({"{}"}));
    BOOST_TEST(log->delivered() == 1U);
}

BOOST_AUTO_TEST_CASE(old_segments_go_once_they_are_delivered_and_positions_never_come_again) {
    event_log_options how;
    how.segment_bytes = 1;  // one a request
    auto log = open(disk, how);
    for (int i = 0; i < 4; ++i) add(*log, batch_of({"{}"}));
    BOOST_TEST(run(log->trim()).has_value());
    BOOST_TEST(log->begin() == 1U);
    time.advance(73h);
    BOOST_TEST(run(log->trim()).has_value());
    BOOST_TEST(log->begin() == 1U);  // undelivered
    time.advance(73h);
    BOOST_TEST(log->overdue_bytes() > 0U);
    log->set_delivered(3);
    BOOST_TEST(run(log->trim()).has_value());
    BOOST_TEST(log->begin() == 3U);
    log->set_delivered(5);
    BOOST_TEST(run(log->trim()).has_value());
    BOOST_TEST(log->begin() > 4U);
    BOOST_TEST(all(*log).empty());
    BOOST_TEST(log->overdue_bytes() == 0U);
    const auto end = log->end();
    for (int i = 0; i < 3; ++i) {
        time.advance(100h);
        BOOST_TEST(run(log->trim()).has_value());
    }
    BOOST_TEST(log->end() == end);  // an empty log does not grow
    log.reset();
    log = open(disk, how);
    BOOST_TEST(add(*log, batch_of({"{\"new\":1}"})).first >= end);
}

BOOST_AUTO_TEST_CASE(every_power_cut_keeps_what_was_acknowledged) {
    // At every file call of a run with cursor, trimming and keys: cut, open, compare.
    std::size_t states = 0;
    for (std::size_t cut = 0;; ++cut) {
        faults::memory_files here;
        faults::faulty_files fs(here);
        std::vector<std::unique_ptr<faults::memory_files>> left;
        std::map<log_position, std::string> promised, promised_at_cut;
        fs.on_call([&](std::size_t number, const std::string&) {
            if (number != cut) return;
            promised_at_cut = promised;
            for (const auto data :
                 {faults::unsynced_data::lost, faults::unsynced_data::torn, faults::unsynced_data::zeros})
                for (const auto names : {faults::unsynced_names::lost, faults::unsynced_names::kept})
                    left.push_back(here.after_power_cut(data, names));
        });
        event_log_options how;
        how.segment_bytes = 300;
        {
            auto log = open(fs, how);
            for (int i = 0; i < 6; ++i) {
                const auto text = "{\"n\":" + std::to_string(i) + "}";
                const auto receipt = add(*log, batch_of({text, "{}"}, std::to_string(i)));
                promised[receipt.first] = text;
                if (i == 3) log->set_delivered(receipt.first);
                if (i == 3) run(log->save_delivered());
            }
        }
        if (left.empty()) break;
        for (const auto& after : left) {
            ++states;
            auto log = open(*after, how);
            const auto found = all(*log);
            for (const auto& [at, text] : promised_at_cut) BOOST_TEST(found.at(at) == text);
            BOOST_TEST(log->delivered() <= std::max<log_position>(7, log->begin()));
            int i = 0;
            for (const auto& [at, text] : promised_at_cut) {
                const auto again = add(*log, batch_of({text, "{}"}, std::to_string(i++)));
                BOOST_TEST(again.replayed);
                BOOST_TEST(again.first == at);
            }
            const auto fresh = add(*log, batch_of({"{\"fresh\":1}"}));
            BOOST_TEST(!found.contains(fresh.first));
        }
    }
    BOOST_TEST_MESSAGE(states << " states");
    BOOST_TEST(states > 100U);
}

BOOST_AUTO_TEST_CASE(delivery_moves_the_cursor_over_a_prefix_and_saves_it_at_the_end) {
    auto log = open();
    for (int i = 0; i < 3; ++i) add(*log, batch_of({"{\"a\":" + std::to_string(i) + "}", "{}"}));
    recorder to;
    auto running = start(deliver(*log, to, x));
    settle();
    BOOST_TEST(to.seen->size() == 6U);
    BOOST_TEST(log->delivered() == 7U);
    add(*log, batch_of({"{\"late\":1}"}));
    settle();
    BOOST_TEST(to.seen->back() == "{\"late\":1}");
    stop.request_drain();
    finish(running);
    log.reset();
    BOOST_TEST(open()->delivered() == 8U);
}

BOOST_AUTO_TEST_CASE(what_is_lost_is_read_again_with_all_that_followed) {
    auto log = open();
    for (const char* e : {"1", "2", "3"}) add(*log, batch_of({e}));
    recorder to;
    *to.verdicts = {outcome::stored, outcome::lost, outcome::stored};
    auto running = start(deliver(*log, to, x));
    settle();
    BOOST_TEST(log->delivered() == 2U);
    advance(2s);
    BOOST_TEST((*to.seen == std::vector<std::string>{"1", "2", "3", "2", "3"}));
    BOOST_TEST(log->delivered() == 4U);
    stop.request_drain();
    finish(running);
}

BOOST_AUTO_TEST_CASE(a_kill_delivers_again_from_the_saved_cursor_and_skips_nothing) {
    {
        auto log = open();
        for (const char* e : {"1", "2", "3", "4"}) add(*log, batch_of({e, "x"}));
        recorder to;
        auto running = start(deliver(*log, to, x));
        settle();
        BOOST_TEST(to.seen->size() == 8U);
        advance(1500ms);  // the cursor is saved once a second
        add(*log, batch_of({"5"}));
        settle();
        running.cancel();
        settle();
        BOOST_TEST(running.was_cancelled());
    }
    const auto killed = disk.after_kill();
    auto log = open(*killed);
    recorder to;
    auto running = start(deliver(*log, to, x));
    settle();
    BOOST_TEST((*to.seen == std::vector<std::string>{"5"}));
    stop.request_drain();
    finish(running);
}

BOOST_AUTO_TEST_CASE(positions_without_events_do_not_hold_the_cursor) {
    event_log_options how;
    auto log = open(disk, how);
    add(*log, batch_of({"1"}));
    recorder to;
    time.advance(10h);
    BOOST_TEST(run(log->trim()).has_value());  // begins a segment, which takes a position
    BOOST_TEST(log->end() == 3U);
    auto running = start(deliver(*log, to, x));
    settle();
    BOOST_TEST(log->delivered() == log->end());
    stop.request_drain();
    finish(running);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(json_elements)

BOOST_AUTO_TEST_CASE(arrays_are_cut_where_json_says) {
    const auto cut = [](std::string_view text) {
        std::string problem;
        const auto parts = split_array(text, problem);
        if (!parts) return "! " + problem;
        std::string out;
        for (const auto part : *parts) out.append("<").append(part).append(">");
        return out;
    };
    BOOST_TEST(cut("[]").empty());
    BOOST_TEST(cut(" [ ] ").empty());
    BOOST_TEST(cut("[1]") == "<1>");
    BOOST_TEST(cut("[ {\"a\":[1,2]} ,\n[3,4], \"],[\\\"\" ]\n") == "<{\"a\":[1,2]}><[3,4]><\"],[\\\"\">");
    for (const char* bad :
         {"", "{}", "[", "[1", "[1,", "[1,]", "[,1]", "[1,,2]", "[1] 2", "[1]]", "[{]", "[\"a]", "[\"\\\"]"})
        BOOST_TEST(cut(bad).starts_with("!"), bad);
}

BOOST_AUTO_TEST_SUITE_END()
