#include "stages/upload.hpp"

#include "tests/unit/stages/delivery_rig.hpp"

#include <boost/test/unit_test.hpp>

#include <iostream>

namespace {

using namespace firehose;
using namespace std::chrono_literals;
using stages::delivery_options;
using stages::delivery_rig;

error refused(disposition what, std::optional<std::chrono::milliseconds> retry_after = {}) {
    error_details d;
    d.context = "PUT: 503 SlowDown";
    d.provider_code = "SlowDown";
    d.status = 503;
    d.retry_after = retry_after;
    return {what, std::move(d)};
}

delivery_options small_queue(std::size_t in_flight = 1, std::size_t bytes = 100) {
    delivery_options how;
    how.in_flight = in_flight;
    how.queue_bytes = bytes;
    return how;
}

/// A gate that never opens, for tests of what comes before it.
delivery_options patient_gate(delivery_options how = {}) {
    how.gate.failures = 1'000'000;
    return how;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(uploading)

BOOST_AUTO_TEST_CASE(everything_arrives_byte_for_byte_under_its_key) {
    delivery_rig rig;
    rig.send_each("e", 200, {"aws", "azure"});
    rig.run_to_the_end();
    for (const char* service : {"aws", "azure"}) {
        const auto& objects = rig.bucket(service).objects;
        BOOST_TEST(objects.size() == 200);
        for (int i = 0; i < 200; ++i) {
            const auto id = "e" + std::to_string(i);
            const auto found = objects.find(delivery_rig::key_of(id));
            BOOST_REQUIRE(found != objects.end());
            BOOST_TEST(found->second.body == delivery_rig::body_of(id));
            BOOST_TEST(found->second.content_type == "application/json");
        }
        BOOST_TEST(rig.row(service).delivered == 200);
        BOOST_TEST(rig.bucket(service).calls[storage::operation::put] == 200);
    }
    BOOST_TEST(rig.all_verdicts_are(outcome::stored));
    BOOST_TEST(rig.elapsed().count() == 0);
}

BOOST_AUTO_TEST_CASE(events_without_targets_are_complete) {
    delivery_rig rig;
    rig.send({{"a", nullptr}, {"b", delivery_rig::targets({})}});
    rig.send({});
    rig.run_to_the_end();
    BOOST_TEST(rig.all_verdicts_are(outcome::stored));
    BOOST_TEST(rig.books->targets().empty());
}

BOOST_AUTO_TEST_CASE(a_branch_leaves_the_targets_of_the_others_alone) {
    delivery_rig rig;
    rig.send_each("e", 3, {"aws", "azure", "local"});
    rig.in->close();
    stages::upload stage(rig.shared, stages::by_service("azure"));
    rig.shard.run(stage.run(receiver<stages::event>(rig.in), rig.x));
    rig.check_settled();
    BOOST_TEST(rig.books->targets().size() == 1);
    BOOST_TEST(rig.row("azure").delivered == 3);
    BOOST_TEST(rig.bucket("aws").objects.empty());
}

BOOST_AUTO_TEST_CASE(failed_attempts_are_repeated_with_full_jitter_at_the_right_instants) {
    delivery_rig rig;
    rig.random.script = {0.5, 0.75};  // of 100 ms, then of 200 ms
    std::vector<std::chrono::milliseconds> at;
    rig.bucket("aws").fail = [&, left = 2](storage::operation, const std::string& key) mutable {
        BOOST_TEST(key == "g/e.json");  // the same key each time
        at.push_back(rig.elapsed());
        return left-- > 0 ? std::optional(refused(disposition::retry)) : std::nullopt;
    };
    rig.send({{"e", delivery_rig::targets({"aws"})}});
    rig.run_to_the_end();
    BOOST_TEST((at == std::vector<std::chrono::milliseconds>{0ms, 50ms, 200ms}));
    BOOST_TEST(rig.row("aws").delivered == 1);
    BOOST_TEST(rig.spool.appends == 0);
}

BOOST_AUTO_TEST_CASE(retry_after_is_a_floor_for_the_next_attempt) {
    delivery_rig rig;
    rig.random.script = {0.999};
    rig.fail_first("aws", 1, refused(disposition::slow_down, 3000ms));
    rig.send({{"e", delivery_rig::targets({"aws"})}});
    rig.run_to_the_end();
    BOOST_TEST(rig.elapsed().count() == 3000);
    BOOST_TEST(rig.row("aws").delivered == 1);
}

BOOST_AUTO_TEST_CASE(a_long_retry_after_is_waited_for_in_the_spool) {
    delivery_rig rig;
    rig.random.script = {0.0};
    rig.fail_always("aws", refused(disposition::slow_down, 3'600'000ms));
    rig.send({{"e", delivery_rig::targets({"aws"})}});
    rig.run_to_the_end();
    BOOST_TEST(rig.elapsed().count() == 0);
    BOOST_TEST(rig.row("aws").spooled == 1);
    const auto kept = rig.spool.memory.records();
    BOOST_REQUIRE_EQUAL(kept.size(), 1);
    BOOST_TEST((kept[0].header.next_at == rig.shard.time.wall_now() + 1h));
}

BOOST_AUTO_TEST_CASE(after_the_last_attempt_the_event_is_spooled_with_its_failure) {
    delivery_rig rig;
    rig.random.script = {0.1, 0.1, 0.25};  // two rests, then a quarter of the first pause in the spool
    rig.fail_always("aws", refused(disposition::slow_down));
    rig.send({{"e", delivery_rig::targets({"aws"})}});
    rig.run_to_the_end();
    BOOST_TEST(rig.bucket("aws").calls[storage::operation::put] == 3);
    BOOST_TEST((rig.verdicts[0] == outcome::spooled));
    BOOST_TEST(rig.row("aws").spooled == 1);
    const auto kept = rig.spool.memory.records();
    BOOST_REQUIRE_EQUAL(kept.size(), 1);
    const auto& h = kept[0].header;
    BOOST_TEST(kept[0].body == delivery_rig::body_of("e"));
    BOOST_TEST(h.event_id == "e");
    BOOST_TEST(h.group_id == "g");
    BOOST_TEST((h.to == delivery_rig::to("aws")));
    BOOST_TEST(h.key == "g/e.json");
    BOOST_TEST(h.layout == "event");
    BOOST_TEST(h.attempts == 0);
    BOOST_TEST((h.first_failed_at == rig.shard.time.wall_now()));
    BOOST_TEST((h.next_at == h.first_failed_at + 250ms));
    BOOST_TEST(h.last_error.disposition == "slow_down");
    BOOST_TEST(h.last_error.code == "SlowDown");
    BOOST_TEST(h.last_error.status == 503);
    BOOST_TEST(h.last_error.message == "PUT: 503 SlowDown");
}

BOOST_AUTO_TEST_CASE(what_never_can_be_stored_is_parked_with_body_and_reason_after_one_attempt) {
    delivery_rig rig;
    rig.fail_always("aws", refused(disposition::park));
    rig.send_each("e", 20, {"aws"});
    rig.run_to_the_end();
    BOOST_TEST(rig.bucket("aws").calls[storage::operation::put] == 20);  // and the breaker stays closed
    BOOST_TEST(rig.row("aws").parked == 20);
    BOOST_TEST(rig.all_verdicts_are(outcome::rejected));
    const auto dead = rig.spool.memory.dead_letters();
    BOOST_REQUIRE_EQUAL(dead.size(), 20);
    BOOST_TEST(dead[0].body == delivery_rig::body_of(dead[0].header.event_id));
    BOOST_TEST(dead[0].header.last_error.disposition == "park");
    BOOST_TEST(rig.spool.memory.records().empty());
}

BOOST_AUTO_TEST_CASE(stop_opens_the_breaker_and_the_rest_is_spooled_without_an_attempt) {
    delivery_rig rig(small_queue(1, 1 << 20));
    rig.fail_always("aws", refused(disposition::stop));
    rig.send_each("e", 50, {"aws"});
    rig.run_to_the_end();
    BOOST_TEST(rig.bucket("aws").calls[storage::operation::put] == 1);
    BOOST_TEST(rig.row("aws").spooled == 50);
    BOOST_TEST(rig.elapsed().count() == 0);
    for (const auto& kept : rig.spool.memory.records())
        BOOST_TEST(kept.header.last_error.disposition == "stop");
}

BOOST_AUTO_TEST_CASE(a_dead_destination_costs_a_bounded_number_of_requests) {
    delivery_rig rig;
    rig.fail_always("aws", refused(disposition::retry));
    rig.send_each("e", 1000, {"aws"});
    rig.run_to_the_end();
    BOOST_TEST(rig.bucket("aws").calls[storage::operation::put] <= 64 + 5);
    BOOST_TEST(rig.row("aws").spooled == 1000);
    BOOST_TEST(rig.spool.memory.records().size() == 1000);
}

BOOST_AUTO_TEST_CASE(an_event_with_a_problem_is_parked_for_every_target_without_an_attempt) {
    delivery_rig rig;
    rig.send({{"a", delivery_rig::targets({"aws", "azure"}), "no group id"},
              {"b", delivery_rig::targets({"aws"})}});
    rig.run_to_the_end();
    BOOST_TEST(rig.row("aws").parked == 1);
    BOOST_TEST(rig.row("aws").delivered == 1);
    BOOST_TEST(rig.row("azure").parked == 1);
    BOOST_TEST((rig.verdicts[0] == outcome::rejected));
    for (const auto& dead : rig.spool.memory.dead_letters()) {
        BOOST_TEST(dead.header.key == "");
        BOOST_TEST(dead.header.last_error.message == "no group id");
        BOOST_TEST(dead.body == delivery_rig::body_of("a"));
    }
}

BOOST_AUTO_TEST_CASE(a_target_with_a_problem_is_parked_and_the_others_go_on) {
    delivery_rig rig;
    auto targets = *delivery_rig::targets({"aws", "azure"});
    targets[0].problem = "no such bucket";
    rig.send({{"a", std::make_shared<const std::vector<stages::target>>(targets)}});
    rig.run_to_the_end();
    BOOST_TEST(rig.row("aws").parked == 1);
    BOOST_TEST(rig.row("azure").delivered == 1);
    BOOST_TEST(rig.spool.memory.dead_letters().at(0).header.key == "g/a.json");
}

BOOST_AUTO_TEST_CASE(a_destination_nobody_can_make_a_store_for_is_spooled_until_somebody_repairs_it) {
    delivery_rig rig;
    auto targets = *delivery_rig::targets({"aws"});
    targets[0].to.type = "unheard of";
    rig.send({{"a", std::make_shared<const std::vector<stages::target>>(targets)}});
    rig.run_to_the_end();
    BOOST_TEST(rig.row("aws").spooled == 1);
    BOOST_TEST(rig.spool.memory.records().at(0).header.last_error.disposition == "stop");
}

BOOST_AUTO_TEST_CASE(what_the_spool_refuses_is_lost_and_the_source_is_told) {
    delivery_rig rig;
    rig.fail_always("aws", refused(disposition::stop));
    rig.spool.memory.fail_appends_with(error(disposition::retry, "the disk is full"));
    rig.send(
        {{"a", delivery_rig::targets({"aws", "azure"})}, {"b", delivery_rig::targets({"aws"}), "problem"}});
    rig.send({{"c", delivery_rig::targets({"azure"})}});
    rig.run_to_the_end();
    BOOST_TEST((rig.verdicts[0] == outcome::lost));
    BOOST_TEST((rig.verdicts[1] == outcome::stored));
    BOOST_TEST(rig.row("aws").lost == 2);
    BOOST_TEST(rig.row("azure").delivered == 2);
    BOOST_TEST(rig.books->lost() == 2);
}

BOOST_AUTO_TEST_CASE(a_hanging_destination_costs_the_healthy_one_no_time) {
    delivery_rig rig(small_queue(2, 200));
    rig.hang("aws");
    rig.send_each("e", 100, {"aws", "azure"});
    rig.in->close();
    auto running = rig.start_upload();
    rig.shard.settle();
    BOOST_TEST(rig.elapsed().count() == 0);
    BOOST_TEST(rig.row("azure").delivered == 100);
    BOOST_TEST(rig.row("aws").delivered == 0);
    rig.shard.advance(rig.options.spool_gather);
    BOOST_TEST(rig.row("aws").in_flight == 2 + 10);  // under way and waiting; the others overflowed
    BOOST_TEST(rig.row("aws").spooled == 100 - 12);
    rig.check_balance();
    rig.shard.finish(running);
    rig.check_settled();
    BOOST_TEST(rig.row("aws").spooled == 100);
    BOOST_TEST(rig.spool.memory.records().size() == 100);
    for (const auto& v : rig.verdicts) BOOST_TEST((v == outcome::spooled));
}

BOOST_AUTO_TEST_CASE(a_store_that_never_answers_is_given_up_after_the_timeout) {
    delivery_rig rig;
    rig.hang("aws");
    rig.send({{"e", delivery_rig::targets({"aws"})}});
    rig.run_to_the_end();
    BOOST_TEST(rig.row("aws").spooled == 1);
    BOOST_TEST(rig.bucket("aws").calls[storage::operation::put] == 3);
    BOOST_TEST(rig.elapsed().count() >= 3 * 60'000);
    BOOST_TEST(rig.elapsed().count() < 3 * 61'000 + 400);
    const auto why = rig.spool.memory.records().at(0).header.last_error;
    BOOST_TEST(why.message == "aws aws: no answer within 60000 ms; the request was given up");
    BOOST_TEST(why.disposition == "retry");
}

BOOST_AUTO_TEST_CASE(attempts_that_answered_do_not_hold_up_the_end) {
    delivery_rig rig;
    rig.slow_down("aws", 10ms);
    rig.send_each("e", 3, {"aws"});
    rig.run_to_the_end();
    BOOST_TEST(rig.elapsed().count() == 10);
}

BOOST_AUTO_TEST_CASE(of_two_slow_destinations_the_source_waits_for_the_faster) {
    delivery_rig rig(small_queue(1, 100));
    rig.slow_down("aws", 1000ms);
    rig.slow_down("azure", 10ms);
    rig.send_each("e", 200, {"aws", "azure"});
    rig.run_to_the_end();
    BOOST_TEST(rig.row("azure").delivered == 200);
    BOOST_TEST(rig.row("azure").spooled == 0);
    BOOST_TEST(rig.row("aws").spooled > 150);
    BOOST_TEST(rig.row("aws").delivered + rig.row("aws").spooled == 200);
    BOOST_TEST(rig.elapsed() < 200 * 10ms + 8 * 1000ms);
}

BOOST_AUTO_TEST_CASE(a_destination_that_fails_now_and_then_sends_nothing_of_a_slow_one_to_the_spool) {
    auto how = small_queue(2, 100);
    how.gate.base = how.gate.cap = 20ms;  // probes all the time
    delivery_rig rig(how);
    rig.slow_down("aws", 10ms);
    rig.fail_always("azure", refused(disposition::retry));
    rig.send_each("e", 100, {"aws", "azure"});
    rig.run_to_the_end();
    BOOST_TEST(rig.row("aws").delivered == 100);
    BOOST_TEST(rig.row("azure").spooled == 100);
}

BOOST_AUTO_TEST_CASE(what_is_spooled_in_one_moment_shares_a_write) {
    delivery_rig rig;
    rig.fail_first("aws", 1, refused(disposition::stop));
    rig.send({{"a", delivery_rig::targets({"aws"})}});
    auto running = rig.start_upload();
    rig.shard.settle();
    const auto before = rig.spool.appends;
    rig.send_each("b", 50, {"aws"});
    rig.shard.settle();
    rig.shard.advance(rig.options.spool_gather);
    BOOST_TEST(rig.spool.appends == before + 1);
    BOOST_TEST(rig.row("aws").spooled == 51);
    rig.in->close();
    rig.shard.finish(running);
}

BOOST_AUTO_TEST_CASE(a_spool_that_stands_still_holds_the_source_back) {
    auto how = small_queue(2, 1 << 20);
    how.spool_gather_bytes = 200;
    delivery_rig rig(how);
    rig.fail_first("aws", 1, refused(disposition::stop));
    rig.send({{"a", delivery_rig::targets({"aws"})}});
    auto running = rig.start_upload();
    rig.shard.settle();
    rig.spool.stalled = true;
    for (int i = 0; i < 40; ++i) rig.send({{"b" + std::to_string(i), delivery_rig::targets({"aws"})}});
    rig.send({{"c", delivery_rig::targets({"azure"})}});
    rig.shard.settle();
    rig.shard.advance(1s);
    BOOST_TEST(rig.row("aws").accepted <= 1 + 21);  // 20 bytes each: no more than twice 200, and one
    rig.spool.release();
    rig.shard.settle();
    rig.in->close();
    rig.shard.finish(running);
    rig.check_settled();
    BOOST_TEST(rig.row("aws").spooled == 41);
    BOOST_TEST(rig.row("azure").delivered == 1);
}

BOOST_AUTO_TEST_CASE(one_slow_destination_alone_holds_the_source_back_and_spools_nothing) {
    delivery_rig rig(small_queue(1, 100));
    rig.slow_down("aws", 100ms);
    rig.send_each("e", 50, {"aws"});
    rig.in->close();
    auto running = rig.start_upload();
    rig.shard.settle();
    BOOST_TEST(rig.row("aws").in_flight <= 1 + 100 / 20 + 1);  // under way, waiting, in the pump's hand
    rig.shard.finish(running);
    rig.check_settled();
    BOOST_TEST(rig.row("aws").delivered == 50);
    BOOST_TEST(rig.spool.appends == 0);
    BOOST_TEST(rig.elapsed().count() == 5000);
}

BOOST_AUTO_TEST_CASE(no_more_requests_at_once_than_asked_for) {
    delivery_rig rig(small_queue(7, 1 << 20));
    int now = 0;
    int most = 0;
    rig.bucket("aws").pause = [&](storage::operation, std::string) {
        most = std::max(most, ++now);
        return rig.shard.time.sleep_until(rig.shard.time.now() + 10ms);
    };
    rig.bucket("aws").fail = [&](storage::operation, const std::string&) {
        --now;
        return std::optional<error>();
    };
    rig.send_each("e", 70, {"aws"});
    rig.run_to_the_end();
    BOOST_TEST(most == 7);
    BOOST_TEST(rig.elapsed().count() == 100);
}

BOOST_AUTO_TEST_CASE(an_event_larger_than_the_queue_passes) {
    delivery_rig rig(small_queue(1, 100));
    rig.send_each("big", 3, {"aws"}, 1000);
    rig.run_to_the_end();
    BOOST_TEST(rig.row("aws").delivered == 3);
}

BOOST_AUTO_TEST_CASE(after_an_open_breaker_one_probe_reopens_the_way) {
    delivery_rig rig(small_queue(1, 1 << 20));
    rig.fail_first("aws", 1, refused(disposition::stop));
    rig.send({{"a", delivery_rig::targets({"aws"})}});
    auto running = rig.start_upload();
    rig.shard.settle();
    rig.send({{"b", delivery_rig::targets({"aws"})}});
    rig.shard.settle();
    rig.shard.advance(rig.options.spool_gather);
    BOOST_TEST(rig.row("aws").spooled == 2);
    rig.shard.advance(60s);
    rig.send({{"c", delivery_rig::targets({"aws"})}});
    rig.send({{"d", delivery_rig::targets({"aws"})}});
    rig.in->close();
    rig.shard.finish(running);
    rig.check_settled();
    BOOST_TEST(rig.row("aws").delivered == 2);
    BOOST_TEST(rig.bucket("aws").calls[storage::operation::put] == 3);
}

BOOST_AUTO_TEST_CASE(live_events_do_not_wait_for_a_probe) {
    delivery_rig rig(small_queue(4, 1 << 20));
    rig.fail_first("aws", 1, refused(disposition::stop));
    rig.send({{"a", delivery_rig::targets({"aws"})}});
    auto running = rig.start_upload();
    rig.shard.settle();
    rig.shard.advance(60s);
    rig.hang("aws");
    rig.send_each("b", 5, {"aws"});
    rig.shard.settle();
    BOOST_TEST(rig.row("aws").in_flight == 1);  // the probe
    BOOST_TEST(rig.row("aws").spooled == 5);
    rig.in->close();
    rig.shard.finish(running);
    rig.check_settled();
    BOOST_TEST(rig.row("aws").spooled == 6);
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

/// Cancels a running upload after `settle` and lets it end in its own time.
void cancel_and_check(delivery_rig& rig, started_task& running) {
    running.cancel();
    rig.shard.settle();
    BOOST_TEST(running.done(), "a cancelled upload waits for something");
    rig.in->abandon();
    rig.check_settled();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cancelling_an_upload)

BOOST_AUTO_TEST_CASE(spools_what_is_under_way_and_what_waits_behind_it) {
    for (const std::size_t in_flight : {1U, 3U, 64U}) {
        delivery_rig rig(small_queue(in_flight, 1 << 20));
        rig.hang("aws");
        rig.send_each("e", 40, {"aws", "azure"});
        auto running = rig.start_upload();
        rig.shard.settle();
        cancel_and_check(rig, running);
        BOOST_TEST(rig.row("aws").spooled == 40);
        BOOST_TEST(rig.row("azure").delivered == 40);
        BOOST_TEST(rig.spool.memory.records().size() == 40);
        BOOST_TEST(rig.all_verdicts_are(outcome::spooled));
        BOOST_TEST(rig.elapsed().count() == 0);
    }
}

BOOST_AUTO_TEST_CASE(spools_the_batch_the_pump_has_in_hand) {
    delivery_rig rig(small_queue(1, 40));
    rig.hang("aws");
    std::vector<delivery_rig::one> events;
    for (int i = 0; i < 10; ++i) events.push_back({"e" + std::to_string(i), delivery_rig::targets({"aws"})});
    rig.send(events);
    auto running = rig.start_upload();
    rig.shard.settle();
    BOOST_TEST(rig.row("aws").accepted < 10);  // the pump waits for room
    cancel_and_check(rig, running);
    BOOST_TEST(rig.row("aws").accepted == 10);
    BOOST_TEST(rig.row("aws").spooled == 10);
    BOOST_TEST((rig.verdicts[0] == outcome::spooled));
}

BOOST_AUTO_TEST_CASE(ends_a_rest_between_two_attempts) {
    delivery_rig rig;
    rig.fail_always("aws", refused(disposition::slow_down, 10'000ms));
    rig.send({{"e", delivery_rig::targets({"aws"})}});
    auto running = rig.start_upload();
    rig.shard.settle();
    cancel_and_check(rig, running);
    BOOST_TEST(rig.spool.memory.records().at(0).header.last_error.code == "SlowDown");
    BOOST_TEST(rig.row("aws").spooled == 1);
}

BOOST_AUTO_TEST_CASE(does_not_interrupt_a_write_to_the_spool) {
    for (const std::size_t in_flight : {1U, 4U}) {
        delivery_rig rig(patient_gate(small_queue(in_flight, 1 << 20)));
        rig.fail_always("aws", refused(disposition::stop));
        rig.spool.stalled = true;
        rig.send_each("e", 12, {"aws"});
        auto running = rig.start_upload();
        rig.shard.settle();
        BOOST_TEST(rig.spool.appends > 0);
        running.cancel();
        rig.shard.settle();
        BOOST_TEST(!running.done());
        rig.spool.release();
        rig.shard.settle();
        BOOST_TEST(running.done());
        BOOST_TEST(rig.spool.interrupted == 0);
        rig.in->abandon();
        rig.check_settled();
        for (const auto& [service, row] : rig.books->targets()) {
            BOOST_TEST(row.spooled + row.lost == row.accepted);
            BOOST_TEST(row.lost == 0);
            BOOST_TEST(rig.spool.memory.records().size() == row.spooled);
        }
    }
}

BOOST_AUTO_TEST_CASE(reports_lost_what_the_spool_refuses) {
    delivery_rig rig(small_queue(2, 1 << 20));
    rig.hang("aws");
    rig.send_each("e", 10, {"aws"});
    auto running = rig.start_upload();
    rig.shard.settle();
    rig.spool.memory.fail_appends_with(error(disposition::retry, "the disk is full"));
    cancel_and_check(rig, running);
    BOOST_TEST(rig.row("aws").lost == 10);
    BOOST_TEST(rig.all_verdicts_are(outcome::lost));
}

BOOST_AUTO_TEST_CASE(spools_what_waits_for_permits_that_another_stage_holds) {
    delivery_rig rig(small_queue(2, 1 << 20));
    rig.hang("aws");
    const auto l = rig.shared->lane_of(delivery_rig::to("aws"));
    auto first = l->permits.try_acquire();
    auto second = l->permits.try_acquire();
    rig.send_each("e", 10, {"aws"});
    auto running = rig.start_upload();
    rig.shard.settle();
    BOOST_TEST(rig.bucket("aws").calls[storage::operation::put] == 0);
    cancel_and_check(rig, running);
    BOOST_TEST(rig.row("aws").spooled == 10);
    BOOST_TEST(l->queued_bytes == 0);
}

BOOST_AUTO_TEST_CASE(leaves_the_lane_fit_for_the_next_stage) {
    delivery_rig rig(small_queue(2, 60));
    rig.hang("aws");
    rig.send_each("e", 4, {"aws"});
    auto running = rig.start_upload();
    rig.shard.settle();
    cancel_and_check(rig, running);
    const auto l = rig.shared->lane_of(delivery_rig::to("aws"));
    BOOST_TEST(l->queued_bytes == 0);
    BOOST_TEST(l->permits.available() == 2);
    rig.bucket("aws").pause = {};
    rig.in = make_edge<stages::event>(rig.x);
    rig.send_each("f", 4, {"aws"});
    rig.run_to_the_end();
    BOOST_TEST(rig.row("aws").delivered == 4);
}

namespace {

/// Ten events every 100 ms, for as long as told; then the end of the stream.
task<> feed(delivery_rig& rig, std::chrono::milliseconds how_long) {
    const auto end = rig.shard.time.now() + how_long;
    for (int round = 0; rig.shard.time.now() < end; ++round) {
        rig.send_each("r" + std::to_string(round) + "-", 10, {"aws"});
        const auto next = rig.shard.time.now() + 100ms;
        co_await rig.shard.time.sleep_until(next);
    }
    rig.in->close();
}

struct storm_result {
    double per_event;
    double per_minute;
};

storm_result five_minutes_of_failure(delivery_options how) {
    delivery_rig rig(how);
    rig.fail_always("aws", refused(disposition::retry));
    auto upload = rig.start_upload();
    auto feeding = rig.shard.start(feed(rig, 5min));
    rig.shard.finish(feeding);
    rig.shard.finish(upload);
    rig.check_settled();
    BOOST_TEST(rig.all_verdicts_are(outcome::spooled));
    const auto requests = static_cast<double>(rig.bucket("aws").calls[storage::operation::put]);
    return {requests / static_cast<double>(rig.verdicts.size()), requests / 5};
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_destination_that_fails_for_minutes_gets_no_storm_of_retries) {
    const auto with_breaker = five_minutes_of_failure({});
    const auto budget_alone = five_minutes_of_failure(patient_gate());
    std::cout << "retry storm, all fail, 100 events a second for 5 minutes: " << with_breaker.per_minute
              << " requests a minute, " << with_breaker.per_event << " an event; without the breaker "
              << budget_alone.per_event << " an event\n";
    BOOST_TEST(with_breaker.per_minute < 20);
    BOOST_TEST(budget_alone.per_event < 1.01);
    BOOST_TEST(budget_alone.per_event >= 1.0);
}

BOOST_AUTO_TEST_SUITE_END()
