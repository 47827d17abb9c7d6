#include "stages/append_to_log.hpp"
#include "stages/pull_position.hpp"
#include "tests/unit/stages/stream_rig.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <set>

using namespace firehose;
using namespace firehose::stages;
using namespace std::chrono_literals;

namespace {

using texts = std::vector<std::string>;

bool contains(std::string_view text, std::string_view words) { return text.find(words) != std::string::npos; }

/// Where the script's n-th request was answered, in milliseconds after the one before.
std::chrono::milliseconds gap(const stream_peer& peer, std::size_t n) {
    return duration_cast<std::chrono::milliseconds>(peer.seen.at(n).at - peer.seen.at(n - 1).at);
}

const std::string envelope =
    R"({"errors":[{"error":{"code":"unauthorized","message":"Unauthorized","details":"The token is no good."},
 "meta":{"type":"error"}}],"meta":{"type":"errors","http_status":"401 Unauthorized"}})";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(ingesting_a_stream, stream_rig)

BOOST_AUTO_TEST_CASE(it_drains_page_by_page_until_the_top_and_stores_where_it_is) {
    const auto said = pull();
    BOOST_TEST((sink->events == peer.events), "byte for byte, in order");
    BOOST_TEST((peer.positions() == texts{"tail", "p2", "p4"}));
    BOOST_TEST(said->complete);
    BOOST_TEST(said->failure == "");
    BOOST_TEST(said->events == 5U);
    BOOST_TEST(said->pages == 3U);
    BOOST_TEST(stored() == "p5");
    const auto& first = peer.seen.front().what;
    BOOST_TEST(first.method == "GET");
    BOOST_TEST(first.target == "/v3/leads/stream?position=tail&limit=100");
    BOOST_TEST(first.header("Accept") == "application/json");
    BOOST_TEST(first.header("Authorization") == "Bearer canary-token");
}

BOOST_AUTO_TEST_CASE(the_next_run_goes_on_where_the_last_one_ended) {
    pull();
    peer.events.push_back(crm_event(6, 1));
    peer.seen.clear();
    sink->events.clear();
    pull();
    BOOST_TEST((sink->events == texts{crm_event(6, 1)}));
    BOOST_TEST((peer.positions() == texts{"p5"}));
    BOOST_TEST(stored() == "p6");
}

BOOST_AUTO_TEST_CASE(only_top_says_where_the_end_is) {
    peer.say(200, stream_peer::page_of({}, "p0", false));
    peer.say(200, stream_peer::page_of({}, "p1", false));
    peer.say(200, stream_peer::page_of({crm_event(9, 1)}, "p9", true));
    BOOST_TEST(pull()->complete);
    BOOST_TEST((peer.positions() == texts{"tail", "p0", "p1"}));
    BOOST_TEST((sink->events == texts{crm_event(9, 1)}));
    BOOST_TEST(stored() == "p9");
}

BOOST_AUTO_TEST_CASE(positions_go_back_as_they_came_whatever_they_hold) {
    const std::string odd = "Zmly+/9=&x=#1 é";
    peer.say(200, stream_peer::page_of({}, odd, false));
    peer.say(200, stream_peer::page_of({}, "p5", true));
    pull();
    BOOST_TEST((peer.positions() == texts{"tail", odd}));
    BOOST_TEST(contains(peer.seen.at(1).what.target, "position=Zmly%2B%2F9%3D%26x%3D%231%20%C3%A9&"));
}

BOOST_AUTO_TEST_CASE(without_a_stored_position_it_begins_where_it_is_told) {
    how.start = "top";
    peer.events.resize(3);
    pull();
    BOOST_TEST(sink->events.empty());
    BOOST_TEST(stored() == "p3");
}

BOOST_AUTO_TEST_CASE(at_the_top_it_asks_again_after_the_pause_until_it_drains) {
    how.then = at_top::poll;
    auto begun = begin();
    for (int i = 0; i < 3; ++i) advance(100ms);
    BOOST_TEST(peer.seen.size() == 3U);
    advance(4'800ms);
    BOOST_TEST(peer.seen.size() == 3U);
    peer.events.push_back(crm_event(6, 1));
    advance(200ms);
    BOOST_TEST(peer.seen.size() == 4U);
    BOOST_TEST(sink->events.size() == 6U);
    stop.request_drain();
    settle();
    BOOST_TEST(begun.running->done());
    BOOST_TEST(!begun.running->failed());
    BOOST_TEST(stored() == "p6");
    BOOST_TEST(begun.what->failure == "");
}

BOOST_AUTO_TEST_CASE(a_drain_ends_a_pause_and_a_wait_for_verdicts_is_waited_out) {
    how.then = at_top::poll;
    sink->holds = true;
    auto begun = begin();
    settle();
    stop.request_drain();
    settle();
    BOOST_TEST(!begun.running->done());
    sink->held.clear();  // unresolved: lost
    settle();
    BOOST_TEST(begun.running->done());
    BOOST_TEST(stored() == "");
}

BOOST_AUTO_TEST_CASE(the_position_moves_only_over_pages_that_have_their_verdict_in_order) {
    how.then = at_top::poll;
    sink->holds = true;
    auto begun = begin();
    for (int i = 0; i < 30; ++i) advance(100ms);
    BOOST_REQUIRE(sink->held.size() == 3U);
    BOOST_TEST(stored() == "");
    sink->held[1].resolve(outcome::stored);
    for (int i = 0; i < 15; ++i) advance(100ms);
    BOOST_TEST(stored() == "");
    sink->held[0].resolve(outcome::spooled);
    for (int i = 0; i < 15; ++i) advance(100ms);
    BOOST_TEST(stored() == "p4");
    sink->held[2].resolve(outcome::rejected);
    stop.request_drain();
    finish(*begun.running);
    BOOST_TEST(stored() == "p5");
}

BOOST_AUTO_TEST_CASE(what_has_no_verdict_bounds_what_is_pulled) {
    how.max_in_flight = 2;
    sink->holds = true;
    auto begun = begin();
    for (int i = 0; i < 30; ++i) advance(100ms);
    BOOST_TEST(peer.seen.size() == 2U);
    sink->holds = false;
    sink->held[0].resolve(outcome::stored);
    sink->held[1].resolve(outcome::stored);
    finish(*begun.running);
    BOOST_TEST(sink->events.size() == 5U);
}

BOOST_AUTO_TEST_CASE(what_is_lost_is_pulled_again_with_all_that_came_after) {
    sink->verdicts = {outcome::stored, outcome::lost, outcome::stored};
    const auto said = pull();
    BOOST_TEST(said->complete);
    BOOST_TEST(!said->lost);
    const std::multiset<std::string> all(sink->events.begin(), sink->events.end());
    for (const auto& e : peer.events) BOOST_TEST(all.count(e) >= 1U);
    BOOST_TEST(all.count(peer.events[2]) == 2U, "its sequence is known, and it comes again all the same");
    BOOST_TEST(all.count(peer.events[0]) == 1U);
    BOOST_TEST(stored() == "p5");
}

BOOST_AUTO_TEST_CASE(a_run_that_ends_on_loss_says_so_and_keeps_the_position) {
    how.ends_on_loss = true;
    sink->verdicts = {outcome::stored, outcome::lost};
    const auto said = pull();
    BOOST_TEST(said->lost);
    BOOST_TEST(stored() == "p2");
    BOOST_TEST(said->durable == "p2");
}

BOOST_AUTO_TEST_CASE(repeats_by_sequence_are_dropped_and_counted) {
    const auto of_other_type = R"({"data":{"id":1},"meta":{"type":"deal","sequence":1}})";
    const auto without_sequence = R"({"data":{"id":1},"meta":{"type":"lead"}})";
    const auto lead_conduit = R"({"id":"66f1","type":"source","vars":{}})";
    peer.events = {crm_event(1, 3),  crm_event(1, 3),  crm_event(1, 2), crm_event(1, 4), of_other_type,
                   without_sequence, without_sequence, lead_conduit,    crm_event(2, 1)};
    const auto said = pull();
    BOOST_TEST((sink->events == texts{crm_event(1, 3), crm_event(1, 4), of_other_type, without_sequence,
                                      without_sequence, lead_conduit, crm_event(2, 1)}));
    BOOST_TEST(said->repeats == 2U);
    BOOST_TEST(said->events == 7U);
    BOOST_TEST(count["stream_repeats"] == 2U);
    BOOST_TEST(stored() == "p9");
}

BOOST_AUTO_TEST_CASE(repeats_pass_where_nothing_is_to_be_remembered) {
    how.remember = 0;
    peer.events = {crm_event(1, 3), crm_event(1, 3)};
    pull();
    BOOST_TEST(sink->events.size() == 2U);
}

BOOST_AUTO_TEST_CASE(events_get_the_flow_of_their_source) {
    how.flow = "5fd4371e940df5a34a3888b2";
    pull();
    BOOST_TEST((sink->flows == texts(5, how.flow)));
}

// --- failures

BOOST_AUTO_TEST_CASE(what_may_pass_is_tried_again_after_full_jitter_over_a_doubling_ceiling) {
    how.attempts = 20;
    how.backoff = 500ms;
    how.backoff_cap = 4'000ms;
    for (int i = 0; i < 3; ++i) peer.fail("connection reset");
    peer.say(503);
    peer.say(500, "<html>");
    for (int i = 0; i < 3; ++i) peer.say(502);
    BOOST_TEST(pull()->complete);
    BOOST_TEST((sink->events == peer.events));
    auto ceiling = 500ms;
    auto sum = 0ms;
    for (std::size_t n = 1; n <= 8; ++n) {
        BOOST_TEST((gap(peer, n) <= std::max(ceiling, how.apart)), n);
        sum += gap(peer, n);
        ceiling = std::min(ceiling * 2, 4'000ms);
    }
    BOOST_TEST((sum > 2'000ms), "it draws from the whole range");
    for (std::size_t n = 0; n <= 8; ++n) BOOST_TEST(peer.seen[n].position() == "tail");
    BOOST_TEST(count["stream_failures"] == 8U);
    BOOST_TEST(logged("a page could not be pulled source=leads position=tail"));
}

BOOST_AUTO_TEST_CASE(retry_after_is_the_least_it_waits) {
    peer.say(429, "", {{"Retry-After", "7"}});
    peer.say(503, "", {{"Retry-After", "Thu, 01 Jan 2026 00:00:30 GMT"}});
    BOOST_TEST(pull()->complete);
    BOOST_TEST((gap(peer, 1) == 7s));
    BOOST_TEST((gap(peer, 2) >= 22s));
    BOOST_TEST((gap(peer, 2) <= 24s));
}

BOOST_AUTO_TEST_CASE(requests_keep_their_distance) {
    how.apart = 250ms;
    pull();
    BOOST_TEST((gap(peer, 1) == 250ms));
    BOOST_TEST((gap(peer, 2) == 250ms));
}

BOOST_AUTO_TEST_CASE(it_gives_up_after_as_many_failures_in_a_row_as_it_may_have) {
    peer.fail("reset");
    peer.fail("reset");
    peer.say(200, stream_peer::page_of({crm_event(1, 1)}, "p1", false));
    for (int i = 0; i < 3; ++i) peer.say(503, R"({"error":"busy"})");
    const auto said = pull();
    BOOST_TEST(!said->complete);
    BOOST_TEST(said->failure == "GET https://crm.example/v3/leads/stream: 503: busy");
    BOOST_TEST(stored() == "p1");
    BOOST_TEST(peer.seen.size() == 6U);
}

BOOST_AUTO_TEST_CASE(what_needs_a_person_ends_a_run_and_is_probed_slowly_by_what_never_gives_up) {
    for (const int status : {301, 400, 401, 403, 404, 406, 422}) {
        peer.seen.clear();
        peer.say(status, envelope);
        const auto said = pull();
        BOOST_TEST(contains(said->failure, std::to_string(status) + " unauthorized: The token is no good."),
                   said->failure);
        BOOST_TEST(peer.seen.size() == 1U, status);
    }
    how.attempts = 0;
    how.backoff = 1ms;
    peer.seen.clear();
    peer.say(403, envelope);
    BOOST_TEST(pull()->complete);
    BOOST_TEST((gap(peer, 1) >= 60s));
}

BOOST_AUTO_TEST_CASE(a_position_that_has_expired_leads_to_where_the_configuration_says) {
    for (const auto policy : {on_expired::tail, on_expired::top, on_expired::stop}) {
        faults::memory_files fresh;
        peer.seen.clear();
        sink->events.clear();
        peer.script.clear();
        how.expired = policy;
        how.start = "p-old";
        peer.say(410, R"({"errors":[{"error":{"code":"position_expired","message":"Gone"}}]})");
        const auto said = pull(fresh);
        const auto asked = peer.positions();
        if (policy == on_expired::stop) {
            BOOST_TEST((asked == texts{"p-old"}));
            BOOST_TEST(contains(said->failure, "410 position_expired"), said->failure);
            BOOST_TEST(contains(said->failure, "Set \"expired\""), said->failure);
            BOOST_TEST(stored_in(fresh) == "");
            continue;
        }
        BOOST_TEST(said->complete);
        BOOST_TEST(said->gaps == 1U);
        BOOST_TEST(asked.at(1) == (policy == on_expired::tail ? "tail" : "top"));
        BOOST_TEST(sink->events.size() == (policy == on_expired::tail ? 5U : 0U));
        BOOST_TEST(stored_in(fresh) == "p5");
        BOOST_TEST(logged("the position has expired"));
    }
}

BOOST_AUTO_TEST_CASE(a_server_whose_every_position_expires_is_not_asked_without_a_pause) {
    how.then = at_top::poll;
    how.backoff = 1'000ms;
    for (int i = 0; i < 20; ++i) {
        peer.say(200, stream_peer::page_of({}, "p" + std::to_string(i), false));
        peer.say(410);
    }
    auto begun = begin();
    for (int i = 0; i < 300; ++i) advance(100ms);
    BOOST_TEST(peer.seen.size() < 40U);
    stop.request_drain();
    finish(*begun.running);
}

BOOST_AUTO_TEST_CASE(pages_that_are_not_usable_name_the_place_and_cost_nothing) {
    const std::string good = R"("meta":{"position":"p5","top":true})";
    const std::map<std::string, std::string> rows{
        {"", "not JSON as expected: not an object"},
        {"<html>", "not JSON as expected: not an object"},
        {"[]", "not JSON as expected: not an object"},
        {R"({"items":[],"meta":{"position":"p5","top":true})",
         "not JSON as expected: the object is not closed"},
        {R"({"items":[],)" + good + "} x", "something follows it"},
        {R"({"items":[], nonsense, )" + good + "}", "member 2 of the object is none"},
        {R"({"items":[],"more":tru,)" + good + "}", "a member beside \"items\" and \"meta\" is not JSON"},
        {"{" + good + "}", "/items is missing"},
        {R"({"items":{},)" + good + "}", "/items is no array of events: not an array"},
        {R"({"items":null,)" + good + "}", "/items is no array of events"},
        {R"({"items":[],"items":[],)" + good + "}", "/items is there twice"},
        {R"({"items":[{},5],)" + good + "}", "/items/1 is no event: not a JSON object"},
        {R"({"items":[{},{},{"a":}],)" + good + "}", "/items/2 is no event: not JSON"},
        {"{\"items\":[{\"a\":\"\xff\"}]," + good + "}", "/items/0 is no event: not JSON"},
        {R"({"items":[{}]})", "/meta is missing"},
        {R"({"items":[{}],"meta":[]})", "/meta is not an object"},
        {R"({"items":[{}],"meta":{"position":"x",}})", "/meta is not JSON"},
        {R"({"items":[{}],"meta":{"top":true}})", "/meta/position is missing"},
        {R"({"items":[{}],"meta":{"position":5,"top":true}})", "/meta/position must be a string"},
        {R"({"items":[{}],"meta":{"position":"tail","top":true}})", "/meta/position must be a string"},
        {R"({"items":[{}],"meta":{"position":"","top":true}})", "/meta/position must be a string"},
        {R"({"items":[{}],"meta":{"position":"a\nb","top":true}})", "/meta/position must be a string"},
        {R"({"items":[{}],"meta":{"position":")" + std::string(5'000, 'x') + R"(","top":true}})",
         "/meta/position must be a string of 1 to 4096 bytes"},
        {R"({"items":[{}],"meta":{"position":"p"}})", "/meta/top is missing"},
        {R"({"items":[{}],"meta":{"position":"p","top":1}})", "/meta/top must be true or false"},
    };
    for (const auto& [body, words] : rows) {
        log_lines.clear();
        sink->events.clear();
        peer.seen.clear();
        faults::memory_files fresh;
        peer.say(200, body);
        const auto said = pull(fresh);
        BOOST_TEST(said->complete, body);
        BOOST_TEST((sink->events == peer.events), body);
        BOOST_TEST(peer.seen.at(1).position() == "tail");
        BOOST_TEST(logged("the page is not usable: "), body);
        const bool named = std::ranges::any_of(log_lines, [&, w = words](const std::string& line) {
            std::string plain;
            for (const char c : line)
                if (c != '\\') plain += c;
            return plain.find(w) != std::string::npos;
        });
        BOOST_TEST(named, body << " should be called: " << words << ", and is: " << log_lines.at(1));
    }
    for (const int status : {204, 206}) {
        log_lines.clear();
        peer.say(status);
        faults::memory_files fresh;
        BOOST_TEST(pull(fresh)->complete);
        BOOST_TEST(logged("is not the 200 that comes with a page"));
    }
}

BOOST_AUTO_TEST_CASE(an_event_with_what_most_parsers_refuse_is_an_event) {
    const std::string large =
        R"({"data":{"id":1,"n":123456789012345678901234567890},"meta":{"sequence":1,"type":"x"}})";
    peer.events = {large, R"({"a":"]}\",\\"})", "{}"};
    pull();
    BOOST_TEST((sink->events == peer.events));
}

BOOST_AUTO_TEST_CASE(a_stream_that_does_not_move_is_a_failure_and_not_a_loop) {
    for (int i = 0; i < 50; ++i) peer.say(200, stream_peer::page_of({}, "p0", false));
    const auto said = pull();
    BOOST_TEST(!said->complete);
    BOOST_TEST(
        contains(said->failure, "pages in a row with the position that was asked for and \"top\" false"),
        said->failure);
    BOOST_TEST(peer.seen.size() < 10U);
    BOOST_TEST(stored() == "p0");
}

BOOST_AUTO_TEST_CASE(a_page_that_is_repeated_for_ever_is_delivered_once) {
    how.attempts = 0;
    how.then = at_top::poll;
    for (int i = 0; i < 500; ++i) peer.say(200, stream_peer::page_of({crm_event(1, 1)}, "p1", false));
    auto begun = begin();
    for (int i = 0; i < 600; ++i) advance(100ms);
    BOOST_TEST(sink->events.size() == 1U);
    BOOST_TEST(peer.seen.size() < 30U);
    stop.request_drain();
    finish(*begun.running);
    BOOST_TEST(stored() == "p1");
}

BOOST_AUTO_TEST_CASE(empty_pages_without_end_are_a_failure_that_keeps_the_way_made) {
    how.barren_pages = 50;
    for (int i = 1; i <= 80; ++i) peer.say(200, stream_peer::page_of({}, "q" + std::to_string(i), false));
    const auto said = pull();
    BOOST_TEST(contains(said->failure, "50 pages in a row without a new event and with \"top\" false"),
               said->failure);
    BOOST_TEST(stored() == "q50");
    peer.script.clear();
    peer.say(200, stream_peer::page_of({crm_event(1, 1)}, "p5", true));
    BOOST_TEST(pull()->complete);
    BOOST_TEST(peer.seen.back().position() == "q50");
}

BOOST_AUTO_TEST_CASE(a_page_that_does_not_come_whole_is_asked_for_in_smaller_parts) {
    how.attempts = 10;
    for (int i = 0; i < 3; ++i) peer.fail("sent an answer of more than 1000 bytes, which is the limit");
    pull();
    const auto limit = [&](std::size_t n) {
        const auto& target = peer.seen.at(n).what.target;
        return target.substr(target.rfind('=') + 1);
    };
    BOOST_TEST(limit(0) == "100");
    BOOST_TEST(limit(1) == "50");
    BOOST_TEST(limit(3) == "12");
    BOOST_TEST(limit(4) == "13");
    BOOST_TEST((sink->events == peer.events));
}

// --- the position's file

BOOST_AUTO_TEST_CASE(a_position_that_is_damaged_or_of_another_stream_stops_it_before_the_first_request) {
    pull();
    const auto text = disk.content("/data/sources/leads/position");
    peer.seen.clear();
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto damaged = text;
        damaged[i] = static_cast<char>(damaged[i] ^ 1);
        disk.set_content("/data/sources/leads/position", damaged);
        BOOST_TEST(contains(pull()->failure, "/data/sources/leads/position is damaged"), i);
        disk.set_content("/data/sources/leads/position", text.substr(0, i));
        BOOST_TEST(contains(pull()->failure, "/data/sources/leads/position is damaged"), i);
    }
    disk.set_content("/data/sources/leads/position", text);
    how.at.path = "/v3/deals/stream";
    BOOST_TEST(contains(pull()->failure, "belongs to https://crm.example/v3/leads/stream"));
    BOOST_TEST(peer.seen.empty());
}

BOOST_AUTO_TEST_CASE(two_sources_do_not_share_a_position) {
    how.then = at_top::poll;
    auto first = begin();
    BOOST_TEST(contains(pull()->failure, "is in use by another process"));
    stop.request_drain();
    finish(*first.running);
}

BOOST_AUTO_TEST_CASE(at_every_file_call_the_stored_position_covers_only_what_is_durable) {
    // Changed only while no file call is under way.
    std::set<std::string> durable;
    sink->holds = true;
    faults::faulty_files watched(disk);
    std::size_t states = 0, ahead = 0, unreadable = 0;
    std::set<std::string> seen_positions;
    watched.on_call([&](std::size_t, const std::string&) {
        for (const auto data : {faults::unsynced_data::lost, faults::unsynced_data::kept,
                                faults::unsynced_data::torn, faults::unsynced_data::zeros})
            for (const auto names : {faults::unsynced_names::lost, faults::unsynced_names::kept}) {
                const auto left = disk.after_power_cut(data, names);
                const auto at = stored_in(*left);
                ++states;
                if (at.empty()) continue;
                const auto text = left->content("/data/sources/leads/position");
                if (parse_position_text(text, describe(how.at)).has_error()) {
                    ++unreadable;
                    continue;
                }
                seen_positions.insert(at);
                for (std::size_t i = 0; i < std::stoul(at.substr(1)); ++i)
                    if (!durable.contains(peer.events[i])) ++ahead;
            }
    });
    auto begun = begin(watched);
    // Pages come every 100 ms, verdicts every 700 ms, and the position is written every second.
    for (std::size_t page = 0; page < 3; ++page) {
        advance(700ms);
        BOOST_REQUIRE(page < sink->held.size());
        for (std::size_t i = 2 * page; i < std::min(2 * page + 2, peer.events.size()); ++i)
            durable.insert(peer.events[i]);
        sink->held[page].resolve(outcome::stored);
    }
    finish(*begun.running);
    BOOST_TEST(begun.what->complete);
    BOOST_TEST(states > 100U);
    BOOST_TEST(ahead == 0U);
    BOOST_TEST(unreadable == 0U);
    BOOST_TEST(seen_positions.size() >= 2U);
}

BOOST_AUTO_TEST_CASE(every_file_call_may_fail_and_no_event_is_passed_over) {
    for (const int number : {EIO, ENOSPC, EINTR, faults::faulty_files::short_transfer}) {
        bool hit = true;
        for (std::size_t n = 0; hit; ++n) {
            faults::memory_files fresh;
            faults::faulty_files faulty(fresh);
            faulty.fail(n, number);
            sink->events.clear();
            const auto said = pull(faulty);
            hit = faulty.hit();
            const auto at = stored_in(fresh);
            if (!at.empty()) BOOST_TEST(std::stoul(at.substr(1)) <= sink->events.size());
            if (said->failure.empty()) BOOST_TEST(at == "p5");
            BOOST_REQUIRE(n < 200U);
            if (!hit) continue;
            // The next run, on a disk that works, misses nothing.
            const auto before = sink->events;
            BOOST_TEST(pull(fresh)->complete);
            std::set<std::string> all(before.begin(), before.end());
            all.insert(sink->events.begin(), sink->events.end());
            BOOST_TEST(all.size() == peer.events.size());
        }
    }
}

BOOST_AUTO_TEST_CASE(cancelled_at_any_moment_it_leaves_a_position_that_is_true) {
    for (int steps = 0; steps < 40; ++steps) {
        faults::memory_files fresh;
        sink->events.clear();
        auto begun = begin(fresh);
        for (int i = 0; i < steps; ++i) advance(40ms);
        begun.running->cancel();
        settle();
        BOOST_TEST(begun.running->done());
        const auto at = stored_in(fresh);
        if (!at.empty()) BOOST_TEST(std::stoul(at.substr(1)) <= sink->events.size());
    }
}

// --- into the event log

BOOST_AUTO_TEST_CASE(in_the_log_events_are_durable_before_the_position_moves) {
    auto opened = run(event_log::open(x, disk, "/data", {}));
    BOOST_REQUIRE(opened.has_value());
    auto& log = **opened;
    int refusals = 2;
    struct refusing {
        event_log& log;
        int& left;
        task<result<log_receipt>> operator()(log_append what) const {
            if (left-- > 0) co_return error(disposition::retry, "the disk is full");
            co_return co_await log.append(std::move(what));
        }
    };
    const refusing first_refuses{log, refusals};
    append_to_log::append_function append = [&first_refuses](log_append what) {
        return first_refuses(std::move(what));
    };
    how.flow = "flow 7";
    ingest_stream source(disk, how);
    const auto said = source.outcome();
    auto pipeline = chain(std::move(source), append_to_log(std::move(append)));
    run(pipeline.run(x));
    BOOST_TEST(said->complete);
    BOOST_TEST(stored() == "p5");
    const auto blocks = run(log.read(1, 1 << 20));
    BOOST_REQUIRE(blocks.has_value());
    texts kept;
    for (const auto& block : *blocks) {
        BOOST_TEST(block.flow == "flow 7");
        for (const auto e : block.events) kept.emplace_back(as_text(e));
    }
    BOOST_TEST((kept == peer.events), "in order, once");
    BOOST_TEST(count["stream_losses"] >= 1U);
}

BOOST_AUTO_TEST_SUITE_END()
