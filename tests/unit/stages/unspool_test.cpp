#include "stages/unspool.hpp"

#include "pipeline/compose.hpp"
#include "stages/spool.hpp"
#include "tests/unit/stages/delivery_rig.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace firehose;
using namespace std::chrono_literals;
using stages::delivery_options;
using stages::delivery_rig;
using stages::every_service;
using stages::unspool;
using stages::upload;

error broken(disposition what = disposition::retry) { return {what, "it did not work"}; }

delivery_options one_at_a_time() {
    delivery_options how;
    how.in_flight = 1;
    return how;
}

/// Spools `count` events for each service, as a stage of this run would; some virtual time later.
void fill(delivery_rig& rig, std::size_t count, const std::vector<std::string>& services) {
    auto in = make_edge<stages::event>(rig.x);
    for (std::size_t i = 0; i < count; ++i) {
        auto b = rig.make_batch({{"e" + std::to_string(i), delivery_rig::targets(services)}});
        BOOST_REQUIRE(in->try_send(b, 1));
    }
    in->close();
    stages::spool stage(rig.shared, every_service(), "kept for the test");
    rig.shard.run(stage.run(receiver<stages::event>(in), rig.x));
    rig.check_settled();
    rig.shard.advance(1ms);
    rig.begun = rig.shard.time.now();
}

/// The pipeline under test; lives as long as its run.
struct resend {
    explicit resend(delivery_rig& rig, unspool::options how)
        : all(unspool(rig.shared, how) | upload(rig.shared, every_service())) {}
    decltype(unspool(nullptr, {}) | upload(nullptr, every_service())) all;
};

void one_pass(delivery_rig& rig) {
    unspool::options how;
    how.once = true;
    resend pass(rig, how);
    rig.shard.run(pass.all.run(rig.x));
    rig.check_settled();
    BOOST_TEST(rig.spool.memory.leased() == 0);
}

std::uint64_t puts(delivery_rig& rig, const std::string& service) {
    return rig.bucket(service).calls[storage::operation::put];
}

}  // namespace

BOOST_AUTO_TEST_SUITE(keeping_on_purpose)

BOOST_AUTO_TEST_CASE(every_event_is_spooled_in_one_write_for_a_batch) {
    delivery_rig rig;
    rig.send({{"a", delivery_rig::targets({"aws", "azure"})}, {"b", delivery_rig::targets({"aws"})}});
    rig.send({{"c", nullptr}});
    rig.in->close();
    stages::spool stage(rig.shared, every_service(), "maintenance");
    rig.shard.run(stage.run(receiver<stages::event>(rig.in), rig.x));
    rig.check_settled();
    BOOST_TEST(rig.spool.appends == 1);
    BOOST_TEST((rig.verdicts[0] == outcome::spooled));
    BOOST_TEST((rig.verdicts[1] == outcome::stored));
    const auto kept = rig.spool.memory.records();
    BOOST_REQUIRE_EQUAL(kept.size(), 3);
    for (const auto& record : kept) {
        BOOST_TEST(record.header.last_error.message == "maintenance");
        BOOST_TEST(record.body == delivery_rig::body_of(record.header.event_id));
        BOOST_TEST(record.header.key == delivery_rig::key_of(record.header.event_id));
    }
    BOOST_TEST(rig.bucket("aws").objects.empty());
}

BOOST_AUTO_TEST_CASE(problems_are_parked_and_other_services_left_alone) {
    delivery_rig rig;
    rig.send({{"a", delivery_rig::targets({"aws", "azure"}), "no group"},
              {"b", delivery_rig::targets({"azure"})}});
    rig.in->close();
    stages::spool stage(rig.shared, stages::by_service("aws"));
    rig.shard.run(stage.run(receiver<stages::event>(rig.in), rig.x));
    rig.check_settled();
    BOOST_TEST(rig.row("aws").parked == 1);
    BOOST_TEST(rig.books->targets().size() == 1);
    BOOST_TEST((rig.verdicts[0] == outcome::rejected));
    BOOST_TEST(rig.spool.memory.dead_letters().at(0).header.last_error.message == "no group");
}

BOOST_AUTO_TEST_CASE(what_the_spool_refuses_is_lost) {
    delivery_rig rig;
    rig.spool.memory.fail_appends_with(broken());
    rig.send({{"a", delivery_rig::targets({"aws"})}});
    rig.in->close();
    stages::spool stage(rig.shared, every_service());
    rig.shard.run(stage.run(receiver<stages::event>(rig.in), rig.x));
    rig.check_settled();
    BOOST_TEST((rig.verdicts[0] == outcome::lost));
    BOOST_TEST(rig.row("aws").lost == 1);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(sending_again)

BOOST_AUTO_TEST_CASE(one_pass_delivers_everything_once_and_empties_the_spool) {
    delivery_rig rig;
    fill(rig, 300, {"aws", "azure"});
    one_pass(rig);
    for (const char* service : {"aws", "azure"}) {
        BOOST_TEST(rig.bucket(service).objects.size() == 300);
        BOOST_TEST(puts(rig, service) == 300);
        BOOST_TEST(rig.row(service).delivered == 300);
        BOOST_TEST(rig.row(service).spooled == 0);
        BOOST_TEST(rig.row(service).accepted == 300);  // not accepted a second time
        BOOST_TEST(rig.bucket(service).objects.at("g/e7.json").body == delivery_rig::body_of("e7"));
    }
    BOOST_TEST(rig.spool.memory.records().empty());
    BOOST_TEST(rig.books->backlog().empty());
    BOOST_TEST(rig.elapsed().count() == 0);
}

BOOST_AUTO_TEST_CASE(one_pass_over_an_empty_spool_ends) {
    delivery_rig rig;
    one_pass(rig);
    BOOST_TEST(rig.elapsed().count() == 0);
}

BOOST_AUTO_TEST_CASE(records_of_an_earlier_run_are_counted_as_backlog) {
    delivery_rig rig;
    fill(rig, 5, {"aws"});
    const auto before = rig.row("aws");
    rig.spool.earlier_run = true;
    rig.bucket("aws").fail = [](storage::operation, const std::string& key) {
        return key == "g/e0.json"   ? std::optional(broken(disposition::park))
               : key == "g/e1.json" ? std::optional(broken())
                                    : std::nullopt;
    };
    one_pass(rig);
    BOOST_TEST(rig.books->backlog().at("aws").delivered == 3);
    BOOST_TEST(rig.books->backlog().at("aws").parked == 1);
    BOOST_TEST(rig.spool.memory.records().size() == 1);
    BOOST_TEST(rig.row("aws").accepted == before.accepted);
    BOOST_TEST(rig.row("aws").spooled == before.spooled);
    BOOST_TEST(rig.row("aws").delivered == 0);
}

BOOST_AUTO_TEST_CASE(one_pass_tries_each_record_once) {
    delivery_options how;
    how.gate.failures = 1000;
    delivery_rig rig(how);
    fill(rig, 200, {"aws"});
    rig.fail_always("aws", broken());
    one_pass(rig);
    BOOST_TEST(puts(rig, "aws") == 200);
    BOOST_TEST(rig.row("aws").spooled == 200);
    for (const auto& record : rig.spool.memory.records()) {
        BOOST_TEST(record.header.attempts == 1);
        BOOST_TEST(record.header.last_error.message == "it did not work");
        BOOST_TEST((record.header.first_failed_at <= record.header.next_at));
    }
    BOOST_TEST(rig.spool.appends == 200);  // those of fill(): a failed record is not appended anew
}

BOOST_AUTO_TEST_CASE(a_dead_destination_keeps_everything_and_counts_only_real_attempts) {
    delivery_rig rig(one_at_a_time());
    fill(rig, 100, {"aws"});
    rig.fail_always("aws", broken());
    one_pass(rig);
    BOOST_TEST(puts(rig, "aws") == 5);  // then the breaker opens
    BOOST_TEST(rig.row("aws").spooled == 100);
    unsigned attempts = 0;
    for (const auto& record : rig.spool.memory.records()) attempts += record.header.attempts;
    BOOST_TEST(attempts == 5);
}

BOOST_AUTO_TEST_CASE(a_dead_destination_does_not_keep_the_others) {
    delivery_rig rig;
    fill(rig, 100, {"aws", "azure"});
    rig.fail_always("aws", broken(disposition::stop));
    one_pass(rig);
    BOOST_TEST(rig.row("azure").delivered == 100);
    BOOST_TEST(rig.row("aws").spooled == 100);
}

BOOST_AUTO_TEST_CASE(with_an_open_breaker_the_rest_waits_for_the_probe_and_follows_its_success) {
    delivery_rig rig;
    fill(rig, 100, {"aws"});
    const auto l = rig.shared->lane_of(delivery_rig::to("aws"));
    l->gate.failed(broken(disposition::stop), rig.shard.time.now());
    rig.shared->probe_all();
    bool first = true;
    rig.bucket("aws").pause = [&](storage::operation, std::string) {
        if (std::exchange(first, false)) return rig.shard.time.sleep_until(rig.shard.time.now() + 5s);
        BOOST_TEST(rig.elapsed().count() == 5000);
        return rig.shard.time.sleep_until(rig.shard.time.now());
    };
    one_pass(rig);
    BOOST_TEST(rig.row("aws").delivered == 100);
    BOOST_TEST(puts(rig, "aws") == 100);
}

BOOST_AUTO_TEST_CASE(a_failed_probe_leaves_the_others_untried) {
    delivery_rig rig;
    fill(rig, 100, {"aws"});
    const auto l = rig.shared->lane_of(delivery_rig::to("aws"));
    l->gate.failed(broken(disposition::stop), rig.shard.time.now());
    rig.shared->probe_all();
    rig.fail_always("aws", broken(disposition::stop));
    one_pass(rig);
    BOOST_TEST(puts(rig, "aws") == 1);
    BOOST_TEST(rig.row("aws").spooled == 100);
    unsigned attempts = 0;
    for (const auto& record : rig.spool.memory.records()) attempts += record.header.attempts;
    BOOST_TEST(attempts == 1);
}

BOOST_AUTO_TEST_CASE(while_the_breaker_is_open_a_pass_sends_nothing) {
    delivery_rig rig;
    fill(rig, 10, {"aws"});
    rig.shared->lane_of(delivery_rig::to("aws"))
        ->gate.failed(broken(disposition::stop), rig.shard.time.now());
    one_pass(rig);
    BOOST_TEST(puts(rig, "aws") == 0);
    BOOST_TEST(rig.row("aws").spooled == 10);
}

BOOST_AUTO_TEST_CASE(what_never_can_be_stored_moves_to_the_dead_letters) {
    delivery_rig rig;
    fill(rig, 3, {"aws"});
    rig.fail_always("aws", broken(disposition::park));
    one_pass(rig);
    BOOST_TEST(rig.row("aws").parked == 3);
    BOOST_TEST(rig.row("aws").spooled == 0);
    BOOST_TEST(rig.spool.memory.dead_letters().size() == 3);
    BOOST_TEST(rig.spool.memory.records().empty());
}

BOOST_AUTO_TEST_CASE(after_the_configured_number_of_attempts_a_record_is_parked) {
    delivery_options how;
    how.park_after_attempts = 2;
    how.gate.failures = 1000;
    delivery_rig rig(how);
    fill(rig, 3, {"aws"});
    rig.fail_always("aws", broken());
    one_pass(rig);
    BOOST_TEST(rig.row("aws").spooled == 3);
    rig.shard.advance(1ms);
    one_pass(rig);
    BOOST_TEST(rig.row("aws").parked == 3);
    BOOST_TEST(rig.spool.memory.dead_letters().at(0).header.last_error.message == "it did not work");
}

BOOST_AUTO_TEST_CASE(a_record_that_cannot_be_moved_to_the_dead_letters_is_still_counted_as_spooled) {
    delivery_rig rig;
    fill(rig, 1, {"aws"});
    rig.fail_always("aws", broken(disposition::park));
    rig.spool.memory.fail_settles_with(broken());
    unspool::options how;
    how.once = true;
    resend pass(rig, how);
    rig.shard.run(pass.all.run(rig.x));
    rig.check_settled();
    BOOST_TEST(rig.row("aws").spooled == 1);
    BOOST_TEST(rig.row("aws").parked == 0);
}

BOOST_AUTO_TEST_CASE(the_schedule_doubles_with_full_jitter_and_honours_retry_after) {
    delivery_options how;
    how.gate.failures = 1000;
    delivery_rig rig(how);
    fill(rig, 1, {"aws"});
    rig.fail_always("aws", broken());
    for (const auto pause : {500ms, 1000ms, 2000ms}) {
        rig.random.script = {0.5};
        one_pass(rig);
        BOOST_TEST((rig.spool.memory.records().at(0).header.next_at == rig.shard.time.wall_now() + pause));
        rig.shard.advance(1ms);
    }
    error_details d;
    d.retry_after = 60'000ms;
    rig.fail_always("aws", error(disposition::slow_down, d));
    rig.random.script = {0.5};
    one_pass(rig);
    BOOST_TEST((rig.spool.memory.records().at(0).header.next_at == rig.shard.time.wall_now() + 60s));
    BOOST_TEST(rig.spool.memory.records().at(0).header.attempts == 4);
}

BOOST_AUTO_TEST_CASE(left_running_it_sends_each_record_when_it_is_due_and_ends_on_drain) {
    delivery_rig rig;
    rig.random.script = {0.5};  // due after half a second
    fill(rig, 1, {"aws"});
    resend forever(rig, {});
    auto running = rig.shard.start(forever.all.run(rig.x));
    rig.shard.settle();
    BOOST_TEST(puts(rig, "aws") == 0);
    rig.shard.advance(400ms);
    BOOST_TEST(puts(rig, "aws") == 0);
    rig.shard.advance(600ms);  // the next look is a second after the first
    BOOST_TEST(puts(rig, "aws") == 1);
    BOOST_TEST(rig.row("aws").delivered == 1);
    BOOST_TEST(!running.done());
    rig.shard.stop.request_drain();
    rig.shard.settle();
    BOOST_TEST(running.done());
    BOOST_TEST(!running.failed());
    rig.check_settled();
}

BOOST_AUTO_TEST_CASE(a_drain_lets_what_is_under_way_finish) {
    delivery_rig rig;
    fill(rig, 4, {"aws"});
    rig.slow_down("aws", 10s);
    rig.shard.advance(2s);
    resend forever(rig, {});
    auto running = rig.shard.start(forever.all.run(rig.x));
    rig.shard.settle();
    rig.shard.stop.request_drain();
    rig.shard.settle();
    BOOST_TEST(!running.done());
    rig.shard.advance(10s);
    BOOST_TEST(running.done());
    BOOST_TEST(rig.row("aws").delivered == 4);
    rig.check_settled();
}

BOOST_AUTO_TEST_CASE(a_cancellation_leaves_the_records_where_they_are) {
    delivery_rig rig(one_at_a_time());
    fill(rig, 20, {"aws"});
    rig.hang("aws");
    unspool::options how;
    how.once = true;
    resend pass(rig, how);
    auto running = rig.shard.start(pass.all.run(rig.x));
    rig.shard.settle();
    running.cancel();
    rig.shard.settle();
    BOOST_TEST(running.done());
    rig.check_settled();
    BOOST_TEST(rig.row("aws").spooled == 20);
    BOOST_TEST(rig.spool.memory.records().size() == 20);
    for (const auto& record : rig.spool.memory.records()) BOOST_TEST(record.header.attempts == 0);
}

BOOST_AUTO_TEST_CASE(one_that_hangs_holds_up_only_its_own_records) {
    delivery_options options;
    options.in_flight = 8;
    options.queue_bytes = 200;
    options.timeout = 10min;
    delivery_rig rig(options);
    fill(rig, 400, {"aws", "azure"});
    rig.hang("aws");
    unspool::options how;
    how.once = true;
    resend pass(rig, how);
    auto running = rig.shard.start(pass.all.run(rig.x));
    rig.shard.settle();
    BOOST_TEST(rig.bucket("azure").objects.size() == 400u);
    BOOST_TEST(rig.elapsed() < 1s);
    running.cancel();
    rig.shard.settle();
    BOOST_TEST(running.done());
}

BOOST_AUTO_TEST_CASE(live_events_keep_most_of_the_permits) {
    delivery_options options;
    options.in_flight = 8;
    delivery_rig rig(options);
    fill(rig, 100, {"aws"});
    rig.slow_down("aws", 1h);
    unspool::options how;
    how.once = true;
    how.share_percent = 25;
    resend pass(rig, how);
    auto running = rig.shard.start(pass.all.run(rig.x));
    rig.shard.settle();
    BOOST_TEST(puts(rig, "aws") == 2u);
    BOOST_TEST(rig.shared->lane_of(delivery_rig::to("aws"))->permits.available() == 6u);
    running.cancel();
    rig.shard.settle();
}

BOOST_AUTO_TEST_CASE(newest_first_when_asked_for) {
    delivery_rig rig(one_at_a_time());
    fill(rig, 30, {"aws"});
    std::vector<std::string> order;
    rig.bucket("aws").fail = [&](storage::operation, const std::string& key) -> std::optional<error> {
        order.push_back(key);
        return std::nullopt;
    };
    unspool::options how;
    how.once = true;
    how.newest_first = true;
    resend pass(rig, how);
    rig.shard.run(pass.all.run(rig.x));
    rig.check_settled();
    BOOST_REQUIRE(order.size() == 30u);
    BOOST_TEST(order.front() == delivery_rig::key_of("e29"));
    BOOST_TEST(order.back() == delivery_rig::key_of("e0"));
}

BOOST_AUTO_TEST_CASE(after_a_cancelled_probe_the_next_pass_probes_again) {
    delivery_rig rig;
    fill(rig, 10, {"aws"});
    rig.shared->lane_of(delivery_rig::to("aws"))
        ->gate.failed(broken(disposition::stop), rig.shard.time.now());
    rig.shared->probe_all();
    rig.hang("aws");
    unspool::options how;
    how.once = true;
    how.batch_bytes = 40;  // so that some records are not in hand
    how.max_bytes = 40;
    resend pass(rig, how);
    auto running = rig.shard.start(pass.all.run(rig.x));
    rig.shard.settle();
    running.cancel();
    rig.shard.settle();
    BOOST_TEST(running.done());
    const auto in_hand = rig.spool.memory.leased();
    BOOST_TEST(in_hand < 10);
    rig.bucket("aws").pause = {};
    rig.shard.advance(1ms);
    resend again(rig, how);
    rig.shard.run(again.all.run(rig.x));
    rig.check_settled();
    BOOST_TEST(rig.row("aws").delivered == 10 - in_hand);
    BOOST_TEST(rig.spool.memory.records().size() == in_hand);
}

BOOST_AUTO_TEST_CASE(a_spool_that_cannot_be_read_ends_a_pass_and_is_said) {
    // Through a backend that refuses to lease.
    struct unreadable final : stages::spool_backend {
        task<result<>> append(std::span<const stages::spool_entry>) override { co_return result<>(); }
        task<result<>> park(std::span<const stages::spool_entry>) override { co_return result<>(); }
        task<result<std::vector<stages::leased_record>>> lease(const stages::lease_query&) override {
            co_return broken();
        }
        task<result<>> settle(stages::lease_id, const stages::settlement&) override { co_return result<>(); }
        std::vector<stages::backlog> contents() const override { return {}; }
    } backend;
    delivery_rig rig;
    auto shared = std::make_shared<stages::delivery>(
        rig.x,
        stages::delivery::parts{rig.stores, rig.credentials, storage::store_environment{rig.x, rig.http, {}},
                                backend, rig.books},
        rig.options);
    unspool::options how;
    how.once = true;
    auto pass = unspool(shared, how) | upload(shared, every_service());
    rig.shard.run(pass.run(rig.x));
    BOOST_TEST(rig.shard.log_lines.size() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
