#include "pipeline/bytes.hpp"
#include "storage/azure_store.hpp"
#include "storage/refreshed_credential.hpp"
#include "storage/s3_keys.hpp"
#include "storage/s3_store.hpp"
#include "storage/sqs_queue.hpp"
#include "tests/support/shard_fixture.hpp"
#include "tests/unit/storage/fake_transport.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>

using namespace firehose;
using namespace firehose::storage;
using namespace std::chrono_literals;

namespace {

/// One value after the other; the last one goes on.
class changing final : public credential_provider {
public:
    std::string describe() const override { return "the test"; }
    task<result<credential_value>> fetch(time_source::steady) override {
        ++fetches;
        auto next = script.front();
        if (script.size() > 1) script.pop_front();
        co_return next;
    }
    std::deque<result<credential_value>> script{};
    int fetches = 0;
};

struct use_fixture : shard_fixture {
    fake_server server;
    std::shared_ptr<changing> place = std::make_shared<changing>();
    std::shared_ptr<credential_source> source =
        std::make_shared<refreshed_credential>(x, place, "credential c");
    std::unique_ptr<store> to;
    std::unique_ptr<sqs_queue> queue;

    http::transport_factory connect() {
        return [this](const http::authority& at, http::signer* by) {
            return std::make_shared<fake_transport>(server, time, at, by);
        };
    }
    void make_s3() {
        server.usual = answer(200, "", {{"ETag", "\"abc\""}});
        credential with;
        with.type = "user";
        s3_options how;
        how.keys = keys_from(source);
        to = std::make_unique<s3_store>(x, connect(), with, "b00",
                                        locate_s3(with, "b00", "us-east-1").value(), how);
    }
    void make_azure() {
        server.usual = answer(201, "", {{"ETag", "\"abc\""}, {"x-ms-request-id", "R"}});
        const auto at = parse_connection_string("BlobEndpoint=https://acme.blob.core.windows.net").value();
        to = std::make_unique<azure_store>(x, connect(), at, "events", source);
    }
    void make_sqs() {
        server.usual = answer(200, R"({"Attributes":{"ApproximateNumberOfMessages":"7"}})");
        credential with;
        with.type = "user";
        sqs_options how;
        how.keys = source;
        queue = std::make_unique<sqs_queue>(
            x, connect(), with, locate_sqs(with, "https://sqs.eu-west-1.amazonaws.com/1/q").value(), how);
    }
    task<result<queue_attributes>> ask_task() {
        const auto deadline = time.now() + 1h;
        auto done = co_await queue->attributes(deadline);
        co_return done;
    }
    result<queue_attributes> ask() { return run(ask_task()); }
    task<result<object_info>> put_task() {
        const payload body{as_bytes("hello")};
        const put_options how;
        const std::string key = "k";
        const auto deadline = time.now() + 1h;
        auto done = co_await to->put(key, body, how, deadline);
        co_return done;
    }
    result<object_info> put() { return run(put_task()); }
    credential_value keys(const std::string& id, std::chrono::seconds life = 3600s) const {
        credential_value out;
        out.access_key_id = id;
        out.secret_access_key = secret("HUSH-" + id);
        out.session_token = secret("token-of-" + id);
        out.expires = time.wall_now() + life;
        return out;
    }
    bool signed_by(std::size_t request, const std::string& id) const {
        const auto& r = server.seen.at(request);
        return r.header("Authorization").find("Credential=" + id + "/") != std::string::npos &&
               r.header("x-amz-security-token") == "token-of-" + id;
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(credentials_in_use, use_fixture)

BOOST_AUTO_TEST_CASE(s3_signs_with_what_was_fetched_and_renews_it_in_time) {
    make_s3();
    place->script = {keys("A"), keys("B", 7200s)};
    BOOST_TEST(put().has_value());
    BOOST_TEST(put().has_value());
    BOOST_TEST(signed_by(0, "A"));
    BOOST_TEST(signed_by(1, "A"));
    BOOST_TEST(place->fetches == 1);
    advance(3550s);
    BOOST_TEST(put().has_value());
    BOOST_TEST(signed_by(2, "B"));
    BOOST_TEST(server.seen.size() == 3U);  // no request was refused for it
}

BOOST_AUTO_TEST_CASE(s3_renews_what_the_server_calls_expired_or_unknown_and_sends_again) {
    make_s3();
    for (const auto* code : {"ExpiredToken", "TokenRefreshRequired", "InvalidAccessKeyId",
                             "SignatureDoesNotMatch", "InvalidToken"}) {
        place->script = {keys("A")};
        source = std::make_shared<refreshed_credential>(x, place, "credential c");
        make_s3();
        server.seen.clear();
        BOOST_TEST(put().has_value());
        advance(10s);
        place->script = {keys("B")};
        server.answers = {answer(403, error_document(code))};
        const auto began = time.now();
        BOOST_TEST(put().has_value(), code);
        BOOST_TEST((time.now() == began));
        BOOST_TEST(server.seen.size() == 3U);
        BOOST_TEST(signed_by(2, "B"), code);
    }
}

BOOST_AUTO_TEST_CASE(s3_renews_once_and_then_a_person_must) {
    make_s3();
    place->script = {keys("A"), keys("B"), keys("C")};
    BOOST_TEST(put().has_value());
    advance(10s);
    server.answers.assign(5, answer(400, error_document("ExpiredToken")));
    const auto done = put();
    BOOST_REQUIRE(!done.has_value());
    BOOST_TEST((done.error().what() == disposition::stop));
    BOOST_TEST(place->fetches == 2);
    BOOST_TEST(server.seen.size() == 3U);
    BOOST_TEST(done.error().context().find("HUSH") == std::string::npos);
    server.answers.clear();
}

BOOST_AUTO_TEST_CASE(head_has_no_body_that_would_say_why) {
    make_s3();
    place->script = {keys("A"), keys("B")};
    BOOST_TEST(put().has_value());
    advance(10s);
    server.answers = {answer(403), answer(200, "", {{"ETag", "\"e\""}, {"Content-Length", "5"}})};
    BOOST_TEST(run(to->head("k", time.now() + 1h)).has_value());
    BOOST_TEST(signed_by(2, "B"));
}

BOOST_AUTO_TEST_CASE(without_any_keys_nothing_is_sent) {
    make_s3();
    place->script = {error(disposition::retry, "the place is out of order")};
    const auto done = put();
    BOOST_REQUIRE(!done.has_value());
    BOOST_TEST((done.error().what() == disposition::retry));
    BOOST_TEST(done.error().context().find("credential c: the place is out of order") != std::string::npos);
    BOOST_TEST(server.seen.empty());
}

BOOST_AUTO_TEST_CASE(azure_shows_its_token_and_gets_a_new_one) {
    make_azure();
    const auto token = [this](const char* text) {
        credential_value out;
        out.bearer = secret(text);
        out.expires = time.wall_now() + 3600s;
        return out;
    };
    place->script = {token("HUSH.1")};
    BOOST_TEST(put().has_value());
    BOOST_TEST(server.seen.at(0).header("Authorization") == "Bearer HUSH.1");
    BOOST_TEST(server.seen.at(0).header("x-ms-date") != "");
    advance(10s);
    place->script = {token("HUSH.2")};
    server.answers = {answer(401, error_document("InvalidAuthenticationInfo"))};
    BOOST_TEST(put().has_value());
    BOOST_TEST(server.seen.at(2).header("Authorization") == "Bearer HUSH.2");
    advance(10s);
    server.answers.assign(3, answer(403, error_document("AuthorizationPermissionMismatch")));
    const auto done = put();
    BOOST_REQUIRE(!done.has_value());
    BOOST_TEST(done.error().context().find("Storage Blob Data Contributor on container events") !=
               std::string::npos);
    BOOST_TEST(done.error().context().find("HUSH") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(azure_takes_a_key_or_a_sas_that_was_replaced) {
    make_azure();
    credential_value sas;
    sas.sas = secret("sp=c&sig=HUSH1");
    place->script = {sas};
    BOOST_TEST(put().has_value());
    BOOST_TEST(server.seen.at(0).target == "/events/k?sp=c&sig=HUSH1");
    advance(10s);
    sas.sas = secret("sp=c&sig=HUSH2");
    place->script = {sas};
    const auto refused = answer(403, error_document("AuthenticationFailed"));
    server.answers = {refused};
    BOOST_TEST(put().has_value());
    BOOST_TEST(server.seen.at(2).target == "/events/k?sp=c&sig=HUSH2");
    advance(10s);
    credential_value key;
    key.account_key = secret("bm90LWEtcmVhbC1rZXk=");
    place->script = {key};
    server.answers = {refused};
    BOOST_TEST(put().has_value());
    BOOST_TEST(server.seen.at(4).target == "/events/k");
    BOOST_TEST(server.seen.at(4).header("Authorization").starts_with("SharedKey acme:"));
    advance(10s);
    place->script = {sas};
    server.answers = {refused};
    BOOST_TEST(put().has_value());
    BOOST_TEST(server.seen.at(6).header("Authorization") == "");
    server.answers.assign(3, refused);
    BOOST_TEST(!put().has_value());  // nothing newer to be had
    BOOST_TEST(server.seen.size() == 8U);
}

BOOST_AUTO_TEST_CASE(sqs_signs_with_what_was_fetched_and_renews_it_in_time) {
    make_sqs();
    place->script = {keys("A"), keys("B", 7200s)};
    BOOST_TEST(ask().value().visible == 7U);
    BOOST_TEST(signed_by(0, "A"));
    advance(3550s);
    BOOST_TEST(ask().has_value());
    BOOST_TEST(signed_by(1, "B"));
    BOOST_TEST(server.seen.size() == 2U);
    BOOST_TEST(place->fetches == 2);
}

BOOST_AUTO_TEST_CASE(sqs_renews_what_the_queue_calls_expired_or_unknown_and_sends_again) {
    for (const auto* code : {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId",
                             "UnrecognizedClientException", "InvalidSignatureException"}) {
        place->script = {keys("A")};
        source = std::make_shared<refreshed_credential>(x, place, "credential c");
        make_sqs();
        server.seen.clear();
        BOOST_TEST(ask().has_value());
        advance(10s);
        place->script = {keys("B")};
        server.answers = {
            answer(403, R"({"__type":"com.amazonaws.sqs#)" + std::string(code) + R"(","message":"no"})")};
        BOOST_TEST(ask().has_value(), code);
        BOOST_TEST(server.seen.size() == 3U, code);
        BOOST_TEST(signed_by(2, "B"), code);
    }
}

BOOST_AUTO_TEST_CASE(sqs_without_other_keys_says_whose_were_refused) {
    make_sqs();
    place->script = {keys("A")};
    server.usual = answer(403, R"({"__type":"com.amazonaws.sqs#InvalidClientTokenId","message":"no"})");
    const auto done = ask();
    BOOST_REQUIRE(!done.has_value());
    BOOST_TEST((done.error().what() == disposition::stop));
    BOOST_TEST(done.error().context().find("access key id A") != std::string::npos);
    BOOST_TEST(done.error().context().find("HUSH") == std::string::npos);
    BOOST_TEST(server.seen.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
