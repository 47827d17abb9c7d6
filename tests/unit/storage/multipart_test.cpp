#include "storage/multipart_upload.hpp"

#include "http/digest.hpp"
#include "storage/crc32c.hpp"
#include "storage/crc64nvme.hpp"
#include "storage/memory_store.hpp"
#include "storage/multipart_plan.hpp"
#include "storage/s3_headers.hpp"
#include "tests/support/shard_fixture.hpp"
#include "tests/unit/storage/vectors.hpp"

#include <algorithm>
#include <random>

using namespace firehose;
using namespace firehose::storage;
using namespace std::chrono_literals;

namespace {

std::string noise(std::size_t size) {
    std::minstd_rand next(7);
    std::string out(size, '\0');
    for (auto& c : out) c = static_cast<char>(next());
    return out;
}

std::vector<std::byte> from_hex(std::string_view hex) {
    std::vector<std::byte> out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        out.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
    return out;
}

std::string shown(std::uint64_t value, int digits) {
    std::ostringstream out;
    out << std::hex << std::setw(digits) << std::setfill('0') << value;
    return out.str();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(checksums)

BOOST_AUTO_TEST_CASE(known_values) {
    // The check value of the CRC catalogue and those of awslabs/aws-checksums.
    const auto all = vectors::golden("checksums.json");
    for (const auto& row : all.at("rows").as_array()) {
        const auto bytes = from_hex(vectors::text(row.at("hex")));
        BOOST_TEST(shown(crc64nvme(bytes), 16) == vectors::text(row.at("crc64nvme")));
        BOOST_TEST(shown(crc64nvme_portable(bytes), 16) == vectors::text(row.at("crc64nvme")));
        BOOST_TEST(shown(crc32c(bytes), 8) == vectors::text(row.at("crc32c")));
    }
    BOOST_TEST(all.at("rows").as_array().size() == 6U);
}

BOOST_AUTO_TEST_CASE(published_values_in_the_spelling_of_the_headers) {
    if (!vectors::have("checksum-vectors.json")) return;
    const auto all = vectors::load(vectors::folder() / "checksum-vectors.json");
    for (const auto& row : all.at("rows").as_array()) {
        if (row.at("hex").is_null()) continue;  // a description, too long to be written out
        const auto bytes = from_hex(vectors::text(row.at("hex")));
        const payload body{bytes};
        BOOST_TEST(checksum_text(checksum_choice::crc32c, body) ==
                   vectors::text(row.at("x_amz_checksum_crc32c")));
        BOOST_TEST(checksum_text(checksum_choice::crc64nvme, body) ==
                   vectors::text(row.at("x_amz_checksum_crc64nvme")));
        BOOST_TEST(http::to_hex(http::sha256(body)) == vectors::text(row.at("sha256_hex")));
    }
}

BOOST_AUTO_TEST_CASE(both_ways_agree_at_every_length_and_seam) {
    const auto text = noise(1500);
    const auto bytes = as_bytes(text);
    for (std::size_t size = 0; size <= 700; ++size)
        BOOST_TEST(crc64nvme(bytes.first(size)) == crc64nvme_portable(bytes.first(size)), size);
    const auto whole = crc64nvme_portable(bytes);
    for (std::size_t seam = 0; seam <= bytes.size(); seam += 13)
        BOOST_TEST(crc64nvme(bytes.subspan(seam), crc64nvme(bytes.first(seam))) == whole, seam);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(part_plans)

BOOST_AUTO_TEST_CASE(parts_cover_the_body_once_in_order) {
    capabilities can;
    can.min_part = 5;
    can.max_parts = 100;
    part_settings wanted;
    for (const std::uint64_t size : {1U, 4U, 5U, 6U, 99U, 100U, 101U, 12345U}) {
        for (const std::uint64_t part : {1U, 5U, 7U, 1000U}) {
            wanted.size = part;
            const auto plan = plan_parts(size, can, wanted);
            BOOST_REQUIRE(plan.has_value());
            BOOST_TEST(plan->count <= 100);
            std::uint64_t next = 0;
            for (int number = 1; number <= plan->count; ++number) {
                const auto range = plan->part(number);
                BOOST_TEST(range.first == next);
                BOOST_TEST(range.count > 0U);
                if (number < plan->count) BOOST_TEST(range.count >= 5U);
                next += range.count;
            }
            BOOST_TEST(next == size);
        }
    }
    BOOST_TEST(!plan_parts(0, can, wanted).has_value());
    can.max_parts = 0;
    BOOST_TEST(!plan_parts(10, can, wanted).has_value());
}

BOOST_AUTO_TEST_CASE(the_largest_object_of_s3_has_parts_that_fit) {
    capabilities can;
    can.min_part = 5 << 20;
    can.max_parts = 10'000;
    const std::uint64_t largest = std::uint64_t{5} << 40;
    const auto plan = plan_parts(largest, can, part_settings());
    BOOST_TEST(plan->count <= 10'000);
    BOOST_TEST(plan->part_size <= std::uint64_t{5} << 30);
    BOOST_TEST(plan->part_size % (1 << 20) == 0U);
}

BOOST_AUTO_TEST_CASE(bodies_above_the_threshold_or_too_large_for_one_put) {
    capabilities can;
    can.max_put = 100;
    part_settings wanted;
    wanted.threshold = 50;
    BOOST_TEST(!goes_in_parts(101, can, wanted));  // not offered
    can.min_part = 1;
    can.max_parts = 10;
    BOOST_TEST(!goes_in_parts(50, can, wanted));
    BOOST_TEST(goes_in_parts(51, can, wanted));
    wanted.threshold = 1000;
    BOOST_TEST(goes_in_parts(101, can, wanted));
}

BOOST_AUTO_TEST_CASE(pieces_are_cut_without_a_copy) {
    const std::string text = "0123456789";
    const payload body{as_bytes("012"), as_bytes(""), as_bytes("3456"), as_bytes("789")};
    for (std::uint64_t first = 0; first <= 10; ++first)
        for (std::uint64_t count = 0; count <= 11; ++count) {
            std::string cut;
            for (const auto piece : cut_out(body, {first, count})) cut += as_text(piece);
            BOOST_TEST(cut == text.substr(first, count));
        }
    BOOST_TEST(size_of(body) == 10U);
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

struct driver_rig : shard_fixture {
    memory_store store;
    multipart_options options;
    std::string text = noise(10'050);
    std::size_t at_once = 0;
    std::size_t most_at_once = 0;

    driver_rig() {
        options.parts.size = 1000;
        options.parts.in_flight = 3;
        store.bucket().pause = [this](operation what, std::string) { return count(what); };
    }
    task<> count(operation what) {
        if (what != operation::put_part) co_return;
        most_at_once = std::max(most_at_once, ++at_once);
        const auto wake = time.now() + 10ms;
        co_await time.sleep_until(wake);
        --at_once;
    }
    task<result<object_info>> upload_task() {
        const payload body{as_bytes(std::string_view(text).substr(0, 1234)),
                           as_bytes(std::string_view(text).substr(1234))};
        const put_options how;
        const auto deadline = time.now() + 1h;
        auto done = co_await upload_in_parts(store, x, "k", body, how, deadline, options);
        co_return done;
    }
    result<object_info> upload() { return run(upload_task()); }
    std::uint64_t calls(operation what) { return store.bucket().calls[what]; }
    /// The n-th put_part and all after it for `times` fail.
    void fail_parts(std::uint64_t from, int times, disposition what) {
        store.bucket().fail = [this, from, times, what](operation op, const std::string&) mutable {
            const bool now = op == operation::put_part && calls(op) >= from && times > 0;
            if (!now) return std::optional<error>();
            --times;
            return std::optional<error>(error(what, "scripted"));
        };
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(multipart_driver, driver_rig)

BOOST_AUTO_TEST_CASE(a_body_in_parts_is_the_body_and_no_more_are_under_way_than_allowed) {
    const auto done = upload();
    BOOST_REQUIRE(done.has_value());
    BOOST_TEST(done->size == text.size());
    BOOST_TEST((store.bucket().objects.at("k").body == text));
    BOOST_TEST(calls(operation::put_part) == 11U);
    BOOST_TEST(most_at_once == 3U);
    BOOST_TEST(store.bucket().uploads.empty());
}

BOOST_AUTO_TEST_CASE(failed_parts_are_sent_again_and_the_others_are_not) {
    fail_parts(4, 2, disposition::retry);
    BOOST_REQUIRE(upload().has_value());
    BOOST_TEST(calls(operation::put_part) == 13U);
    BOOST_TEST((store.bucket().objects.at("k").body == text));
}

BOOST_AUTO_TEST_CASE(what_cannot_succeed_ends_it_at_once_and_leaves_nothing) {
    fail_parts(4, 1, disposition::stop);
    const auto done = upload();
    BOOST_REQUIRE(!done.has_value());
    BOOST_TEST((done.error().what() == disposition::stop));
    BOOST_TEST(calls(operation::put_part) <= 6U);
    BOOST_TEST(calls(operation::abort) == 1U);
    BOOST_TEST(store.bucket().uploads.empty());
    BOOST_TEST(store.bucket().objects.empty());
}

BOOST_AUTO_TEST_CASE(an_outage_ends_after_the_attempts_allowed) {
    fail_parts(1, 1'000'000, disposition::retry);
    const auto done = upload();
    BOOST_REQUIRE(!done.has_value());
    BOOST_TEST((done.error().what() == disposition::retry));
    BOOST_TEST(calls(operation::put_part) <= 9U);
    BOOST_TEST(store.bucket().uploads.empty());
}

BOOST_AUTO_TEST_CASE(a_completion_is_tried_again_too) {
    int failures = 2;
    store.bucket().fail = [&failures](operation op, const std::string&) {
        const bool now = op == operation::complete && failures-- > 0;
        return now ? std::optional<error>(error(disposition::retry, "scripted")) : std::nullopt;
    };
    BOOST_TEST(upload().has_value());
    BOOST_TEST(calls(operation::complete) == 3U);
}

BOOST_AUTO_TEST_CASE(cancellation_at_any_moment_leaves_nothing) {
    int cancelled = 0;
    for (int turns = 0; turns < 60; ++turns) {
        auto running = start([](driver_rig& rig) -> task<> {
            auto done = co_await rig.upload_task();
            (void)done;
        }(*this));
        for (int i = 0; i < turns; ++i) {
            if (running.done()) break;
            io.poll_one();
            if (i % 7 == 6) time.advance(3ms);
        }
        running.cancel();
        try {
            finish(running);
        } catch (const boost::system::system_error& e) {
            BOOST_TEST((e.code() == asio::error::operation_aborted));
        }
        cancelled += running.was_cancelled();
        BOOST_TEST(store.bucket().uploads.empty(), turns);
    }
    BOOST_TEST(cancelled > 30);
    BOOST_TEST(calls(operation::abort) > 20U);
}

BOOST_AUTO_TEST_CASE(an_upload_left_behind_is_gone_on_with) {
    std::string token;
    options.begun = [&token](const std::string& t) { token = t; };
    fail_parts(6, 1'000'000, disposition::retry);
    BOOST_TEST(!upload().has_value());
    BOOST_TEST(calls(operation::abort) == 0U);
    BOOST_TEST(store.bucket().uploads.size() == 1U);
    const auto there = store.bucket().uploads.begin()->second.size();
    BOOST_TEST(there > 0U);
    const auto before = calls(operation::put_part);
    store.bucket().fail = nullptr;
    options.resume = token;
    BOOST_TEST(upload().has_value());
    BOOST_TEST(calls(operation::put_part) - before == 11U - there);
    BOOST_TEST((store.bucket().objects.at("k").body == text));
    options.resume = "gone";
    BOOST_TEST(upload().has_value());
    BOOST_TEST(store.bucket().uploads_begun == 2U);
}

BOOST_AUTO_TEST_SUITE_END()
