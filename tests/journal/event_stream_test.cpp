// Pages of the event stream over a real event log, in virtual time.
#include "http/digest.hpp"
#include "stages/log_window.hpp"
#include "stages/stream_position.hpp"
#include "stages/stream_reader.hpp"
#include "stages/stream_resources.hpp"
#include "storage/iso_time.hpp"
#include "tests/faults/faulty_files.hpp"
#include "tests/faults/memory_files.hpp"
#include "tests/support/shard_fixture.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <random>

using namespace firehose;
using namespace firehose::stages;
using namespace std::chrono_literals;

namespace {

std::string crm_event(std::string_view type, int id, std::string_view more = "") {
    return R"({"data":{"id":)" + std::to_string(id) + R"(},"meta":{"type":")" + std::string(type) +
           R"(","sequence":1}})" + std::string(more);
}

struct stream_fixture : shard_fixture {
    faults::memory_files disk;
    faults::faulty_files calls{disk};  // counts them
    event_log_options how;
    std::unique_ptr<event_log> log;
    std::unique_ptr<log_window> window;
    std::size_t reads = 0;
    std::chrono::milliseconds each_read{0};  ///< of virtual time

    stream_fixture() { open(); }
    void open() {
        window.reset();
        log.reset();
        auto made = run(event_log::open(x, calls, "/data", how));
        if (made.has_error()) throw std::runtime_error(made.error().context());
        log = std::move(*made);
        window = std::make_unique<log_window>(x, *log, 1 << 20);
    }
    log_position add(std::initializer_list<std::string> events) {
        log_append what;
        for (const auto& e : events) {
            what.bytes += e;
            what.lengths.push_back(static_cast<std::uint32_t>(e.size()));
        }
        const auto done = run(log->append(std::move(what)));
        if (done.has_error()) throw std::runtime_error(done.error().context());
        return done->first;
    }
    stream_reader reader(stream_limits limits = {}) {
        return {x, event_shape(), limits,
                [this](log_position from, std::size_t most) { return read_slowly(from, most); }};
    }
    task<result<log_slice>> read_slowly(log_position from, std::size_t most) {
        ++reads;
        const auto later = time.now() + each_read;
        co_await time.sleep_until(later);
        co_return co_await window->read(from, most);
    }
    stream_page page(stream_reader& from, stream_query what) {
        auto got = run(from.read(std::move(what)));
        if (got.has_error()) throw std::runtime_error(std::to_string(got.error().status()));
        return std::move(*got);
    }
    int status(stream_reader& from, stream_query what) {
        const auto got = run(from.read(std::move(what)));
        return got.has_error() ? got.error().status() : 200;
    }
};

stream_query ask(std::string type, log_position at, std::size_t limit = 25) {
    stream_query out;
    out.type = std::move(type);
    out.position = at;
    out.limit = limit;
    return out;
}

stream_query ask(std::string type, stream_query::start from) {
    auto out = ask(std::move(type), 0);
    out.from = from;
    return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_positions)

BOOST_AUTO_TEST_CASE(a_position_comes_back_and_nothing_else_does) {
    const stream_name leads{"acme", "leads"};
    for (const log_position at : {log_position{1}, log_position{255}, ~log_position{0}}) {
        const auto text = encode_stream_position(at, leads);
        BOOST_TEST(text.size() == 28U);
        BOOST_TEST(
            text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
            std::string::npos);
        std::string why;
        BOOST_TEST(decode_stream_position(text, leads, why).value() == at);
        BOOST_TEST(decode_stream_position(text + "=", leads, why).value() == at);
        BOOST_TEST(decode_stream_position(text + "==", leads, why).value() == at);
        for (std::size_t i = 0; i < text.size(); ++i) {
            auto bent = text;
            bent[i] = bent[i] == 'A' ? 'B' : 'A';
            BOOST_TEST(!decode_stream_position(bent, leads, why).has_value(), bent);
        }
        for (const auto& other : {stream_name{"acme", "deals"}, stream_name{"", "leads"}}) {
            BOOST_TEST(!decode_stream_position(text, other, why).has_value());
            BOOST_TEST(why.find("another resource") != std::string::npos);
        }
        for (const auto& bad : {text + "===", text + "A", text.substr(1), std::string("="), std::string("1"),
                                std::string("tail "), "+" + text.substr(1), text.substr(0, 27) + "/"})
            BOOST_TEST(!decode_stream_position(bad, leads, why).has_value(), bad);
    }
}

BOOST_AUTO_TEST_CASE(positions_that_clients_have_kept_stay_good) {
    // Written down once: another answer here breaks every client that has stored one.
    BOOST_TEST(encode_stream_position(46760, {"", "collaborations"}) == "Aai2AAAAAAAAqVXQPnq1WZvZNvQy");
}

BOOST_AUTO_TEST_CASE(there_are_22_resources_and_one_for_leadconduit) {
    stream_resources all;
    BOOST_TEST(all.all().size() == 23U);
    BOOST_TEST(*all.type_of("unqualified_reasons") == "unqualified_reason");
    BOOST_TEST(*all.type_of("lead_events") == untyped_event);
    BOOST_TEST(all.type_of("lead") == nullptr);
    all.add("invoices", "invoice");
    BOOST_TEST(*all.type_of("invoices") == "invoice");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(the_event_stream, stream_fixture)

BOOST_AUTO_TEST_CASE(a_resource_has_its_events_byte_for_byte_in_order) {
    const auto first = crm_event("lead", 1);
    const std::string spaced =
        "{ \"meta\" : {\"type\":\"le\\u0061d\", \"big\": 123456789012345678901234567890},\n\"data\":{} }";
    add({first, crm_event("deal", 7), spaced});
    add({crm_event("lead", 2)});
    auto r = reader();
    auto p = page(r, ask("lead", stream_query::start::tail));
    BOOST_TEST(p.items == first + "," + spaced + "," + crm_event("lead", 2));
    BOOST_TEST(p.count == 3U);
    BOOST_TEST(p.next == 5U);
    BOOST_TEST(p.top);
    BOOST_TEST(page(r, ask("deal", 1)).count == 1U);
    BOOST_TEST(page(r, ask("deal", 3)).count == 0U);
    BOOST_TEST(page(r, ask("lead", 4)).items == crm_event("lead", 2));
}

BOOST_AUTO_TEST_CASE(events_without_a_type_are_lead_events_inside_data) {
    const std::string lead = R"({"id":"e\"1","type":"source","vars":{"lead":{"id":"l"}},"meta":{"type":1}})";
    const std::string nameless = R"({"vars":{"lead":{"id":"l"}}})";
    add({lead, crm_event("lead", 1), nameless, R"({"id":"e2","meta":"lead"})"});
    auto r = reader();
    const auto p = page(r, ask(std::string(untyped_event), 1));
    BOOST_TEST(p.count == 3U);
    BOOST_TEST(
        p.items.find(R"({"data":)" + lead +
                     R"(,"meta":{"event_id":"e\"1","event_type":"created",)"
                     R"("event_cause":"system","event_time":"2026-01-01T00:00:00Z","type":"lead_event",)"
                     R"("sequence":1}})") == 0U,
        p.items);
    const auto all = boost::json::parse("[" + p.items + "]");
    BOOST_TEST(all.at(1).at("meta").at("event_id").as_string().size() == 32U);  // a hash
    BOOST_TEST(all.at(2).at("meta").at("event_id").as_string() == "e2");
}

BOOST_AUTO_TEST_CASE(the_same_position_gives_the_same_page_and_newer_events) {
    for (int i = 0; i < 60; ++i) add({crm_event("lead", i)});
    auto r = reader();
    const auto one = page(r, ask("lead", 1));
    BOOST_TEST(one.count == 25U);
    BOOST_TEST(one.next == 26U);
    BOOST_TEST(!one.top);
    const auto again = page(r, ask("lead", 1));
    BOOST_TEST(again.items == one.items);
    const auto last = page(r, ask("lead", 51));
    BOOST_TEST(last.count == 10U);
    BOOST_TEST(last.top);
    add({crm_event("lead", 99)});
    const auto more = page(r, ask("lead", 51));
    BOOST_TEST(more.items == last.items + "," + crm_event("lead", 99));
    // A full page whose last event is the last of all is the top one.
    BOOST_TEST(page(r, ask("lead", 37)).top);
}

BOOST_AUTO_TEST_CASE(every_start_and_limit_sees_every_event_once) {
    std::mt19937 draw(7);
    std::vector<std::string> expected;
    std::vector<log_position> where;
    for (int i = 0; i < 300; ++i) {
        log_append what;
        const auto at_once = 1 + draw() % 9;
        for (unsigned n = 0; n < at_once; ++n) {
            const bool lead = draw() % 3 == 0;
            auto event = crm_event(lead ? "lead" : "deal", i * 10 + static_cast<int>(n));
            event.insert(1, std::string(draw() % 700, ' '));
            if (lead) expected.push_back(event);
            what.lengths.push_back(static_cast<std::uint32_t>(event.size()));
            what.bytes += event;
            if (lead) where.push_back(log->end() + n);
        }
        BOOST_REQUIRE(run(log->append(std::move(what))).has_value());
    }
    for (const bool reopened : {false, true}) {
        if (reopened) open();
        auto r = reader();
        for (const std::size_t limit : {1U, 7U, 100U})
            for (const std::size_t start : {0U, 1U, 57U, 200U}) {
                std::string all, wanted;
                auto p = page(r, ask("lead", where[start], limit));
                for (;;) {
                    BOOST_TEST(p.count <= limit);
                    if (p.count > 0) all += p.items + ",";
                    if (p.top) break;
                    p = page(r, ask("lead", p.next, limit));
                }
                for (std::size_t i = start; i < expected.size(); ++i) wanted += expected[i] + ",";
                BOOST_TEST((all == wanted));
            }
    }
}

BOOST_AUTO_TEST_CASE(top_is_the_end_and_what_comes_later_is_read_from_there) {
    add({crm_event("lead", 1)});
    auto r = reader();
    const auto p = page(r, ask("lead", stream_query::start::top));
    BOOST_TEST(p.count == 0U);
    BOOST_TEST(p.top);
    BOOST_TEST(p.next == 2U);
    BOOST_TEST(page(r, ask("lead", p.next)).top);
    add({crm_event("deal", 1), crm_event("lead", 2)});
    BOOST_TEST(page(r, ask("lead", p.next)).items == crm_event("lead", 2));
    BOOST_TEST(status(r, ask("lead", 5)) == 400);  // nobody was given this one yet
}

BOOST_AUTO_TEST_CASE(an_empty_log_is_the_top) {
    auto r = reader();
    for (const auto from : {stream_query::start::tail, stream_query::start::top}) {
        const auto p = page(r, ask("lead", from));
        BOOST_TEST(p.top);
        BOOST_TEST(p.next == 1U);
    }
}

BOOST_AUTO_TEST_CASE(top_is_judged_by_the_end_when_the_request_came) {
    // A writer adds an event during every read: who drains must come to an end all the same.
    for (int i = 0; i < 10; ++i) add({crm_event("lead", i)});
    int added = 100;
    stream_reader r(x, event_shape(), stream_limits(),
                    [&](log_position from, std::size_t most) -> task<result<log_slice>> {
                        auto got = co_await window->read(from, most);
                        log_append what;
                        what.bytes = crm_event("lead", ++added);
                        what.lengths = {static_cast<std::uint32_t>(what.bytes.size())};
                        auto done = co_await log->append(std::move(what));
                        BOOST_TEST(done.has_value());
                        co_return got;
                    });
    const auto p = page(r, ask("lead", 1, 100));
    BOOST_TEST(p.top);
    BOOST_TEST(p.next == 11U);
    BOOST_TEST(p.count == 10U);
}

BOOST_AUTO_TEST_CASE(a_scan_ends_in_time_with_an_empty_page_that_has_moved) {
    const std::string filler(4000, ' ');
    for (int i = 0; i < 400; ++i) {
        std::string one = crm_event("deal", i);
        one.insert(1, filler);
        add({one, one, one, one});
    }
    add({crm_event("lead", 1)});
    each_read = 300ms;
    auto r = reader();
    const auto began = time.now();
    auto p = page(r, ask("lead", 1));
    BOOST_TEST((time.now() - began <= 1000ms));
    BOOST_TEST(p.count == 0U);
    BOOST_TEST(!p.top);
    BOOST_TEST(p.next > 1U);
    std::size_t pages = 1;
    for (; !p.top; ++pages) p = page(r, ask("lead", p.next));
    BOOST_TEST(p.items == crm_event("lead", 1));
    BOOST_TEST(pages > 2U);
    // Or after so many events.
    each_read = 0ms;
    stream_limits few;
    few.scan_events = 10;
    auto careful = reader(few);
    BOOST_TEST(page(careful, ask("lead", 1)).next == 11U);
}

BOOST_AUTO_TEST_CASE(a_page_is_bounded_in_bytes_but_never_stuck) {
    const std::string filler(1000, ' ');
    for (int i = 0; i < 5; ++i) {
        auto one = crm_event("lead", i);
        add({one.insert(1, filler)});
    }
    stream_limits small;
    small.page_bytes = 1500;
    auto r = reader(small);
    auto p = page(r, ask("lead", 1));
    BOOST_TEST(p.count == 2U);
    BOOST_TEST(!p.top);
    small.page_bytes = 1;
    auto tiny = reader(small);
    BOOST_TEST(page(tiny, ask("lead", 1)).count == 1U);
}

BOOST_AUTO_TEST_CASE(a_position_before_what_is_kept_is_410_and_tail_goes_on) {
    how.segment_bytes = 1;  // one a request
    open();
    for (int i = 0; i < 4; ++i) add({crm_event("lead", i)});
    auto r = reader();
    BOOST_TEST(page(r, ask("lead", 1)).count == 4U);  // and they are in the window from now on
    time.advance(73h);
    add({crm_event("lead", 4)});
    log->set_delivered(log->end());
    BOOST_TEST(run(log->trim()).has_value());
    BOOST_TEST(log->begin() > 1U);
    BOOST_TEST(status(r, ask("lead", 1)) == 410);
    BOOST_TEST(status(r, ask("lead", log->begin() - 1)) == 410);
    const auto kept = crm_event("lead", 3) + "," + crm_event("lead", 4);
    BOOST_TEST(page(r, ask("lead", stream_query::start::tail)).items == kept);
    BOOST_TEST(page(r, ask("lead", log->begin())).items == kept);
    // The end mark takes a position that holds no event.
    for (int i = 0; i < 2; ++i) {
        time.advance(73h);
        BOOST_TEST(run(log->trim()).has_value());
    }
    const auto p = page(r, ask("lead", stream_query::start::tail));
    BOOST_TEST(p.count == 0U);
    BOOST_TEST(p.top);
    BOOST_TEST(status(r, ask("lead", p.next)) == 200);
}

BOOST_AUTO_TEST_CASE(events_that_go_while_a_page_is_made_are_never_passed_over_in_silence) {
    how.segment_bytes = 1;
    open();
    for (int i = 0; i < 6; ++i) add({crm_event("lead", i)});
    bool first = true;
    stream_reader r(x, event_shape(), stream_limits(),
                    [&](log_position from, std::size_t) -> task<result<log_slice>> {
                        auto got = co_await window->read(from, 1);  // a block at a time
                        if (!std::exchange(first, false)) co_return got;
                        time.advance(73h);
                        log->set_delivered(5);
                        auto trimmed = co_await log->trim();
                        BOOST_TEST(trimmed.has_value());
                        co_return got;
                    });
    const auto p = page(r, ask("lead", 1));
    BOOST_TEST(p.count == 1U);  // what it had
    BOOST_TEST(!p.top);
    BOOST_TEST(status(r, ask("lead", p.next)) == 410);
}

BOOST_AUTO_TEST_CASE(readers_of_one_place_share_a_read_and_a_page_costs_what_it_shows) {
    const std::string filler(200, ' ');
    log_append what;
    for (int i = 0; i < 2000; ++i) {
        const auto one = crm_event("lead", i, filler);
        what.lengths.push_back(static_cast<std::uint32_t>(one.size()));
        what.bytes += one;
    }
    BOOST_REQUIRE(run(log->append(std::move(what))).has_value());
    auto r = reader();
    auto other = reader();
    auto p = page(r, ask("lead", 1));
    reads = 0;
    const auto calls_before = calls.calls();
    std::size_t pages = 0;
    for (; !p.top; ++pages) p = page(pages % 2 == 0 ? r : other, ask("lead", p.next));
    BOOST_TEST(pages == 79U);
    BOOST_TEST(reads == pages);
    BOOST_TEST(calls.calls() == calls_before);
}

BOOST_AUTO_TEST_CASE(a_position_anywhere_in_a_long_log_costs_a_few_calls) {
    const std::string filler(900, ' ');
    for (int i = 0; i < 400; ++i) {
        log_append what;
        for (int n = 0; n < 10; ++n) {
            const auto one = crm_event("lead", i * 10 + n, filler);
            what.lengths.push_back(static_cast<std::uint32_t>(one.size()));
            what.bytes += one;
        }
        BOOST_REQUIRE(run(log->append(std::move(what))).has_value());
    }
    BOOST_REQUIRE(log->bytes() > (3U << 20));
    for (const bool reopened : {false, true}) {
        if (reopened) open();
        auto r = reader();
        for (const log_position at : {3990U, 1U, 2005U, 3001U}) {
            const auto before = calls.calls();
            BOOST_TEST(page(r, ask("lead", at, 1)).items ==
                       crm_event("lead", static_cast<int>(at) - 1, filler));
            BOOST_TEST(calls.calls() - before <= 6U);  // open, some reads, close: not one for every 64 KiB
        }
    }
}

BOOST_AUTO_TEST_CASE(a_log_that_cannot_be_read_is_an_error) {
    add({crm_event("lead", 1)});
    stream_reader r(x, event_shape(), stream_limits(),
                    [](log_position, std::size_t) -> task<result<log_slice>> {
                        co_return error(disposition::retry, "the disk is on fire");
                    });
    const auto got = run(r.read(ask("lead", 1)));
    BOOST_TEST(got.error().context() == "the disk is on fire");
}

BOOST_AUTO_TEST_CASE(times_have_one_form) {
    BOOST_TEST(storage::to_iso_time(time.wall_now() + 47h + 5min + 9s) == "2026-01-02T23:05:09Z");
}

BOOST_AUTO_TEST_SUITE_END()
