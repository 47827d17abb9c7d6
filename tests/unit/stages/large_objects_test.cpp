// Objects that are larger than the memory for them lie in files while they grow and on their way.
#include "stages/gather.hpp"
#include "stages/reference.hpp"
#include "tests/faults/faulty_files.hpp"
#include "tests/faults/memory_files.hpp"
#include "tests/unit/stages/delivery_rig.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>

namespace {

using namespace firehose;
using namespace std::chrono_literals;
using stages::delivery_rig;
using stages::packing;

constexpr std::size_t mebibyte = 1u << 20;
constexpr std::size_t event_bytes = 60'000;

stages::batch_options large(packing format) {
    stages::batch_options how;
    how.format = format;
    how.key = stages::key_template::parse("{prefix}/{first}-{last}-{count}.{ext}", format).what;
    how.bytes = 3 * mebibyte;
    how.in_memory = 256u << 10;
    how.memory = 4 * mebibyte;
    how.age = {};
    return how;
}

/// Files in memory that can fail, there as long as somebody may call them.
struct test_disk {
    faults::memory_files memory{};
    faults::faulty_files files{memory};
};

/// gather | upload, with files.
struct large_rig : delivery_rig {
    std::shared_ptr<test_disk> disk = std::make_shared<test_disk>();
    faults::faulty_files& files = disk->files;
    std::shared_ptr<stages::object_files> objects = std::make_shared<stages::object_files>(
        std::shared_ptr<storage::file_system>(disk, &disk->files), "/data/objects", shard.random);
    std::size_t sent = 0;

    explicit large_rig(stages::delivery_options how = patient()) : delivery_rig(how) {
        x.queue_bytes = 256 * mebibyte;
        in = make_edge<stages::event>(x);
    }
    static stages::delivery_options patient() {
        stages::delivery_options how;
        how.attempts = 1;
        return how;
    }
    void send_some(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            send({{"e" + std::to_string(sent++), targets({"aws"}), {}, event_bytes}});
    }
    void deliver(const stages::batch_options& batch, bool with_files = true) {
        in->close();
        auto pipeline = chain(stages::gather({batch, {}, with_files ? objects : nullptr}),
                              stages::upload(shared, stages::every_service()));
        shard.run(pipeline.run(receiver<stages::event>(in), x));
        check_settled();
    }
    std::map<std::string, std::string> stored() {
        std::map<std::string, std::string> out;
        for (const auto& [key, object] : bucket("aws").objects) out[key] = object.body;
        return out;
    }
    std::size_t files_left() {
        shard.settle();
        return disk->memory.files("/data/objects").size();
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(large_objects)

BOOST_AUTO_TEST_CASE(have_the_names_and_bytes_they_would_have_in_memory) {
    for (const auto format : {packing::none, packing::gzip, packing::zstd}) {
        auto how = large(format);
        if (format != packing::none) how.count = 60;
        if (format != packing::none) how.in_memory = 500;  // such bodies shrink
        large_rig with_files;
        with_files.send_some(130);
        with_files.deliver(how);
        BOOST_TEST(with_files.row("aws").delivered == 130);
        BOOST_TEST(with_files.files_left() == 0U);
        BOOST_TEST(with_files.files.calls() > 8U);

        large_rig in_memory;
        how.memory = 64 * mebibyte;
        in_memory.send_some(130);
        in_memory.deliver(how, false);
        BOOST_TEST(in_memory.files.calls() == 0U);
        BOOST_TEST(with_files.stored().size() == 3U);
        BOOST_TEST((with_files.stored() == in_memory.stored()));
    }
}

BOOST_AUTO_TEST_CASE(that_stay_small_never_touch_the_disk) {
    large_rig rig;
    rig.send_some(3);
    rig.deliver(large(packing::none));
    BOOST_TEST(rig.row("aws").delivered == 3);
    BOOST_TEST(rig.files.calls() == 0U);
}

BOOST_AUTO_TEST_CASE(are_not_cut_when_memory_runs_short_since_files_take_them) {
    auto how = large(packing::none);
    how.key = stages::key_template::parse("{flow}/{first}-{last}.{ext}", packing::none).what;
    how.in_memory = mebibyte;
    how.memory = 4 * mebibyte;
    large_rig rig;
    counters count;
    auto open = std::make_unique<stages::gathering>(how, nullptr, 0, count,
                                                    [&rig] { return rig.objects->make(rig.x); });
    const auto body = delivery_rig::body_of("e", event_bytes);
    const auto targets = delivery_rig::targets({"aws"});
    std::size_t most = 0;
    for (std::size_t i = 0; i < 1000; ++i) {
        stages::event e;
        e.raw = as_bytes(body);
        e.id = "e" + std::to_string(i);
        e.flow = "f" + std::to_string(i % 20);
        e.targets = targets;
        e.position = i;
        open->begin_batch(rig.shard.time.now());
        open->add(e, ack_token());
        most = std::max(most, open->memory_used());
        for (auto& piece : open->take_pieces()) piece.to->append(piece.bytes);
    }
    open->cut_all();
    for (auto& piece : open->take_pieces()) piece.to->append(piece.bytes);
    const auto finished = open->take_finished();
    BOOST_TEST(finished.size() == 20U);
    BOOST_TEST(count["batch_objects_cut_for_memory"] == 0U);
    BOOST_TEST(most < 3 * mebibyte);
    for (const auto& object : finished) BOOST_TEST(object.file->size() == 50 * (event_bytes + 1));
}

BOOST_AUTO_TEST_CASE(report_lost_when_their_file_cannot_be_written_and_the_others_go_on) {
    large_rig rig;
    rig.files.only([](const std::string& call) { return call == "write"; });
    rig.files.fail(1, ENOSPC);
    rig.send_some(130);
    rig.deliver(large(packing::none));
    const auto lost = std::ranges::count(rig.verdicts, std::optional(outcome::lost));
    BOOST_TEST(lost > 40);
    BOOST_TEST(lost < 60);
    BOOST_TEST(rig.row("aws").delivered == 130U - static_cast<std::uint64_t>(lost));
    BOOST_TEST(rig.stored().size() == 2U);
    BOOST_TEST(rig.files_left() == 0U);
    bool said = false;
    for (const auto& line : rig.shard.log_lines)
        said = said || line.find("No space left") != std::string::npos;
    BOOST_TEST(said);
}

BOOST_AUTO_TEST_CASE(wait_in_the_spool_as_files_and_come_back_under_the_same_key) {
    large_rig rig;
    rig.fail_first("aws", 3, error(disposition::retry, "503"));
    rig.send_some(130);
    rig.deliver(large(packing::none));
    BOOST_TEST(rig.all_verdicts_are(outcome::spooled));
    BOOST_TEST(rig.row("aws").spooled == 130);
    BOOST_TEST(rig.row("aws").spooled_records == 3);
    BOOST_TEST(rig.files_left() == 3U);  // this spool keeps them by holding them

    rig.shard.advance(1h);
    rig.shared->probe_all();
    auto again = stages::retry_pass(rig.shared);
    rig.shard.run(again.run(rig.x));
    rig.check_balance();
    BOOST_TEST(rig.row("aws").delivered == 130);
    std::string all;
    for (const auto& [key, body] : rig.stored()) all += body;
    BOOST_TEST(all.size() == 130 * (event_bytes + 1));
    BOOST_TEST(rig.bucket("aws").objects.begin()->second.content_type == "application/x-ndjson");
    BOOST_TEST(rig.files_left() == 0U);
}

BOOST_AUTO_TEST_CASE(may_take_longer_than_a_request_as_long_as_parts_arrive) {
    auto options = large_rig::patient();
    options.timeout = 10s;
    large_rig rig(options);
    auto how = large(packing::none);
    how.bytes = 100 * mebibyte;
    rig.bucket("aws").pause = [&rig](storage::operation, std::string) {
        return rig.shard.time.sleep_until(rig.shard.time.now() + 8s);
    };
    rig.send_some(900);  // seven parts
    rig.deliver(how);
    BOOST_TEST(rig.row("aws").delivered == 900);
    BOOST_TEST((rig.elapsed() > 20s));
}

BOOST_AUTO_TEST_CASE(of_which_no_part_arrives_are_given_up) {
    auto options = large_rig::patient();
    options.timeout = 10s;
    large_rig rig(options);
    auto how = large(packing::none);
    how.bytes = 100 * mebibyte;
    rig.hang("aws");
    rig.send_some(900);
    rig.deliver(how);
    BOOST_TEST(rig.row("aws").spooled == 900);
    BOOST_TEST((rig.elapsed() < 30s));
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

/// Keys that are known at the start.
stages::batch_options streamed(packing format = packing::none) {
    auto how = large(format);
    how.key = stages::key_template::parse("{prefix}/{position}.{ext}", format).what;
    how.bytes = 100 * mebibyte;
    return how;
}

/// source | gather | upload, the source held by the test.
struct streaming_rig : large_rig {
    using large_rig::large_rig;

    started_task start(const stages::batch_options& batch) {
        pipeline_.emplace(chain(stages::gather({batch, {}, objects, shared}),
                                stages::upload(shared, stages::every_service())));
        return shard.start(pipeline_->run(receiver<stages::event>(in), x));
    }
    std::uint64_t calls(storage::operation what) { return bucket("aws").calls[what]; }
    /// 8.5 MB of events, a little more than a part.
    void send_part() { send_some(142); }
    void end(started_task running) {
        in->close();
        shard.finish(running);
        check_settled();
    }
    std::string only_object() {
        const auto all = stored();
        return all.size() == 1 ? all.begin()->second : std::to_string(all.size()) + " objects";
    }
    std::string all_lines() const {
        std::string out;
        for (std::size_t i = 0; i < sent; ++i) out += body_of("e" + std::to_string(i), event_bytes) + "\n";
        return out;
    }

private:
    std::optional<decltype(chain(stages::gather({{}, {}}), stages::upload({}, {})))> pipeline_{};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(growing_objects)

BOOST_AUTO_TEST_CASE(are_sent_while_they_grow_and_seen_when_they_are_whole) {
    streaming_rig rig;
    auto running = rig.start(streamed());
    rig.send_part();
    rig.send_part();
    rig.shard.settle();
    BOOST_TEST(rig.calls(storage::operation::start) == 1U);
    BOOST_TEST(rig.calls(storage::operation::put_part) == 2U);
    BOOST_TEST(rig.stored().empty());
    rig.send_some(3);
    rig.end(running);
    BOOST_TEST((rig.only_object() == rig.all_lines()));
    BOOST_TEST(rig.row("aws").delivered == rig.sent);
    BOOST_TEST(rig.calls(storage::operation::start) == 1U);
    BOOST_TEST(rig.calls(storage::operation::put_part) == 3U);
    BOOST_TEST(rig.files_left() == 0U);
    BOOST_TEST(rig.shard.count["parts_sent_ahead"] == 2U);
    BOOST_TEST(rig.bucket("aws").objects.begin()->second.content_type == "application/x-ndjson");
}

BOOST_AUTO_TEST_CASE(whose_keys_need_their_end_are_sent_when_they_are_whole) {
    streaming_rig rig;
    auto how = large(packing::none);
    how.bytes = 100 * mebibyte;
    auto running = rig.start(how);
    rig.send_part();
    rig.send_part();
    rig.shard.settle();
    BOOST_TEST(rig.calls(storage::operation::start) == 0U);
    rig.end(running);
    BOOST_TEST((rig.only_object() == rig.all_lines()));
}

BOOST_AUTO_TEST_CASE(send_the_rest_at_the_end_when_a_part_was_refused_ahead) {
    streaming_rig rig;
    rig.bucket("aws").fail = [left = 1](storage::operation what, const std::string&) mutable {
        const bool now = what == storage::operation::put_part && left-- == 0;
        return now ? std::optional(error(disposition::retry, "503")) : std::nullopt;
    };
    auto running = rig.start(streamed());
    rig.send_part();
    rig.send_part();
    rig.shard.settle();
    BOOST_TEST(rig.shard.count["parts_sent_ahead"] == 1U);
    rig.end(running);
    BOOST_TEST((rig.only_object() == rig.all_lines()));
    BOOST_TEST(rig.calls(storage::operation::start) == 1U);
    BOOST_TEST(rig.calls(storage::operation::put_part) == 4U);  // the second twice
}

BOOST_AUTO_TEST_CASE(begin_anew_when_the_store_was_made_anew) {
    streaming_rig rig;
    auto running = rig.start(streamed());
    rig.send_part();
    rig.shard.settle();
    BOOST_TEST(rig.bucket("aws").uploads.size() == 1U);
    rig.shared->credential_changed("");
    rig.send_part();
    rig.end(running);
    BOOST_TEST((rig.only_object() == rig.all_lines()));
    BOOST_TEST(rig.calls(storage::operation::start) == 2U);
    BOOST_TEST(rig.bucket("aws").uploads.empty());
    BOOST_TEST(rig.shard.count["uploads_ahead_dropped"] == 1U);
}

BOOST_AUTO_TEST_CASE(end_with_one_request_at_a_time) {
    auto options = large_rig::patient();
    options.in_flight = 1;
    options.timeout = 20s;
    streaming_rig rig(options);
    rig.slow_down("aws", 3s);
    auto running = rig.start(streamed());
    for (int i = 0; i < 4; ++i) rig.send_part();
    rig.end(running);
    BOOST_TEST(rig.row("aws").delivered == rig.sent);
    BOOST_TEST((rig.only_object() == rig.all_lines()));
    BOOST_TEST((rig.elapsed() < 40s));
}

BOOST_AUTO_TEST_CASE(that_a_store_hangs_on_are_delivered_or_spooled_all_the_same) {
    auto options = large_rig::patient();
    options.timeout = 10s;
    streaming_rig rig(options);
    auto running = rig.start(streamed());
    rig.send_part();
    rig.shard.settle();
    rig.hang("aws");
    rig.send_part();
    rig.shard.settle();
    rig.end(running);
    BOOST_TEST(rig.row("aws").spooled == rig.sent);
    BOOST_TEST((rig.elapsed() < 60s));
}

BOOST_AUTO_TEST_CASE(whose_file_fails_leave_no_upload_behind) {
    streaming_rig rig;
    auto running = rig.start(streamed());
    rig.send_part();
    rig.shard.settle();
    BOOST_TEST(rig.bucket("aws").uploads.size() == 1U);
    rig.files.only([](const std::string& call) { return call == "write"; });
    rig.files.fail(0, EIO);
    rig.send_part();
    rig.end(running);
    BOOST_TEST(rig.all_verdicts_are(outcome::lost));
    BOOST_TEST(rig.bucket("aws").uploads.empty());
    BOOST_TEST(rig.stored().empty());
}

BOOST_AUTO_TEST_CASE(wait_for_the_part_that_is_on_its_way_and_do_not_send_it_twice) {
    auto options = large_rig::patient();
    options.timeout = 60s;
    streaming_rig rig(options);
    rig.bucket("aws").pause = [&rig](storage::operation what, std::string) {
        const auto pause = what == storage::operation::put_part ? 5s : 0s;
        return rig.shard.time.sleep_until(rig.shard.time.now() + pause);
    };
    auto running = rig.start(streamed());
    rig.send_part();
    rig.shard.settle();
    rig.end(running);
    BOOST_TEST((rig.only_object() == rig.all_lines()));
    BOOST_TEST(rig.calls(storage::operation::put_part) == 2U);
}

BOOST_AUTO_TEST_CASE(of_two_destinations_are_sent_to_both_and_fail_apart) {
    streaming_rig rig;
    rig.bucket("azure").fail = [](storage::operation, const std::string&) {
        return std::optional(error(disposition::retry, "503"));
    };
    auto running = rig.start(streamed());
    for (int i = 0; i < 600; ++i)
        rig.send({{"e" + std::to_string(rig.sent++), rig.targets({"aws", "azure"}), {}, event_bytes}});
    rig.shard.settle();
    BOOST_TEST(rig.calls(storage::operation::put_part) == 4U);
    rig.in->close();
    rig.shard.finish(running);
    rig.check_settled();
    BOOST_TEST((rig.only_object() == rig.all_lines()));
    BOOST_TEST(rig.row("azure").spooled == 600);
}

BOOST_AUTO_TEST_CASE(end_when_the_pipeline_is_cancelled) {
    streaming_rig rig;
    auto running = rig.start(streamed());
    rig.send_part();
    rig.shard.settle();
    running.cancel();
    rig.shard.settle();
    BOOST_TEST(running.done());
    BOOST_TEST(rig.all_verdicts_are(outcome::lost));
}

BOOST_AUTO_TEST_SUITE_END()
