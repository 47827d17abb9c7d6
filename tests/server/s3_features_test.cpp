#include "storage/s3_presign.hpp"
#include "tests/server/large_object.hpp"
#include "tests/server/s3_bucket.hpp"

#include "pipeline/bytes.hpp"

#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace firehose::server_test;
using namespace std::chrono_literals;

namespace {

void large_body_in_parts(scheme how, storage::checksum_choice checksum) {
    s3_bucket bucket(how);
    bucket.settings.checksum = checksum;
    bucket.settings.unsigned_payload = how == scheme::https;
    bucket.settings.parts.threshold = 6 << 20;
    bucket.settings.parts.size = 5 << 20;
    const auto store = bucket.store();
    const auto text = numbered(large_size());
    const auto began = std::chrono::steady_clock::now();
    const auto etag = bucket.run(put_and_compare(*store, bucket.shard(), text));
    BOOST_REQUIRE_MESSAGE(etag.has_value(), etag.error().context());
    const auto parts = (text.size() - 1) / (5 << 20) + 1;
    BOOST_TEST(etag->ends_with("-" + std::to_string(parts)), *etag);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    BOOST_TEST_MESSAGE(text.size() << " bytes in " << parts << " parts and back in " << took.count() << " s");
}

std::string header(const http::response& r, std::string_view name) {
    const auto* found = http::find_header(r.headers, name);
    return found ? *found : "";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(s3_features)

BOOST_AUTO_TEST_CASE(large_bodies_go_in_parts_over_http) {
    large_body_in_parts(scheme::http, storage::checksum_choice::when_required);
}
BOOST_AUTO_TEST_CASE(large_bodies_go_in_parts_over_https) {
    large_body_in_parts(scheme::https, storage::checksum_choice::crc32c);
}

BOOST_AUTO_TEST_CASE(what_an_object_is_stored_with_comes_back) {
    s3_bucket bucket(scheme::http);
    bucket.settings.metadata = {{"source", "general"}};
    if (abilities().tags) bucket.settings.tags = {{"a b", "c&d"}};
    const auto store = bucket.store();
    const auto& x = bucket.shard();
    storage::put_options how;
    how.content_type = "text/plain";
    how.content_encoding = "gzip";
    how.metadata = {{"batch", "7 of 9"}};
    const storage::payload body{as_bytes("hello")};
    const auto put = bucket.run(store->put("labelled", body, how, x.time.now() + 20s));
    BOOST_REQUIRE_MESSAGE(put.has_value(), put.error().context());
    const auto seen = bucket.run(bucket.ask("HEAD", "/" + bucket.name() + "/labelled"));
    BOOST_REQUIRE(seen.has_value());
    BOOST_TEST(header(*seen, "content-type") == "text/plain");
    BOOST_TEST(header(*seen, "content-encoding") == "gzip");
    BOOST_TEST(header(*seen, "x-amz-meta-source") == "general");
    BOOST_TEST(header(*seen, "x-amz-meta-batch") == "7 of 9");
    if (!abilities().tags) return;
    const auto tags = bucket.run(bucket.ask("GET", "/" + bucket.name() + "/labelled?tagging"));
    BOOST_REQUIRE(tags.has_value());
    BOOST_TEST(tags->body.find("<Key>a b</Key><Value>c&amp;d</Value>") != std::string::npos, tags->body);
}

BOOST_AUTO_TEST_CASE(whole_and_in_parts_objects_are_encrypted_under_the_key_that_is_asked_for) {
    if (abilities().kms_key.empty()) return;
    s3_bucket bucket(scheme::https);
    bucket.settings.encryption.algorithm = "aws:kms";
    bucket.settings.encryption.kms_key_id = abilities().kms_key;
    bucket.settings.storage_class = "STANDARD";
    bucket.settings.parts.size = 5 << 20;
    const auto text = numbered((std::size_t{11} << 20) + 3);
    for (const auto threshold : {12U << 20, 6U << 20}) {
        bucket.settings.parts.threshold = threshold;
        const auto store = bucket.store();
        const auto etag = bucket.run(put_and_compare(*store, bucket.shard(), text));
        BOOST_REQUIRE_MESSAGE(etag.has_value(), etag.error().context());
        const auto seen = bucket.run(bucket.ask("HEAD", "/" + bucket.name() + "/large/object"));
        BOOST_REQUIRE(seen.has_value());
        BOOST_TEST(header(*seen, "x-amz-server-side-encryption") == "aws:kms");
        BOOST_TEST(header(*seen, "x-amz-server-side-encryption-aws-kms-key-id") == abilities().kms_key);
    }
    bucket.settings.encryption.kms_key_id = "no-such-key";
    const auto refused = bucket.run(put_and_compare(*bucket.store(), bucket.shard(), text));
    BOOST_TEST(!refused.has_value());
}

BOOST_AUTO_TEST_CASE(a_url_does_what_it_was_signed_for_and_no_more) {
    for (const auto by : {scheme::http, scheme::https}) {
        s3_bucket bucket(by);
        const auto at = storage::locate_s3(bucket.credential, bucket.name(), "us-east-1").value();
        const storage::sigv4::identity who{bucket.credential.username, bucket.credential.password, {}};
        const auto ask = [&](const char* signed_for, const char* used, std::chrono::seconds age = 0s) {
            storage::presign_options how;
            how.method = signed_for;
            how.expires = 60s;
            const auto now = bucket.shard().time.wall_now() - age;
            auto url = storage::presign_s3(who, at, "by url/ä+%", how, now).value();
            const auto got = bucket.run(bucket.ask_by_url(used, url, *used == 'P' ? "hello" : ""));
            BOOST_REQUIRE_MESSAGE(got.has_value(), got.error().context());
            return *got;
        };
        BOOST_TEST(ask("PUT", "PUT").status == 200);
        BOOST_TEST(ask("GET", "GET").body == "hello");
        BOOST_TEST(ask("HEAD", "HEAD").status == 200);
        BOOST_TEST(ask("GET", "DELETE").status == 403);
        BOOST_TEST(ask("GET", "GET", 61s).status == 403);
        BOOST_TEST(ask("DELETE", "DELETE").status == 204);
        BOOST_TEST(ask("GET", "GET").status == 404);
    }
}

BOOST_AUTO_TEST_CASE(a_damaged_body_is_refused_where_checksums_are_verified) {
    if (!abilities().checksums) return;
    s3_bucket bucket(scheme::https);
    for (const auto which : {storage::checksum_choice::crc32c, storage::checksum_choice::crc64nvme}) {
        bucket.settings.checksum = which;
        bucket.settings.unsigned_payload = true;
        const auto store = bucket.store();
        const storage::payload body{as_bytes("hello")};
        const storage::put_options how;
        const auto deadline = bucket.shard().time.now() + 20s;
        BOOST_TEST(bucket.run(store->put("sound", body, how, deadline)).has_value());
        const auto refused = bucket.run(bucket.put_with_wrong_checksum("damaged", which));
        BOOST_REQUIRE(refused.has_value());
        BOOST_TEST(refused->status == 400, refused->body);
        const auto seen = bucket.run(store->head("damaged", deadline));
        BOOST_TEST(!seen.has_value());
    }
}

BOOST_AUTO_TEST_CASE(a_wrong_region_is_corrected_by_the_first_answer_where_it_is_checked) {
    s3_bucket bucket(scheme::http);
    bucket.credential.region = "eu-west-1";
    const auto store = bucket.store();
    const storage::payload body{as_bytes("hello")};
    const storage::put_options how;
    const auto put = bucket.run(store->put("k", body, how, bucket.shard().time.now() + 20s));
    BOOST_TEST(put.has_value(), (put.has_value() ? "" : put.error().context()));
}

BOOST_AUTO_TEST_CASE(a_place_is_checked_without_touching_an_object) {
    s3_bucket bucket(scheme::http);
    const auto deadline = bucket.shard().time.now() + 20s;
    const auto store = bucket.store();
    BOOST_TEST(bucket.run(store->check(deadline)).has_value());
    const auto nowhere = bucket.store_with(bucket.credential, "no-such-bucket-here");
    const auto missing = bucket.run(nowhere->check(deadline));
    BOOST_REQUIRE(!missing.has_value());
    BOOST_TEST(missing.error().context().find("bucket no-such-bucket-here does not exist") !=
               std::string::npos);
    BOOST_TEST((missing.error().what() == disposition::stop));
}

BOOST_AUTO_TEST_SUITE_END()
