#include "storage/s3_store.hpp"

#include "http/date.hpp"
#include "tests/unit/storage/s3_rig.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace firehose;
using namespace firehose::storage;
using namespace std::chrono_literals;

namespace {

struct s3_fixture : s3_rig {
    task<result<object_info>> put_task(put_options how) {
        const payload body{as_bytes("he"), as_bytes("llo")};
        const auto deadline = time.now() + 1h;
        auto done = co_await store->put("a key/1.json", body, how, deadline);
        co_return done;
    }
    result<object_info> put(bool only_if_absent = false) {
        put_options how;
        how.only_if_absent = only_if_absent;
        return run(put_task(how));
    }
    error refused() {
        auto done = put();
        BOOST_REQUIRE(!done.has_value());
        return done.error();
    }
    std::chrono::milliseconds since_start(time_source::steady began) const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(time.now() - began);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(s3_exchanges, s3_fixture)

BOOST_AUTO_TEST_CASE(a_put_as_it_goes_over_the_wire) {
    with.session_token = secret("token");
    make();
    const auto done = put(true);
    BOOST_REQUIRE(done.has_value());
    BOOST_TEST(done->etag == "abc");
    BOOST_TEST(done->size == 5U);
    const auto& r = server.seen.at(0);
    BOOST_TEST(r.method == "PUT");
    BOOST_TEST(r.host == "b00.s3.us-east-1.amazonaws.com");
    BOOST_TEST(r.header("host") == r.host);
    BOOST_TEST(r.target == "/a%20key/1.json");
    BOOST_TEST(r.header("content-type") == "application/json");
    BOOST_TEST(r.header("if-none-match") == "*");
    BOOST_TEST(r.header("x-amz-security-token") == "token");
    BOOST_TEST(r.header("x-amz-date") == "20260101T000000Z");
    BOOST_TEST(r.header("x-amz-content-sha256") == http::to_hex(http::sha256("hello")));
    BOOST_TEST(r.header("authorization").find("Credential=AKIA1/20260101/us-east-1/s3/aws4_request") !=
               std::string::npos);
    BOOST_TEST(r.header("authorization")
                   .find("SignedHeaders=content-type;host;if-none-match;x-amz-checksum-crc32c;x-amz-"
                         "content-sha256;x-amz-date;x-amz-sdk-checksum-algorithm;x-amz-security-token") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_object_that_is_already_there_is_success_only_when_asked_for) {
    server.answers.emplace_back(answer(412, error_document("PreconditionFailed")));
    BOOST_TEST(put(true).has_value());
    server.answers.emplace_back(answer(412, error_document("PreconditionFailed")));
    BOOST_TEST(!put(false).has_value());
}

BOOST_AUTO_TEST_CASE(a_success_that_proves_nothing_is_no_delivery) {
    const std::vector<http::response> lies = {
        answer(200),                           // no ETag, no request id
        answer(203, "", {{"ETag", "\"x\""}}),  // a proxy's
        answer(200, "<html>", {{"Content-Type", "text/html; charset=utf-8"}, {"ETag", "\"x\""}}),
        answer(200, error_document("InternalError"), {{"ETag", "\"x\""}}),
        answer(204, "", {{"ETag", "\"x\""}}),
    };
    for (const auto& lie : lies) {
        server.answers.assign(3, lie);
        const auto e = refused();
        BOOST_TEST((e.what() == disposition::retry));
        BOOST_TEST(server.answers.empty());  // it was tried again, as often as allowed
    }
    server.answers.emplace_back(answer(200));
    BOOST_TEST(put().has_value());  // one lie, then the truth
    server.answers.emplace_back(answer(200, "", {{"x-amz-request-id", "R"}}));
    BOOST_TEST(put().has_value());
    server.answers.emplace_back(answer(200, "", {{"ETag", "\"x\""}, {"Content-Type", "text/html"}}));
    BOOST_TEST(put().has_value());  // Swift's
}

BOOST_AUTO_TEST_CASE(a_refusal_says_who_what_where_and_no_secret) {
    server.answers.emplace_back(
        answer(403, error_document("AccessDenied", "<Message>Access Denied</Message>")));
    const auto e = refused();
    BOOST_TEST(e.context() ==
               "PUT b00/a key/1.json: 403 AccessDenied, request id R1: Access Denied; "
               "access key id AKIA1 is known there but lacks s3:PutObject on bucket b00; allow it in "
               "the policy of the user or of the bucket");
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.status() == 403);
    BOOST_TEST(e.provider_code() == "AccessDenied");
    BOOST_TEST(server.seen.size() == 1U);
}

BOOST_AUTO_TEST_CASE(retry_after_is_a_floor_here_too) {
    server.answers.emplace_back(answer(503, error_document("SlowDown"), {{"Retry-After", "7"}}));
    const auto began = time.now();
    BOOST_TEST(put().has_value());
    BOOST_TEST((since_start(began) == 7000ms));
}

BOOST_AUTO_TEST_CASE(each_attempt_is_signed_with_the_time_of_its_own) {
    server.answers.emplace_back(answer(503, "", {{"Retry-After", "60"}}));
    BOOST_TEST(put().has_value());
    BOOST_TEST(server.seen.at(0).header("x-amz-date") == "20260101T000000Z");
    BOOST_TEST(server.seen.at(1).header("x-amz-date") == "20260101T000100Z");
    BOOST_TEST(server.seen.at(0).header("authorization") != server.seen.at(1).header("authorization"));
    BOOST_TEST(server.seen.at(0).headers.size() == server.seen.at(1).headers.size());
    BOOST_TEST(server.seen.at(1).body == "hello");
}

BOOST_AUTO_TEST_CASE(a_wrong_clock_costs_one_request_and_then_none) {
    const auto theirs = time.wall_now() + 20min;
    server.answers.emplace_back(
        answer(403, error_document("RequestTimeTooSkewed"), {{"Date", http::format_date(theirs)}}));
    const auto began = time.now();
    BOOST_TEST(put().has_value());
    BOOST_TEST((since_start(began) == 0ms));
    BOOST_TEST(server.seen.at(1).header("x-amz-date") == "20260101T002000Z");
    BOOST_TEST(put().has_value());
    BOOST_TEST(server.seen.size() == 3U);
    BOOST_TEST(server.seen.at(2).header("x-amz-date") == "20260101T002000Z");
    BOOST_TEST(log_lines.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_clock_that_cannot_be_learned_stops) {
    const auto skewed =
        answer(403, error_document("RequestTimeTooSkewed"), {{"Date", http::format_date(time.wall_now())}});
    server.answers.assign(9, skewed);
    const auto e = refused();
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(server.seen.size() == 2U);
    BOOST_TEST(e.context().find("clock") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(another_region_is_found_once_and_kept) {
    server.answers.emplace_back(
        answer(301, error_document("PermanentRedirect"), {{"x-amz-bucket-region", "eu-west-1"}}));
    BOOST_TEST(put().has_value());
    BOOST_TEST(server.seen.at(1).host == "b00.s3.eu-west-1.amazonaws.com");
    BOOST_TEST(server.seen.at(1).header("host") == server.seen.at(1).host);
    BOOST_TEST(server.seen.at(1).header("authorization").find("/eu-west-1/s3/") != std::string::npos);
    BOOST_TEST(put().has_value());
    BOOST_TEST(server.seen.size() == 3U);
    BOOST_TEST(server.seen.at(2).host == "b00.s3.eu-west-1.amazonaws.com");
}

BOOST_AUTO_TEST_CASE(a_region_in_the_body_serves_too_and_an_own_endpoint_keeps_its_host) {
    with.endpoint = "http://127.0.0.1:9000";
    make();
    server.answers.emplace_back(
        answer(400, error_document("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>")));
    BOOST_TEST(put().has_value());
    BOOST_TEST(server.seen.at(1).host == "127.0.0.1:9000");
    BOOST_TEST(server.seen.at(1).header("authorization").find("/eu-west-1/s3/") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(nobody_is_led_astray) {
    const std::vector<http::response> bait = {
        answer(301, "", {{"Location", "https://evil.example/"}}),
        answer(307, "", {{"x-amz-bucket-region", "evil.example/"}}),
        answer(301, "", {{"x-amz-bucket-region", "cn-north-1"}}),  // another provider domain
        answer(301, "", {{"x-amz-bucket-region", "us-east-1"}}),   // where we are
    };
    for (const auto& lure : bait) {
        server.seen.clear();
        server.answers.assign(1, lure);
        const auto e = refused();
        BOOST_TEST((e.what() == disposition::stop));
        BOOST_TEST(server.seen.size() == 1U);
        BOOST_TEST(server.seen.at(0).host == "b00.s3.us-east-1.amazonaws.com");
    }
    server.seen.clear();  // round and round: at most two hops
    for (int i = 0; i < 5; ++i)
        server.answers.emplace_back(
            answer(301, "", {{"x-amz-bucket-region", i % 2 == 0 ? "eu-west-1" : "eu-west-2"}}));
    refused();
    BOOST_TEST(server.seen.size() == 3U);
}

BOOST_AUTO_TEST_CASE(keys_too_long_never_leave_the_house) {
    const auto key = std::string(1025, 'k');
    const payload body;
    const put_options how;
    const auto done = run(store->put(key, body, how, time.now() + 1h));
    BOOST_REQUIRE(!done.has_value());
    BOOST_TEST((done.error().what() == disposition::park));
    BOOST_TEST(server.seen.empty());
}

BOOST_AUTO_TEST_CASE(an_absent_object_and_a_forbidden_one_differ) {
    server.answers.emplace_back(answer(404));
    const auto absent = run(store->head("k", time.now() + 1h));
    BOOST_REQUIRE(!absent.has_value());
    BOOST_TEST(is_not_found(absent.error()));
    server.answers.emplace_back(answer(403));
    const auto forbidden = run(store->head("k", time.now() + 1h));
    BOOST_REQUIRE(!forbidden.has_value());
    BOOST_TEST(!is_not_found(forbidden.error()));
    BOOST_TEST((forbidden.error().what() == disposition::stop));
}

BOOST_AUTO_TEST_CASE(removing_twice_is_no_error) {
    server.answers.emplace_back(answer(204));
    server.answers.emplace_back(answer(404, error_document("NoSuchKey")));
    BOOST_TEST(run(store->remove("k", time.now() + 1h)).has_value());
    BOOST_TEST(run(store->remove("k", time.now() + 1h)).has_value());
}

BOOST_AUTO_TEST_CASE(a_listing_page_by_page) {
    server.answers.emplace_back(answer(
        200, "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
             "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>a/+=</"
             "NextContinuationToken>"
             "<Contents><Key>p/a%2Bb+c%01</Key><Size>12</Size><ETag>&quot;e&quot;</ETag></Contents></"
             "ListBucketResult>"));
    const auto first = run(store->list("p/", "", time.now() + 1h));
    BOOST_REQUIRE(first.has_value());
    BOOST_TEST(first->items.at(0).key == "p/a+b c\x01");
    BOOST_TEST(first->items.at(0).size == 12U);
    BOOST_TEST(first->items.at(0).etag == "e");
    BOOST_TEST(server.seen.at(0).target == "/?encoding-type=url&list-type=2&prefix=p%2F");
    server.answers.emplace_back(
        answer(200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"));
    const auto second = run(store->list("p/", first->next, time.now() + 1h));
    BOOST_REQUIRE(second.has_value());
    BOOST_TEST(second->next == "");
    BOOST_TEST(server.seen.at(1).target ==
               "/?continuation-token=a%2F%2B%3D&encoding-type=url&list-type=2&prefix=p%2F");
}

BOOST_AUTO_TEST_CASE(half_a_listing_is_none) {
    for (const auto* body : {"", "<ListBucketResult><Contents><Key>a</Key><Size>1</Size>", "<html/>",
                             "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
                             "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"}) {
        server.answers.emplace_back(answer(200, body));
        BOOST_TEST(!run(store->list("", "", time.now() + 1h)).has_value(), body);
    }
}

BOOST_AUTO_TEST_SUITE_END()
