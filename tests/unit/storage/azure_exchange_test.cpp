#include "http/client.hpp"
#include "http/date.hpp"
#include "pipeline/bytes.hpp"
#include "storage/azure_store.hpp"
#include "tests/support/shard_fixture.hpp"
#include "tests/unit/storage/fake_transport.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace firehose;
using namespace firehose::storage;
using namespace std::chrono_literals;

namespace {

constexpr auto by_key = "AccountName=acme;AccountKey=bm90LWEtcmVhbC1rZXk=";
constexpr auto by_sas =
    "BlobEndpoint=https://acme.blob.core.windows.net;SharedAccessSignature=?sp=c&sig=a+HUSH=";

struct azure_fixture : shard_fixture {
    fake_server server;
    std::unique_ptr<azure_store> store;
    std::shared_ptr<credential_source> source;  ///< of the next make(); null: what the connection string says
    destination_settings settings{};

    azure_fixture() {
        server.usual = answer(201, "", {{"ETag", "\"abc\""}, {"x-ms-request-id", "R"}});
        make(by_key);
    }
    void make(const char* connection_string) {
        const auto at = parse_connection_string(connection_string).value();
        auto connect = [this](const http::authority& to, http::signer* by) {
            return std::make_shared<fake_transport>(server, time, to, by);
        };
        if (!source) {
            credential with;
            with.type = "token";
            with.token = secret(connection_string);
            source = fixed_credential(value_of(with).value(), "the test");
        }
        azure_options how;
        how.settings = settings;
        store = std::make_unique<azure_store>(x, connect, at, "events", source, how);
        source = nullptr;
    }
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
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(azure_exchanges, azure_fixture)

BOOST_AUTO_TEST_CASE(a_put_as_it_goes_over_the_wire) {
    const auto done = put(true);
    BOOST_REQUIRE(done.has_value());
    BOOST_TEST(done->etag == "abc");
    BOOST_TEST(done->size == 5U);
    const auto& r = server.seen.at(0);
    BOOST_TEST(r.method == "PUT");
    BOOST_TEST(r.host == "acme.blob.core.windows.net");
    BOOST_TEST(r.header("host") == r.host);
    BOOST_TEST(r.target == "/events/a%20key/1.json");
    BOOST_TEST(r.header("content-type") == "application/json");
    BOOST_TEST(r.header("content-md5") == "XUFAKrxLKna5cZ2REBfFkg==");  // of "hello"
    BOOST_TEST(r.header("if-none-match") == "*");
    BOOST_TEST(r.header("x-ms-blob-type") == "BlockBlob");
    BOOST_TEST(r.header("x-ms-version") == "2021-12-02");
    BOOST_TEST(r.header("x-ms-date") == "Thu, 01 Jan 2026 00:00:00 GMT");
    const std::string to_sign = "PUT\n\n\n5\nXUFAKrxLKna5cZ2REBfFkg==\napplication/json\n\n\n\n*\n\n\n"
                                "x-ms-blob-type:BlockBlob\nx-ms-date:Thu, 01 Jan 2026 00:00:00 GMT\n"
                                "x-ms-version:2021-12-02\n/acme/events/a%20key/1.json";
    const auto key = http::from_base64("bm90LWEtcmVhbC1rZXk=").value();
    BOOST_TEST(r.header("authorization") ==
               "SharedKey acme:" + http::to_base64(http::hmac_sha256(key, to_sign)));
}

BOOST_AUTO_TEST_CASE(a_sas_goes_in_the_query_and_nowhere_else) {
    make(by_sas);
    server.answers.emplace_back(answer(503));
    server.answers.emplace_back(answer(403, error_document("AuthorizationPermissionMismatch")));
    const auto e = refused();
    BOOST_REQUIRE(server.seen.size() == 2U);
    for (const auto& r : server.seen) {
        BOOST_TEST(r.target == "/events/a%20key/1.json?sp=c&sig=a%2BHUSH%3D");  // once, also when repeated
        BOOST_TEST(r.header("authorization") == "");
    }
    BOOST_TEST(e.context().find("HUSH") == std::string::npos);
    BOOST_TEST(e.context() == "PUT events/a key/1.json: 403 AuthorizationPermissionMismatch, request id R1; "
                              "the SAS lacks the permission write (w)");
}

BOOST_AUTO_TEST_CASE(a_blob_that_is_already_there_is_success_only_when_asked_for) {
    const auto there = answer(409, error_document("BlobAlreadyExists"));
    server.answers.emplace_back(there);
    BOOST_TEST(put(true).has_value());
    server.answers.emplace_back(there);
    BOOST_TEST((refused().what() == disposition::park));
    server.answers.emplace_back(answer(409, error_document("InvalidBlobType")));
    BOOST_TEST(!put(true).has_value());
}

BOOST_AUTO_TEST_CASE(a_success_that_proves_nothing_is_no_delivery) {
    const std::vector<http::response> lies = {
        answer(201),                           // no ETag, no request id
        answer(200, "", {{"ETag", "\"x\""}}),  // Put Blob is 201
        answer(203, "", {{"ETag", "\"x\""}}),  // a proxy's
        answer(201, "<html>", {{"Content-Type", "text/html; charset=utf-8"}, {"ETag", "\"x\""}}),
        answer(201, error_document("InternalError"), {{"ETag", "\"x\""}}),
    };
    for (const auto& lie : lies) {
        server.answers.assign(3, lie);
        const auto e = refused();
        BOOST_TEST((e.what() == disposition::retry));
        BOOST_TEST(server.answers.empty());  // it was tried again, as often as allowed
    }
}

BOOST_AUTO_TEST_CASE(a_refusal_says_who_what_where_and_no_secret) {
    server.answers.emplace_back(
        answer(404,
               error_document("ContainerNotFound", "<Message>The specified container does not exist.\n"
                                                   "RequestId:R\nTime:2026-01-01T00:00:00Z</Message>"),
               {{"x-ms-request-id", "R2"}}));
    const auto e = refused();
    BOOST_TEST(e.context() ==
               "PUT events/a key/1.json: 404 ContainerNotFound, request id R2: The specified container does "
               "not exist.; container events does not exist in account acme; create it or correct the name");
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.status() == 404);
    BOOST_TEST(e.provider_code() == "ContainerNotFound");
    BOOST_TEST(server.seen.size() == 1U);
}

BOOST_AUTO_TEST_CASE(retry_after_is_a_floor_here_too) {
    server.answers.emplace_back(answer(503, error_document("ServerBusy"), {{"Retry-After", "7"}}));
    const auto began = time.now();
    BOOST_TEST(put().has_value());
    BOOST_TEST((time.now() - began == 7000ms));
    BOOST_TEST(server.seen.at(1).header("x-ms-date") == "Thu, 01 Jan 2026 00:00:07 GMT");
    BOOST_TEST(server.seen.at(0).headers.size() == server.seen.at(1).headers.size());
}

BOOST_AUTO_TEST_CASE(a_wrong_clock_costs_one_request_and_then_none) {
    const auto theirs = http::format_date(time.wall_now() + 20min);
    server.answers.emplace_back(answer(403, error_document("AuthenticationFailed"), {{"Date", theirs}}));
    const auto began = time.now();
    BOOST_TEST(put().has_value());
    BOOST_TEST((time.now() == began));
    BOOST_TEST(server.seen.at(1).header("x-ms-date") == theirs);
    BOOST_TEST(put().has_value());
    BOOST_TEST(server.seen.size() == 3U);
    BOOST_TEST(server.seen.at(2).header("x-ms-date") == theirs);
    BOOST_TEST(log_lines.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_wrong_key_is_not_blamed_on_the_clock) {
    const auto refusal = [this](std::chrono::minutes ahead) {
        return answer(403, error_document("AuthenticationFailed"),
                      {{"Date", http::format_date(time.wall_now() + ahead)}});
    };
    server.answers.assign(5, refusal(1min));
    const auto e = refused();
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(server.seen.size() == 1U);
    BOOST_TEST(e.context().find("the key does not belong to account acme") != std::string::npos);
    server.answers.assign(5,
                          refusal(20min));  // both wrong: once more with the right time, not again and again
    refused();
    BOOST_TEST(server.seen.size() == 3U);
    make(by_sas);  // a SAS has no date of ours in it
    server.answers.assign(5, refusal(20min));
    refused();
    BOOST_TEST(server.seen.size() == 4U);
}

BOOST_AUTO_TEST_CASE(nobody_is_led_astray) {
    server.answers.emplace_back(answer(307, "", {{"Location", "https://evil.example/"}}));
    BOOST_TEST((refused().what() == disposition::stop));
    BOOST_TEST(server.seen.size() == 1U);
}

BOOST_AUTO_TEST_CASE(keys_that_azure_cannot_keep_never_leave_the_house) {
    const payload body;
    const put_options how;
    for (const auto& key : {std::string(), std::string(1025, 'k'), std::string(".."), std::string("a/./b"),
                            std::string("a/..")}) {
        const auto done = run(store->put(key, body, how, time.now() + 1h));
        BOOST_REQUIRE(!done.has_value());
        BOOST_TEST((done.error().what() == disposition::park));
    }
    BOOST_TEST(server.seen.empty());
    std::string characters;  // Azure counts those, not bytes
    for (int i = 0; i < 1024; ++i) characters += "\xC3\xA9";
    BOOST_TEST(run(store->put(characters, body, how, time.now() + 1h)).has_value());
}

BOOST_AUTO_TEST_CASE(an_absent_blob_a_missing_container_and_a_forbidden_one_differ) {
    const auto head = [this](int status, http::header_list headers = {}) {
        server.answers.emplace_back(answer(status, "", std::move(headers)));
        const auto info = run(store->head("k", time.now() + 1h));
        BOOST_REQUIRE(!info.has_value());
        return info.error();
    };
    BOOST_TEST(is_not_found(head(404)));
    BOOST_TEST(is_not_found(head(404, {{"x-ms-error-code", "BlobNotFound"}})));
    const auto no_container = head(404, {{"x-ms-error-code", "ContainerNotFound"}});
    BOOST_TEST(!is_not_found(no_container));
    BOOST_TEST((no_container.what() == disposition::stop));
    const auto forbidden = head(403);
    BOOST_TEST(!is_not_found(forbidden));
    BOOST_TEST((forbidden.what() == disposition::stop));
}

BOOST_AUTO_TEST_CASE(removing_twice_is_no_error) {
    server.answers.emplace_back(answer(202));
    server.answers.emplace_back(answer(404, error_document("BlobNotFound")));
    server.answers.emplace_back(answer(404, error_document("ContainerNotFound")));
    BOOST_TEST(run(store->remove("k", time.now() + 1h)).has_value());
    BOOST_TEST(run(store->remove("k", time.now() + 1h)).has_value());
    BOOST_TEST(!run(store->remove("k", time.now() + 1h)).has_value());
}

BOOST_AUTO_TEST_CASE(a_listing_page_by_page) {
    make(by_sas);
    server.answers.emplace_back(answer(
        200, "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>"
             "<Blob><Name> a&amp;b+c</Name><Properties><Etag>0x1</Etag><Content-Length>12</Content-Length>"
             "</Properties></Blob><Blob><Name Encoded=\"true\">x%01%25</Name><Properties><Etag>\"e\"</Etag>"
             "<Content-Length>0</Content-Length></Properties></Blob></Blobs><NextMarker>m/+=</NextMarker>"
             "</EnumerationResults>"));
    const auto first = run(store->list("p/", "", time.now() + 1h));
    BOOST_REQUIRE(first.has_value());
    BOOST_REQUIRE(first->items.size() == 2U);
    BOOST_TEST(first->items[0].key == " a&b+c");
    BOOST_TEST(first->items[0].size == 12U);
    BOOST_TEST(first->items[0].etag == "0x1");
    BOOST_TEST(first->items[1].key == "x\x01%");
    BOOST_TEST(first->items[1].etag == "e");
    BOOST_TEST(server.seen.at(0).target ==
               "/events?restype=container&comp=list&prefix=p%2F&sp=c&sig=a%2BHUSH%3D");
    server.answers.emplace_back(
        answer(200, "<EnumerationResults><Blobs /><NextMarker /></EnumerationResults>"));
    const auto second = run(store->list("p/", first->next, time.now() + 1h));
    BOOST_REQUIRE(second.has_value());
    BOOST_TEST(second->next == "");
    BOOST_TEST(server.seen.at(1).target ==
               "/events?restype=container&comp=list&prefix=p%2F&marker=m%2F%2B%3D&sp=c&sig=a%2BHUSH%3D");
}

BOOST_AUTO_TEST_CASE(half_a_listing_is_none) {
    for (const auto* body :
         {"", "<EnumerationResults><Blobs><Blob><Name>a</Name>", "<html/>", "<EnumerationResults/>",
          "<EnumerationResults><Blobs><Blob><Name>a</Name></Blob></Blobs></EnumerationResults>"}) {
        server.answers.assign(3, answer(200, body));
        BOOST_TEST(!run(store->list("", "", time.now() + 1h)).has_value(), body);
        server.answers.clear();
    }
}

namespace {

task<result<object_info>> upload_in_parts(azure_store& to, time_source& time) {
    put_options how;
    how.content_type = "text/plain";
    how.only_if_absent = true;
    const auto deadline = time.now() + 1h;
    const std::string key = "big";
    auto begun = co_await to.start_multipart(key, how, deadline);
    if (!begun.has_value()) co_return begun.error();
    auto& parts = **begun;
    const payload second{as_bytes("world")};
    const payload first{as_bytes("hello ")};
    auto put = co_await parts.put_part(2, second, deadline);
    if (!put.has_value()) co_return put.error();
    put = co_await parts.put_part(1, first, deadline);
    if (!put.has_value()) co_return put.error();
    put = co_await parts.put_part(50'001, first, deadline);
    BOOST_TEST(!put.has_value());
    auto done = co_await parts.complete(deadline);
    co_return done;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_large_blob_goes_in_blocks) {
    const auto done = run(upload_in_parts(*store, time));
    BOOST_REQUIRE_MESSAGE(done.has_value(), done.error().context());
    BOOST_TEST(done->size == 11U);
    BOOST_TEST(done->etag == "abc");
    BOOST_REQUIRE(server.seen.size() == 3U);
    const std::string start = "/events/big?comp=block&blockid=";
    BOOST_TEST(server.seen[0].target.substr(0, start.size()) == start);
    BOOST_TEST(server.seen[0].target.size() == server.seen[1].target.size());
    const auto& last = server.seen[2];
    BOOST_TEST(last.target == "/events/big?comp=blocklist");
    BOOST_TEST(last.header("x-ms-blob-content-type") == "text/plain");
    BOOST_TEST(last.header("if-none-match") == "*");
    const auto id = [&](std::size_t i) {
        return http::decode_percent(server.seen.at(i).target.substr(start.size()));
    };
    BOOST_TEST(last.body == "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><Latest>" + id(1) +
                                "</Latest><Latest>" + id(0) + "</Latest></BlockList>");
}

namespace {

task<result<object_info>> put_labelled(azure_store& to, put_options how, time_source::steady deadline) {
    const payload body{as_bytes("123456789")};
    const std::string key = "k";
    auto done = co_await to.put(key, body, how, deadline);
    co_return done;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_blob_with_everything_that_goes_along) {
    settings.access_tier = "Cool";
    settings.metadata = {{"Origin", "settings"}, {"left-out", "x"}, {"n1", "v1"}};
    settings.tags = {{"team a", "x&y"}, {"stage", "prod"}};
    settings.checksum = checksum_choice::crc64nvme;
    make(by_key);
    put_options how;
    how.content_encoding = "gzip";
    how.metadata = {{"origin", "options"}};
    how.tags = {{"stage", "test"}};
    const auto done = run(put_labelled(*store, how, time.now() + 1h));
    BOOST_REQUIRE_MESSAGE(done.has_value(), done.error().context());
    const auto& r = server.seen.at(0);
    BOOST_TEST(r.header("x-ms-access-tier") == "Cool");
    BOOST_TEST(r.header("x-ms-meta-origin") == "options");
    BOOST_TEST(r.header("x-ms-meta-n1") == "v1");
    BOOST_TEST(r.header("x-ms-meta-left-out") == "");
    BOOST_TEST(r.header("x-ms-tags") == "team%20a=x%26y&stage=test");
    BOOST_TEST(r.header("x-ms-blob-content-encoding") == "gzip");
    BOOST_TEST(r.header("x-ms-content-crc64") == "iJh5CoYUi64=");
    BOOST_TEST(r.header("content-md5") == "");
}

BOOST_AUTO_TEST_CASE(a_body_above_the_threshold_goes_in_blocks_with_all_that_goes_along) {
    settings.parts.threshold = 8;
    settings.parts.size = 4;
    settings.parts.in_flight = 2;
    settings.access_tier = "Cold";
    make(by_sas);
    put_options how;
    how.content_encoding = "gzip";
    how.metadata = {{"a", "b"}};
    const auto done = run(put_labelled(*store, how, time.now() + 1h));
    BOOST_REQUIRE_MESSAGE(done.has_value(), done.error().context());
    BOOST_TEST(done->size == 9U);
    BOOST_REQUIRE(server.seen.size() == 4U);  // 4, 4, 1 and the list
    std::string bytes;
    for (std::size_t i = 0; i < 3; ++i) bytes += server.seen[i].body;
    BOOST_TEST(bytes == "123456789");
    const auto& last = server.seen[3];
    BOOST_TEST(last.target == "/events/k?comp=blocklist&sp=c&sig=a%2BHUSH%3D");
    BOOST_TEST(last.header("x-ms-access-tier") == "Cold");
    BOOST_TEST(last.header("x-ms-meta-a") == "b");
    BOOST_TEST(last.header("x-ms-blob-content-encoding") == "gzip");
    BOOST_TEST(last.header("x-ms-blob-content-type") == "application/json");
}

BOOST_AUTO_TEST_CASE(a_blob_is_read_in_ranges_of_one_version) {
    server.answers = {answer(206, "llo", {{"ETag", "\"e\""}, {"Content-Range", "bytes 2-4/5"}})};
    byte_range which;
    which.first = 2;
    auto got = run(store->get("a key", which, time.now() + 1h));
    BOOST_REQUIRE_MESSAGE(got.has_value(), got.error().context());
    BOOST_TEST(got->bytes == "llo");
    BOOST_TEST(got->info.size == 5U);
    BOOST_TEST(got->info.etag == "e");
    BOOST_TEST(got->info.key == "a key");
    BOOST_TEST(server.seen[0].target == "/events/a%20key");
    BOOST_TEST(server.seen[0].header("Range") == "bytes=2-8388609");
    // An <Error> or a page that somebody stored is no answer of Azure's.
    server.answers = {answer(200, error_document("X"), {{"ETag", "\"e\""}, {"Content-Type", "text/html"}})};
    got = run(store->get("page", {}, time.now() + 1h));
    BOOST_REQUIRE_MESSAGE(got.has_value(), got.error().context());
    BOOST_TEST(got->bytes == error_document("X"));
    server.answers = {answer(416, error_document("InvalidRange")),
                      answer(200, "", {{"ETag", "\"e\""}, {"Content-Length", "5"}})};
    which.first = 99;
    got = run(store->get("k", which, time.now() + 1h));
    BOOST_REQUIRE_MESSAGE(got.has_value(), got.error().context());
    BOOST_TEST(got->bytes == "");
    BOOST_TEST(got->info.size == 5U);
    server.answers = {answer(404, error_document("BlobNotFound"))};
    got = run(store->get("k", {}, time.now() + 1h));
    BOOST_TEST(is_not_found(got.error()));
    const std::string half(8 << 20, 'x');
    server.answers = {answer(206, half, {{"ETag", "\"e\""}, {"Content-Range", "bytes 0-8388607/8388608001"}}),
                      answer(412, error_document("ConditionNotMet"))};
    got = run(store->get("k", {}, time.now() + 1h));
    BOOST_REQUIRE(!got.has_value());
    BOOST_TEST((got.error().what() == disposition::retry));
    BOOST_TEST(got.error().context() == "GET events/k: it was replaced while it was read");
    BOOST_TEST(server.seen.back().header("If-Match") == "\"e\"");
}

BOOST_AUTO_TEST_CASE(a_container_is_checked_by_its_properties) {
    server.answers = {answer(200, "", {{"ETag", "\"e\""}})};
    BOOST_TEST(run(store->check(time.now() + 1h)).has_value());
    BOOST_TEST(server.seen.at(0).method == "HEAD");
    BOOST_TEST(server.seen.at(0).target == "/events?restype=container");
    server.answers = {answer(404, "", {{"x-ms-error-code", "ContainerNotFound"}})};
    auto done = run(store->check(time.now() + 1h));
    BOOST_REQUIRE(!done.has_value());
    BOOST_TEST(done.error().context().find("container events does not exist") != std::string::npos);
    make("BlobEndpoint=https://acme.blob.core.windows.net;SharedAccessSignature=sv=1&sr=c&sp=c&sig=HUSH");
    const auto forbidden = answer(403, "", {{"x-ms-error-code", "AuthorizationFailure"}});
    server.answers = {forbidden, answer(404, "", {{"x-ms-error-code", "BlobNotFound"}})};
    BOOST_TEST(run(store->check(time.now() + 1h)).has_value());
    BOOST_TEST(server.seen.back().target == "/events/firehose-check?sv=1&sr=c&sp=c&sig=HUSH");
    server.answers = {forbidden, answer(403, "", {{"x-ms-error-code", "AuthorizationPermissionMismatch"}})};
    BOOST_TEST(run(store->check(time.now() + 1h)).has_value());
    server.answers = {forbidden, forbidden};
    BOOST_TEST(!run(store->check(time.now() + 1h)).has_value());
}

BOOST_AUTO_TEST_CASE(verdicts_of_the_settings_win) {
    settings.verdicts = {{"AuthorizationPermissionMismatch", disposition::park}, {"404", disposition::retry}};
    make(by_key);
    server.answers = {answer(403, error_document("AuthorizationPermissionMismatch"))};
    BOOST_TEST((refused().what() == disposition::park));
    server.answers.assign(3, answer(404, error_document("ContainerNotFound")));
    BOOST_TEST((refused().what() == disposition::retry));
    BOOST_TEST(server.answers.empty());
}

BOOST_AUTO_TEST_CASE(an_upload_in_blocks_goes_on_where_it_was_left) {
    const auto begun = run(store->start_multipart("k", {}, time.now() + 1h));
    BOOST_REQUIRE(begun.has_value());
    const auto token = (*begun)->token();
    const payload part{as_bytes("hello")};
    BOOST_TEST(run((*begun)->put_part(1, part, time.now() + 1h)).has_value());
    const auto id =
        http::decode_percent(server.seen.back().target.substr(server.seen.back().target.rfind('=') + 1));
    const auto block = [](const std::string& name, const char* size) {
        return "<Block><Name>" + name + "</Name><Size>" + size + "</Size></Block>";
    };
    const auto list = [](const std::string& blocks) {
        return answer(200, "<BlockList><CommittedBlocks/><UncommittedBlocks>" + blocks +
                               "</UncommittedBlocks></BlockList>");
    };
    server.answers = {list(block(id, "5") + block("c29tZWJvZHkgZWxzZQ==", "7") + block("%", "x"))};
    const auto resumed = run(store->resume_multipart("k", token, {}, time.now() + 1h));
    BOOST_REQUIRE_MESSAGE(resumed.has_value(), resumed.error().context());
    BOOST_TEST(server.seen.back().target == "/events/k?blocklisttype=uncommitted&comp=blocklist");
    auto asked = server.seen.size();
    BOOST_TEST(run((*resumed)->put_part(1, part, time.now() + 1h)).has_value());
    BOOST_TEST(server.seen.size() == asked);  // it is there
    BOOST_TEST(run((*resumed)->put_part(2, part, time.now() + 1h)).has_value());
    const auto done = run((*resumed)->complete(time.now() + 1h));
    BOOST_REQUIRE(done.has_value());
    BOOST_TEST(done->size == 10U);
    BOOST_TEST(server.seen.back().body.find(id) != std::string::npos);
    for (const auto& gone : {list(""), answer(404, error_document("BlobNotFound"))}) {
        server.answers = {gone};
        const auto nothing = run(store->resume_multipart("k", token, {}, time.now() + 1h));
        BOOST_REQUIRE(!nothing.has_value());
        BOOST_TEST(nothing.error().provider_code() == no_such_upload);
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(azure_places)

BOOST_AUTO_TEST_CASE(names_of_containers) {
    for (const auto* good : {"abc", "my-container", "b00", "1a1", "123", "a-b-c"})
        BOOST_TEST(container_problem(good) == "", good);
    BOOST_TEST(container_problem(std::string(63, 'a')) == "");
    for (const auto* bad : {"", "ab", "-ab", "ab-", "a--b", "a.b", "Abc", "a_b", "a b", "a/b", "abc\n",
                            "$root", "\xC3\xA9t\xC3\xA9"})
        BOOST_TEST(container_problem(bad) != "", bad);
    BOOST_TEST(container_problem(std::string(64, 'a')) != "");
}

struct kind_fixture {
    destination to{"azure", "azure", "events", "", "507f1f77bcf86cd799439011"};
    credential with;
    kind_fixture() {
        with.id = to.credential_id;
        with.type = "token";
        with.token = secret(by_key);
    }
    std::string problem() { return azure_kind().check(to, &with); }
};

BOOST_FIXTURE_TEST_CASE(what_is_wrong_with_a_destination_is_said_in_words, kind_fixture) {
    const auto mentions = [this](std::string_view words) {
        BOOST_TEST(problem().find(words) != std::string::npos, words << " in " << problem());
        BOOST_TEST(problem().find("HUSH") == std::string::npos);
    };
    BOOST_TEST(azure_kind().needs_credential);
    BOOST_TEST(problem() == "");
    with.token = secret(by_sas);
    BOOST_TEST(problem() == "");
    with.token = secret("UseDevelopmentStorage=true");
    BOOST_TEST(problem() == "");
    to.bucket = "a--b";
    mentions("container \"a--b\"");
    to.bucket = "events";
    to.prefix = "a/../b";
    mentions("prefix");
    to.prefix = ".hidden/a..b";
    BOOST_TEST(problem() == "");
    BOOST_TEST(azure_kind().check(to, nullptr).find("does not exist") != std::string::npos);
    with.type = "user";
    mentions("type \"token\" to be used for Azure");
    with.type = "token";
    with.token = secret();
    mentions("no token");
    with.token = secret("AccountName=acme;AccountKey=HUSH!");
    mentions(
        "credential 507f1f77bcf86cd799439011: the connection string has an AccountKey that is not base64");
    with.token = secret("AccountName=acme");
    mentions("neither AccountKey nor SharedAccessSignature");
    with.token = secret("AccountName=acme;SharedAccessSignature=sv=HUSH");
    mentions("without sig");
    with.token = secret();
    with.provider = "managed_identity";
    mentions("credential 507f1f77bcf86cd799439011: account name the storage account");
    with.account = "acme";
    BOOST_TEST(problem() == "");
    with.provider = "imds";
    mentions("provider must be one of");
    with.provider = "";
    with.account = "";
    with.token = secret(by_key);
    with.endpoint = "https://HUSH.example";
    mentions("BlobEndpoint");
    with.endpoint = "";
    to.credential_id = "123";
    mentions("24 hexadecimal");
}

BOOST_AUTO_TEST_CASE(the_default_registry_has_it) {
    BOOST_TEST((default_registry().find("azure") != nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
