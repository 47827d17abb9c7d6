#include "tests/server/s3_bucket.hpp"

#include "pipeline/bytes.hpp"

#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace firehose::server_test;

namespace {

task<result<storage::object_info>> put(storage::store& store, context& x, std::string key) {
    const storage::payload body{as_bytes("hello")};
    const storage::put_options how;
    const auto deadline = x.time.now() + std::chrono::seconds(20);
    auto done = co_await store.put(key, body, how, deadline);
    co_return done;
}

bool mentions(const error& e, std::string_view words) { return e.context().find(words) != std::string::npos; }

struct on_http : s3_bucket {
    on_http() : s3_bucket(scheme::http) {}
    error refused(const storage::credential& with, const std::string& bucket) {
        const auto s = store_with(with, bucket);
        auto done = run(put(*s, shard(), "key"));
        BOOST_REQUIRE(!done.has_value());
        BOOST_TEST_MESSAGE(done.error().context());
        return done.error();
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(s3_refusals, on_http)

BOOST_AUTO_TEST_CASE(a_wrong_secret_stops_the_destination) {
    credential.password = storage::secret("wrong");
    const auto e = refused(credential, name());
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.status() == 403);
    BOOST_TEST(e.provider_code() == "SignatureDoesNotMatch");
    BOOST_TEST(mentions(e, "PUT " + name() + "/key: 403 SignatureDoesNotMatch, request id "));
    BOOST_TEST(mentions(e, credential.username));
    BOOST_TEST(!mentions(e, "wrong"));
}

BOOST_AUTO_TEST_CASE(an_unknown_key_stops_the_destination) {
    credential.username = "NOBODYKNOWSTHISKEY00";
    const auto e = refused(credential, name());
    BOOST_TEST((e.what() == disposition::stop));
    if (!abilities().tells_unknown_keys) return;
    BOOST_TEST(e.provider_code() == "InvalidAccessKeyId");
    BOOST_TEST(mentions(e, "NOBODYKNOWSTHISKEY00 is not known there"));
}

BOOST_AUTO_TEST_CASE(a_missing_bucket_stops_the_destination) {
    const auto e = refused(credential, "no-such-bucket-here");
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.provider_code() == "NoSuchBucket");
    BOOST_TEST(mentions(e, "no-such-bucket-here does not exist"));
}

BOOST_AUTO_TEST_CASE(a_dead_endpoint_is_worth_a_retry) {
    credential.endpoint = "http://127.0.0.1:1";
    const auto e = refused(credential, name());
    BOOST_TEST((e.what() == disposition::retry));
    BOOST_TEST(mentions(e, "http://127.0.0.1:1 cannot be reached: Connection refused"));
}

BOOST_AUTO_TEST_CASE(tls_on_a_port_without_it_fails_with_words) {
    credential.endpoint.replace(0, 4, "https");
    const auto e = refused(credential, name());
    BOOST_TEST(mentions(e, "could not agree on TLS"));
}

BOOST_AUTO_TEST_CASE(a_server_whose_certificate_nobody_vouches_for_is_refused) {
    auto with = working_credential(scheme::https);
    with.ca_file.clear();
    const auto e = refused(with, name());
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(mentions(e, "certificate that is not trusted"));
}

BOOST_AUTO_TEST_CASE(a_missing_file_of_roots_is_named) {
    auto with = working_credential(scheme::https);
    with.ca_file = "/nonexistent/roots.pem";
    const auto e = refused(with, name());
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(mentions(e, "/nonexistent/roots.pem"));
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

/// Twenty minutes off; radosgw refuses from fifteen.
class skewed_time final : public time_source {
public:
    explicit skewed_time(std::chrono::minutes off) : off_(off) {}
    steady now() const override { return real_.now(); }
    wall wall_now() const override { return real_.wall_now() + off_; }
    task<> sleep_until(steady when) override { return real_.sleep_until(when); }

private:
    std::chrono::minutes off_;
    real_time real_;
};

task<int> puts_through_skew(s3_bucket& bucket, context& x, http::client& client) {
    const auto at = storage::locate_s3(bucket.credential, bucket.name(), "us-east-1");
    storage::s3_store store(x, client.transports(), bucket.credential, bucket.name(), at.value());
    int stored = 0;
    for (int i = 0; i < 3; ++i) {
        auto done = co_await put(store, x, "skewed");
        if (done.has_value()) ++stored;
        if (!done.has_value()) BOOST_ERROR(done.error().context());
    }
    client.close_idle();
    co_return stored;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(s3_clock)

BOOST_AUTO_TEST_CASE(a_wrong_clock_is_learned_from_the_first_answer) {
    for (const auto off : {std::chrono::minutes(20), std::chrono::minutes(-20)}) {
        s3_bucket bucket(scheme::http);
        skewed_time time(off);
        int warnings = 0;
        const logger log([&warnings](log_level, std::string_view) { ++warnings; });
        context x{
            bucket.shard().ex,       time, bucket.shard().random, bucket.shard().stop, bucket.shard().count,
            bucket.shard().blocking, log};
        http::client client(x);
        BOOST_TEST(bucket.run(puts_through_skew(bucket, x, client)) == 3);
        BOOST_TEST(warnings == 1);  // one request was refused, the others were right at once
    }
}

BOOST_AUTO_TEST_SUITE_END()
