#include "stages/gather.hpp"

#include "stages/reference.hpp"
#include "tests/unit/stages/delivery_rig.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <set>

namespace {

using namespace firehose;
using namespace std::chrono_literals;
using stages::delivery_rig;
using stages::packing;

stages::batch_options plain(std::uint64_t count) {
    stages::batch_options how;
    how.format = packing::none;
    how.key = stages::key_template::parse("{prefix}/{first}-{last}-{count}.{ext}", packing::none).what;
    how.count = count;
    how.age = {};
    return how;
}

/// gather | upload on the rig's edge.
struct gathering_rig : delivery_rig {
    explicit gathering_rig(stages::batch_options batch, stages::delivery_options how = {})
        : delivery_rig(how),
          pipeline(chain(stages::gather({std::move(batch), {}}),
                         stages::upload(shared, stages::every_service()))) {}

    started_task start() { return shard.start(pipeline.run(receiver<stages::event>(in), x)); }
    void finish() {
        in->close();
        auto running = start();
        shard.finish(running);
        check_settled();
    }
    std::string lines(std::size_t from, std::size_t to) {
        std::string all;
        for (auto i = from; i < to; ++i) all += body_of("e" + std::to_string(i)) + "\n";
        return all;
    }
    decltype(chain(stages::gather({{}, {}}), stages::upload({}, {}))) pipeline;
};

error refused() { return {disposition::retry, "503"}; }

/// Events for a gathering without a pipeline.
class event_maker {
public:
    stages::event make(std::uint64_t number, std::string flow, std::size_t size = 100) {
        const auto id = "e" + std::to_string(number);
        bodies_.push_back(delivery_rig::body_of(id, size));
        stages::event e;
        e.raw = as_bytes(bodies_.back());
        e.id = id;
        e.flow = std::move(flow);
        e.targets = targets_;
        e.position = number * 1000;
        return e;
    }

private:
    std::deque<std::string> bodies_{};
    stages::target_list targets_ = delivery_rig::targets({"aws"});
};

std::string text_of(const stages::finished_object& o) { return std::string(as_text(o.what.raw)); }

}  // namespace

BOOST_AUTO_TEST_SUITE(gathering_objects)

BOOST_AUTO_TEST_CASE(events_become_lines_of_objects_and_each_has_its_objects_verdict) {
    gathering_rig rig(plain(3));
    rig.send_each("e", 7, {"aws"});
    rig.finish();
    const auto& objects = rig.bucket("aws").objects;
    BOOST_REQUIRE_EQUAL(objects.size(), 3);
    BOOST_TEST(objects.at("e0-e2-3.ndjson").body == rig.lines(0, 3));
    BOOST_TEST(objects.at("e3-e5-3.ndjson").body == rig.lines(3, 6));
    BOOST_TEST(objects.at("e6-e6-1.ndjson").body == rig.lines(6, 7));
    BOOST_TEST(objects.at("e6-e6-1.ndjson").content_type == "application/x-ndjson");
    BOOST_TEST(rig.all_verdicts_are(outcome::stored));
    BOOST_TEST(rig.row("aws").delivered == 7);
}

BOOST_AUTO_TEST_CASE(one_object_serves_all_its_destinations) {
    gathering_rig rig(plain(100));
    auto list = *delivery_rig::targets({"aws", "azure"});
    list[1].to.prefix = "p/q";
    const auto targets = std::make_shared<const std::vector<stages::target>>(list);
    rig.send({{"e0", targets}, {"e1", targets}});
    rig.finish();
    BOOST_TEST(rig.bucket("aws").objects.at("e0-e1-2.ndjson").body == rig.lines(0, 2));
    BOOST_TEST(rig.bucket("azure").objects.at("p/q/e0-e1-2.ndjson").body == rig.lines(0, 2));
    BOOST_TEST(rig.shard.count["batch_objects"] == 1U);
    BOOST_TEST(rig.row("azure").delivered == 2);
}

BOOST_AUTO_TEST_CASE(a_failed_object_is_one_record_and_comes_back_under_the_same_key) {
    auto how = plain(2);
    how.format = packing::gzip;
    how.key = stages::key_template::parse("{prefix}/{first}-{last}-{count}.{ext}", packing::gzip).what;
    stages::delivery_options delivery;
    delivery.attempts = 1;
    gathering_rig rig(how, delivery);
    rig.fail_first("aws", 2, refused());
    rig.send_each("e", 4, {"aws"});
    rig.finish();
    BOOST_TEST(rig.all_verdicts_are(outcome::spooled));
    BOOST_TEST(rig.row("aws").spooled == 4);
    BOOST_TEST(rig.row("aws").spooled_records == 2);
    const auto kept = rig.spool.memory.records();
    BOOST_REQUIRE_EQUAL(kept.size(), 2);
    BOOST_TEST(kept[0].header.layout == "batch");
    BOOST_TEST(kept[0].header.key == "e0-e1-2.ndjson.gz");
    BOOST_TEST(kept[0].header.content_encoding == "gzip");
    BOOST_TEST(kept[0].header.events == 2);

    rig.shard.advance(1h);
    rig.shared->probe_all();
    auto again = stages::retry_pass(rig.shared);
    rig.shard.run(again.run(rig.x));
    rig.check_balance();
    const auto& objects = rig.bucket("aws").objects;
    BOOST_REQUIRE_EQUAL(objects.size(), 2);
    BOOST_TEST(objects.contains("e2-e3-2.ndjson.gz"));
    BOOST_TEST(objects.at("e0-e1-2.ndjson.gz").content_type == "application/x-ndjson");
    BOOST_TEST(rig.row("aws").delivered == 4);
    BOOST_TEST(rig.row("aws").spooled_records == 0);
}

BOOST_AUTO_TEST_CASE(an_object_is_cut_when_its_first_event_is_old_enough) {
    auto how = plain(1000);
    how.age = 5s;
    gathering_rig rig(how);
    auto running = rig.start();
    rig.send_each("e", 2, {"aws"});
    rig.shard.advance(4s);
    BOOST_TEST(rig.bucket("aws").objects.empty());
    rig.send_each("f", 1, {"aws"});
    rig.shard.advance(1s);
    BOOST_TEST(rig.bucket("aws").objects.contains("e0-f0-3.ndjson"));
    rig.in->close();
    rig.shard.finish(running);
    rig.check_settled();
}

BOOST_AUTO_TEST_CASE(what_no_object_can_be_made_of_is_parked_and_the_rest_goes_on) {
    gathering_rig rig(plain(10));
    auto list = *delivery_rig::targets({"aws", "azure"});
    list[1].problem = "no such credential";
    const auto half = std::make_shared<const std::vector<stages::target>>(list);
    rig.send({{"e0", half}, {"e1", delivery_rig::targets({"aws"}), "no id"}, {"e2", nullptr}});
    rig.finish();
    BOOST_TEST(rig.bucket("aws").objects.at("e0-e0-1.ndjson").body == rig.lines(0, 1));
    BOOST_TEST(rig.row("aws").parked == 1);
    BOOST_TEST(rig.row("azure").parked == 1);
    BOOST_TEST(rig.all_verdicts_are(outcome::rejected));
}

BOOST_AUTO_TEST_CASE(cancelled_it_says_that_what_was_gathered_is_lost) {
    gathering_rig rig(plain(1000));
    rig.send_each("e", 5, {"aws"});
    auto running = rig.start();
    rig.shard.settle();
    running.cancel();
    rig.shard.settle();
    BOOST_TEST(running.done());
    BOOST_TEST(rig.all_verdicts_are(outcome::lost));
}

BOOST_AUTO_TEST_CASE(a_slow_destination_holds_a_bounded_amount_of_memory) {
    auto how = plain(1);
    how.memory = 64u << 10;
    stages::delivery_options delivery;
    delivery.queue_bytes = how.memory / 4;
    gathering_rig rig(how, delivery);
    rig.slow_down("aws", 1s);
    auto running = rig.start();
    std::size_t sent = 0;
    for (; sent < 100; ++sent) {
        auto b = rig.make_batch({{"e" + std::to_string(sent), delivery_rig::targets({"aws"}), {}, 10'000}});
        if (!rig.in->try_send(b, 1u << 20)) break;
        rig.shard.settle();
    }
    BOOST_TEST(sent < 20);
    rig.verdicts.back() = outcome::stored;  // was never sent
    rig.in->close();
    rig.shard.finish(running);
    BOOST_TEST(rig.row("aws").delivered == sent);
}

BOOST_AUTO_TEST_CASE(a_destination_that_hangs_costs_the_other_no_time) {
    auto how = plain(1);
    how.memory = 64u << 10;
    stages::delivery_options delivery;
    delivery.queue_bytes = how.memory / 4;
    gathering_rig rig(how, delivery);
    rig.hang("azure");
    auto running = rig.start();
    for (int i = 0; i < 30; ++i) {
        rig.send({{"e" + std::to_string(i), delivery_rig::targets({"aws", "azure"}), {}, 10'000}});
        rig.shard.settle();
    }
    // What the other one does not take needs a moment to get to the disk, and memory until then.
    while (rig.row("aws").delivered < 30 && rig.elapsed() < 100ms) rig.shard.advance(delivery.spool_gather);
    BOOST_TEST(rig.row("aws").delivered == 30);
    rig.in->close();
    rig.shard.finish(running);
    rig.check_settled();
    BOOST_TEST(rig.row("azure").spooled == 30);
}

BOOST_AUTO_TEST_CASE(objects_depend_on_their_events_alone_not_on_the_batches) {
    for (const auto format : {packing::gzip, packing::zstd, packing::none}) {
        stages::batch_options how;
        how.format = format;
        how.key = stages::key_template::parse(stages::key_template::default_text(), format).what;
        how.bytes = 8u << 10;
        how.count = 200;
        std::map<std::string, std::string> first;
        for (unsigned seed = 0; seed < 5; ++seed) {
            std::mt19937 draw(seed);
            event_maker events;
            counters count;
            stages::gathering open(how, nullptr, 0, count);
            std::map<std::string, std::string> objects;
            ack_token whole([](outcome) {});
            for (unsigned i = 0; i < 3000; ++i) {
                if (draw() % (seed + 1) == 0) open.begin_batch({});
                open.add(events.make(i, "f" + std::to_string(i % 3), 50 + i % 400), whole);
                for (auto& o : open.take_finished()) objects[o.plan.key] = text_of(o);
            }
            open.cut_all();
            for (auto& o : open.take_finished()) objects[o.plan.key] = text_of(o);
            BOOST_TEST(open.memory_used() == 0);
            BOOST_TEST(objects.size() > 3);
            if (seed == 0) first = objects;
            BOOST_TEST((objects == first));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_block_is_packed_into_the_same_bytes_by_every_packer) {
    for (const auto format : {packing::gzip, packing::zstd}) {
        std::vector<std::unique_ptr<stages::packer>> packers;  // all at once, so each lies somewhere else
        for (int i = 0; i < 60; ++i) packers.push_back(stages::make_packer(format));
        std::mt19937 draw(5);
        for (int block = 0; block < 100; ++block) {
            std::string text;
            const auto word = std::to_string(draw());
            for (int line = 0; line < 3; ++line) text += word + std::to_string(draw() % 100) + "\n";
            std::set<std::string> seen;
            for (const auto& p : packers) {
                stages::packed_bytes packed;
                p->append(packed, as_bytes(text));
                p->finish(packed);
                seen.insert(std::string(as_text(packed.bytes.view())));
            }
            BOOST_TEST(seen.size() == 1U, text);
        }
    }
}

BOOST_AUTO_TEST_CASE(memory_is_bounded_however_many_partitions_are_open) {
    for (const auto format : {packing::gzip, packing::zstd, packing::none}) {
        stages::batch_options how;
        how.format = format;
        how.key = stages::key_template::parse(stages::key_template::default_text(), format).what;
        how.memory = 4u << 20;
        how.bytes = 1u << 20;
        event_maker events;
        counters count;
        stages::gathering open(how, nullptr, 0, count);
        ack_token whole([](outcome) {});
        std::uint64_t gathered = 0;
        std::set<std::string> keys;
        for (unsigned i = 0; i < 20'000; ++i) {
            open.begin_batch({});
            open.add(events.make(i, "f" + std::to_string(i % 1000), 1000), whole);
            BOOST_REQUIRE_LE(open.memory_used(), how.memory / 2 + how.memory / 16 + (512u << 10));
            for (auto& o : open.take_finished()) {
                gathered += o.plan.events;
                BOOST_TEST(keys.insert(o.plan.key).second);
            }
        }
        open.cut_all();
        for (auto& o : open.take_finished()) gathered += o.plan.events;
        BOOST_TEST(gathered == 20'000);
        BOOST_TEST(open.memory_used() == 0);
    }
}

BOOST_AUTO_TEST_CASE(memory_for_two_objects_is_enough_to_fill_one_while_another_is_on_its_way) {
    const auto targets = delivery_rig::targets({"aws"});
    for (const auto format : {packing::none, packing::gzip}) {
        auto how = plain(std::numeric_limits<std::uint64_t>::max());
        how.format = format;
        how.bytes = 3u << 20;
        how.memory = 2 * how.bytes;
        counters count;
        stages::gathering open(how, {}, 0, count);
        std::mt19937_64 random(1);
        std::string noise(20'000, ' ');
        std::size_t on_its_way = 0;
        stages::finished_object last;
        open.begin_batch({});
        for (std::uint64_t i = 0; i < 2000; ++i) {
            for (auto& c : noise) c = static_cast<char>(random());
            stages::event e;
            e.raw = as_bytes(noise);
            e.id = "e" + std::to_string(i);
            e.targets = targets;
            e.position = i;
            (void)open.add(e, ack_token());
            for (auto& object : open.take_finished()) {
                ++on_its_way;
                BOOST_TEST(object.what.raw.size() > how.bytes / 10 * 9);
                last = std::move(object);  // the one before leaves its memory behind
            }
        }
        BOOST_TEST(on_its_way > 10U);
        BOOST_TEST(count["batch_objects_cut_for_memory"] == 0U);
    }
}

BOOST_AUTO_TEST_CASE(partitions_beyond_the_limit_share_the_overflow_and_are_counted) {
    stages::batch_options how = plain(1000);
    how.key = stages::key_template::parse("{flow}/{hash}.{ext}", packing::none).what;
    how.partitions = 3;
    event_maker events;
    counters count;
    stages::gathering open(how, nullptr, 0, count);
    ack_token whole([](outcome) {});
    for (unsigned i = 0; i < 100; ++i) open.add(events.make(i, "f" + std::to_string(i % 10)), whole);
    BOOST_TEST(open.open_objects() == 4);
    BOOST_TEST(count["batch_events_in_overflow_partition"] == 70);
    open.cut_all();
    std::map<std::string, std::uint64_t> sizes;
    for (auto& o : open.take_finished()) sizes[o.plan.key.substr(0, o.plan.key.find('/'))] = o.plan.events;
    BOOST_TEST((sizes ==
                std::map<std::string, std::uint64_t>{{"_overflow", 70}, {"f0", 10}, {"f1", 10}, {"f2", 10}}));
}

BOOST_AUTO_TEST_SUITE_END()
