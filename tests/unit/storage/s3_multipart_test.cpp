#include "storage/s3_upload.hpp"

#include "http/digest.hpp"
#include "storage/s3_presign.hpp"
#include "tests/unit/storage/s3_rig.hpp"
#include "tests/unit/storage/s3_verdict_rows.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <functional>

using namespace firehose;
using namespace firehose::storage;
using namespace std::chrono_literals;

namespace {

constexpr const char* begun = "<?xml version=\"1.0\"?><InitiateMultipartUploadResult "
                              "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>b00</Bucket>"
                              "<Key>k</Key><UploadId>u/1+</UploadId></InitiateMultipartUploadResult>";
constexpr const char* completed = "<?xml version=\"1.0\"?><CompleteMultipartUploadResult "
                                  "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>b00</Bucket>"
                                  "<ETag>&quot;e-1&quot;</ETag></CompleteMultipartUploadResult>";

/// "delivered", or the disposition of the error.
template <class T> std::string verdict_of(const result<T>& r) {
    return r.has_value() ? "delivered" : std::string(to_string(r.error().what()));
}

struct upload_rig : s3_rig {
    upload_rig() {
        options.retries.attempts = 1;
        make();
    }
    std::unique_ptr<multipart> begin(const put_options& how = {}) {
        server.answers.assign(1, answer(200, begun));
        auto started = run(store->start_multipart("k", how, soon()));
        BOOST_REQUIRE_MESSAGE(started.has_value(), started.error().context());
        return std::move(*started);
    }
    result<> put_part(multipart& upload, std::string_view text = "hello", int number = 1) {
        const payload body{as_bytes(text)};
        return run(upload.put_part(number, body, soon()));
    }
    std::unique_ptr<multipart> with_a_part(const std::string& etag = "p1", const put_options& how = {}) {
        auto upload = begin(how);
        server.answers.assign(1, answer(200, "", {{"ETag", "\"" + etag + "\""}}));
        BOOST_REQUIRE(put_part(*upload).has_value());
        return upload;
    }
    result<object_info> put() {
        const payload body{as_bytes("hello")};
        const put_options how;
        return run(store->put("k", body, how, soon()));
    }
    /// What each of the four requests of a delivery makes of an answer that never gets better.
    using asked = std::pair<const char*, std::function<std::string()>>;
    std::array<asked, 4> all_requests(const result<http::response>& scripted) {
        const auto script = [this, scripted] {
            server.answers.assign(9, scripted);
            server.seen.clear();
        };
        return {asked{"PUT",
                      [this, script] {
                          script();
                          return verdict_of(put());
                      }},
                asked{"start",
                      [this, script] {
                          const put_options how;
                          script();
                          return verdict_of(run(store->start_multipart("k", how, soon())));
                      }},
                asked{"part",
                      [this, script] {
                          auto upload = begin();
                          script();
                          return verdict_of(put_part(*upload));
                      }},
                asked{"complete", [this, script] {
                          auto upload = with_a_part();
                          script();
                          return verdict_of(run(upload->complete(soon())));
                      }}};
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(s3_verdicts_on_requests, upload_rig)

BOOST_AUTO_TEST_CASE(every_row_for_every_request_of_a_delivery) {
    int wrong = 0;
    int tried = 0;
    for (const auto& row : verdict_rows()) {
        const auto refusal = answer(row.status, *row.code ? error_document(row.code) : "",
                                    {{"x-amz-request-id", "R"}, {"Content-Type", "application/xml"}});
        for (const auto& [name, ask] : all_requests(refusal)) {
            const auto sentence = std::to_string(row.status) + " " + row.code + " for " + name;
            // A status of success is no refusal to a PUT when the server says so and nothing else.
            const bool proof = row.status == 200 && !*row.code;
            const bool put = std::string_view(name) == "PUT";
            const std::string expected = proof && put ? "delivered" : std::string(to_string(row.what));
            const auto got = ask();
            BOOST_TEST(got == expected, sentence << ": " << got);
            BOOST_TEST(server.seen.size() <= 3U, sentence);
            wrong += got != expected;
            ++tried;
        }
    }
    BOOST_TEST_MESSAGE(tried << " answers, wrong verdicts: " << wrong);
    BOOST_TEST(tried > 250);
}

BOOST_AUTO_TEST_CASE(no_answer_is_worth_another_try_for_every_request) {
    const result<http::response> cut(error(disposition::retry, "the connection was cut"));
    for (const auto& [name, ask] : all_requests(cut)) BOOST_TEST(ask() == "retry", name);
}

BOOST_AUTO_TEST_CASE(lies_are_no_deliveries_for_any_request) {
    const std::vector<http::response> lies = {
        answer(200), answer(203, completed, {{"ETag", "\"x\""}}), answer(204, "", {{"ETag", "\"x\""}}),
        answer(200, "<html>hello</html>", {{"Content-Type", "text/html"}, {"ETag", "\"x\""}}),
        answer(200, error_document("InternalError"), {{"ETag", "\"x\""}})};
    for (const auto& lie : lies)
        for (const auto& [name, ask] : all_requests(lie)) BOOST_TEST(ask() == "retry", name);
}

BOOST_AUTO_TEST_CASE(a_verdict_of_the_configuration_goes_before_the_table) {
    options.given.verdicts = {{"AccessDenied", disposition::retry}, {"404", disposition::park}};
    make();
    for (const auto& [name, ask] : all_requests(answer(403, error_document("AccessDenied"))))
        BOOST_TEST(ask() == "retry", name);
    for (const auto& [name, ask] : all_requests(answer(404, error_document("NoSuchBucket"))))
        BOOST_TEST(ask() == "park", name);
    for (const auto& [name, ask] : all_requests(answer(403, ""))) BOOST_TEST(ask() == "stop", name);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(s3_multipart, upload_rig)

BOOST_AUTO_TEST_CASE(the_requests_of_an_upload_as_they_go_over_the_wire) {
    put_options how;
    how.metadata.emplace_back("Source", "leads");
    auto upload = with_a_part("p1", how);
    BOOST_TEST(upload->token() == "u/1+");
    server.answers.assign(1, answer(200, completed));
    const auto done = run(upload->complete(soon()));
    BOOST_REQUIRE(done.has_value());
    BOOST_TEST(done->etag == "e-1");
    BOOST_TEST(done->size == 5U);
    BOOST_REQUIRE(server.seen.size() == 3U);
    const auto& start = server.seen[0];
    BOOST_TEST(start.method == "POST");
    BOOST_TEST(start.target == "/k?uploads=");
    BOOST_TEST(start.header("content-type") == "application/json");
    BOOST_TEST(start.header("x-amz-meta-source") == "leads");
    BOOST_TEST(start.header("x-amz-checksum-algorithm") == "CRC32C");
    const auto& part = server.seen[1];
    BOOST_TEST(part.method == "PUT");
    BOOST_TEST(part.target == "/k?partNumber=1&uploadId=u%2F1%2B");
    BOOST_TEST(part.header("x-amz-checksum-crc32c") == "mnG7TA==");
    BOOST_TEST(part.header("x-amz-content-sha256") == http::to_hex(http::sha256("hello")));
    BOOST_TEST(part.header("content-type") == "");
    const auto& complete = server.seen[2];
    BOOST_TEST(complete.method == "POST");
    BOOST_TEST(complete.target == "/k?uploadId=u%2F1%2B");
    BOOST_TEST(complete.body ==
               "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part>"
               "<PartNumber>1</PartNumber><ETag>&quot;p1&quot;</ETag><ChecksumCRC32C>mnG7TA=="
               "</ChecksumCRC32C></Part></CompleteMultipartUpload>");
    BOOST_TEST(complete.header("x-amz-content-sha256") == http::to_hex(http::sha256(complete.body)));
}

BOOST_AUTO_TEST_CASE(a_completion_is_judged_by_its_whole_body) {
    const std::string whole = completed;
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        auto upload = with_a_part();
        server.answers.assign(1, answer(200, whole.substr(0, cut), {{"ETag", "\"x\""}}));
        BOOST_TEST(verdict_of(run(upload->complete(soon()))) == "retry", cut);
    }
    for (const auto* body : {"<CompleteMultipartUploadResult/>", "<Other><ETag>e</ETag></Other>"}) {
        auto upload = with_a_part();
        server.answers.assign(1, answer(200, body));
        BOOST_TEST(verdict_of(run(upload->complete(soon()))) == "retry", body);
    }
    auto upload = with_a_part();  // blanks are what S3 sends while it is at it
    server.answers.assign(1, answer(200, "\n   \n " + whole));
    BOOST_TEST(run(upload->complete(soon())).has_value());
}

BOOST_AUTO_TEST_CASE(a_completion_is_tried_again_and_its_success_found_when_the_answer_was_lost) {
    options.retries.attempts = 3;
    make();
    const std::string md5 = "5d41402abc4b2a76b9719d911017c592";  // of "hello"
    // The MD5 of those 16 bytes.
    const std::array<std::byte, 16> raw = {
        std::byte{0x5d}, std::byte{0x41}, std::byte{0x40}, std::byte{0x2a}, std::byte{0xbc}, std::byte{0x4b},
        std::byte{0x2a}, std::byte{0x76}, std::byte{0xb9}, std::byte{0x71}, std::byte{0x9d}, std::byte{0x91},
        std::byte{0x10}, std::byte{0x17}, std::byte{0xc5}, std::byte{0x92}};
    const payload once{raw};
    const auto etag = http::to_hex(http::md5(once)) + "-1";
    const auto head = [](const std::string& tag, const char* length) {
        return answer(200, "", {{"ETag", "\"" + tag + "\""}, {"Content-Length", length}});
    };
    const auto gone = answer(404, error_document("NoSuchUpload"));
    const auto try_with = [&](const std::string& part, std::vector<result<http::response>> script) {
        auto upload = with_a_part(part);
        server.answers.assign(script.begin(), script.end());
        const auto done = verdict_of(run(upload->complete(soon())));
        BOOST_TEST(server.answers.empty());
        return done;
    };
    const auto lost = error(disposition::retry, "the connection was cut");
    BOOST_TEST(try_with(md5, {lost, answer(500), answer(200, completed)}) == "delivered");
    BOOST_TEST(try_with(md5, {lost, gone, head(etag, "5")}) == "delivered");
    BOOST_TEST(try_with(md5, {gone, head(etag, "6")}) == "retry");             // another object
    BOOST_TEST(try_with(md5, {gone, head("other-1", "5")}) == "retry");        // likewise
    BOOST_TEST(try_with("kms", {gone, head("other-1", "5")}) == "delivered");  // no telling by the ETag
    BOOST_TEST(try_with("kms", {gone, head("other-2", "5")}) == "retry");
    BOOST_TEST(try_with(md5, {gone, answer(404)}) == "retry");
    BOOST_TEST(try_with(md5, {gone, answer(403)}) == "stop");
    const auto without =
        answer(200, "<CompleteMultipartUploadResult><ETag></ETag></CompleteMultipartUploadResult>");
    BOOST_TEST(try_with(md5, {without, head(etag, "5")}) == "delivered");
    BOOST_TEST(try_with(md5, {without, head("other-1", "5")}) == "retry");
    BOOST_TEST(try_with(md5, {without, answer(404)}) == "retry");
}

BOOST_AUTO_TEST_CASE(a_completion_under_a_condition) {
    put_options how;
    how.only_if_absent = true;
    auto upload = with_a_part("p", how);
    server.answers.assign(1, answer(412, error_document("PreconditionFailed")));
    BOOST_TEST(run(upload->complete(soon())).has_value());
    BOOST_TEST(server.seen.back().header("if-none-match") == "*");
    upload = with_a_part();
    server.answers.assign(1, answer(412, error_document("PreconditionFailed")));
    BOOST_TEST(verdict_of(run(upload->complete(soon()))) == "park");
    BOOST_TEST(server.seen.back().header("if-none-match") == "");
}

std::string listed(const std::string& parts, const std::string& rest = "<IsTruncated>false</IsTruncated>") {
    return "<ListPartsResult>" + parts + rest + "</ListPartsResult>";
}

std::string listed_part(int number, const std::string& size, const std::string& checksum) {
    return "<Part><PartNumber>" + std::to_string(number) + "</PartNumber><ETag>&quot;e" +
           std::to_string(number) + "&quot;</ETag><Size>" + size + "</Size><ChecksumCRC32C>" + checksum +
           "</ChecksumCRC32C></Part>";
}

BOOST_AUTO_TEST_CASE(an_upload_gone_on_with_sends_what_is_not_there) {
    const std::string more = "<IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker>";
    server.answers.emplace_back(answer(200, listed(listed_part(1, "5", "mnG7TA=="), more)));
    server.answers.emplace_back(
        answer(200, listed(listed_part(2, "5", "AAAAAA==") + listed_part(3, "6", "mnG7TA=="))));
    const put_options how;
    auto resumed = run(store->resume_multipart("k", "u1", how, soon()));
    BOOST_REQUIRE_MESSAGE(resumed.has_value(), resumed.error().context());
    BOOST_TEST(server.seen.at(0).target == "/k?uploadId=u1");
    BOOST_TEST(server.seen.at(1).target == "/k?part-number-marker=1&uploadId=u1");
    for (int number = 1; number <= 4; ++number) BOOST_TEST(put_part(**resumed, "hello", number).has_value());
    BOOST_TEST(server.seen.size() == 5U);  // of other bytes, of another size, and missing
    server.answers.emplace_back(answer(200, completed));
    const auto done = run((*resumed)->complete(soon()));
    BOOST_REQUIRE(done.has_value());
    BOOST_TEST(done->size == 20U);
    BOOST_TEST(server.seen.back().body.find("<ETag>&quot;e1&quot;</ETag>") != std::string::npos);

    server.answers.emplace_back(answer(404, error_document("NoSuchUpload")));
    server.answers.emplace_back(answer(404, error_document("NoSuchKey")));  // radosgw
    for (int i = 0; i < 2; ++i) {
        const auto gone = run(store->resume_multipart("k", "u1", how, soon()));
        BOOST_TEST(gone.error().provider_code() == no_such_upload);
    }
    for (const auto* half : {"", "<ListPartsResult><Part>", "<ListPartsResult><Part/></ListPartsResult>",
                             "<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>"}) {
        server.answers.assign(1, answer(200, half));
        BOOST_TEST(verdict_of(run(store->resume_multipart("k", "u1", how, soon()))) == "retry", half);
    }
}

BOOST_AUTO_TEST_CASE(giving_up_tells_the_server_and_a_failure_of_that_is_logged) {
    auto upload = with_a_part();
    server.answers.assign(1, answer(204));
    run(upload->abort());
    BOOST_TEST(server.seen.back().method == "DELETE");
    BOOST_TEST(server.seen.back().target == "/k?uploadId=u%2F1%2B");
    server.answers.assign(1, answer(404, error_document("NoSuchUpload")));
    run(upload->abort());
    BOOST_TEST(log_lines.empty());
    server.answers.assign(1, answer(403, error_document("AccessDenied")));
    run(upload->abort());
    BOOST_REQUIRE(log_lines.size() == 1U);
    BOOST_TEST(log_lines[0].find("s3:AbortMultipartUpload") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(large_bodies_go_in_parts_and_small_ones_do_not) {
    options.given.parts.threshold = 6 << 20;
    options.given.parts.size = 5 << 20;
    options.given.parts.in_flight = 1;
    make();
    const std::string text((11 << 20) + 3, 'x');
    const payload body{as_bytes(text)};
    const put_options how;
    server.answers.emplace_back(answer(200, begun));
    for (const auto* etag : {"\"a\"", "\"b\"", "\"c\""})
        server.answers.emplace_back(answer(200, "", {{"ETag", etag}}));
    server.answers.emplace_back(answer(200, completed));
    const auto done = run(store->put("k", body, how, soon()));
    BOOST_REQUIRE_MESSAGE(done.has_value(), done.error().context());
    BOOST_TEST(done->size == text.size());
    BOOST_REQUIRE(server.seen.size() == 5U);
    BOOST_TEST(server.seen[1].body.size() == 5U << 20);
    BOOST_TEST(server.seen[3].body.size() == (1U << 20) + 3);
    server.seen.clear();
    const payload small{as_bytes(std::string_view(text).substr(0, 6 << 20))};
    BOOST_TEST(run(store->put("k", small, how, soon())).has_value());
    BOOST_TEST(server.seen.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(s3_settings, upload_rig)

BOOST_AUTO_TEST_CASE(what_an_object_is_stored_with) {
    auto& given = options.given;
    given.storage_class = "STANDARD_IA";
    given.encryption = {"aws:kms", "alias/k", R"({"team":"x"})", true};
    given.metadata = {{"source", "general"}, {"team", "x"}};
    given.tags = {{"a b", "c&d"}};
    make();
    put_options how;
    how.content_encoding = "gzip";
    how.metadata = {{"Source", "special"}};
    how.tags = {{"e", "\xC3\xA9"}};
    const payload body{as_bytes("hello")};
    BOOST_TEST(run(store->put("k", body, how, soon())).has_value());
    const auto& r = server.seen.at(0);
    BOOST_TEST(r.header("content-encoding") == "gzip");
    BOOST_TEST(r.header("x-amz-storage-class") == "STANDARD_IA");
    BOOST_TEST(r.header("x-amz-server-side-encryption") == "aws:kms");
    BOOST_TEST(r.header("x-amz-server-side-encryption-aws-kms-key-id") == "alias/k");
    BOOST_TEST(r.header("x-amz-server-side-encryption-context") == "eyJ0ZWFtIjoieCJ9");
    BOOST_TEST(r.header("x-amz-server-side-encryption-bucket-key-enabled") == "true");
    BOOST_TEST(r.header("x-amz-meta-source") == "special");
    BOOST_TEST(r.header("x-amz-meta-team") == "x");
    BOOST_TEST(r.header("x-amz-tagging") == "a%20b=c%26d&e=%C3%A9");
    for (const auto* bad : {"a\r\nx: y", "\xC3\xA9"}) {
        how.metadata = {{"source", bad}};
        const auto refused = run(store->put("k", body, how, soon()));
        BOOST_TEST(verdict_of(refused) == "park");
    }
    BOOST_TEST(server.seen.size() == 1U);
}

BOOST_AUTO_TEST_CASE(checksums_by_destination_and_none_for_look_alikes_unless_asked_for) {
    const auto sent = [this] {
        server.seen.clear();
        BOOST_TEST(put().has_value());
        return server.seen.at(0);
    };
    BOOST_TEST(sent().header("x-amz-checksum-crc32c") == "mnG7TA==");
    BOOST_TEST(sent().header("x-amz-sdk-checksum-algorithm") == "CRC32C");
    with.endpoint = "http://127.0.0.1:9";
    make();
    BOOST_TEST(sent().header("x-amz-checksum-crc32c") == "");
    BOOST_TEST(sent().header("x-amz-sdk-checksum-algorithm") == "");
    options.given.checksum = checksum_choice::crc64nvme;
    options.given.unsigned_payload = true;
    make();
    BOOST_TEST(sent().header("x-amz-checksum-crc64nvme") == "M3eFcAZSQlc=");
    BOOST_TEST(sent().header("x-amz-content-sha256") == http::to_hex(http::sha256("hello")));  // no TLS
    with.endpoint = "https://127.0.0.1:9";
    make();
    BOOST_TEST(sent().header("x-amz-content-sha256") == "UNSIGNED-PAYLOAD");
    options.given.checksum = checksum_choice::when_required;  // then nothing else would guard the body
    make();
    BOOST_TEST(sent().header("x-amz-content-sha256") == http::to_hex(http::sha256("hello")));
}

BOOST_AUTO_TEST_CASE(keys_that_expire_are_renewed_between_attempts) {
    int asked = 0;
    int refused = 0;
    options.keys = [&](bool again, time_source::steady) -> task<result<sigv4::identity>> {
        ++asked;
        if (again) ++refused;
        co_return sigv4::identity{"AKIA" + std::to_string(refused), secret("s"),
                                  secret(refused == 0 ? "t" : "")};
    };
    make();
    for (const auto* code : {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken"}) {
        server.seen.clear();
        server.answers.emplace_back(answer(400, error_document(code)));
        BOOST_TEST(put().has_value(), code);
        BOOST_TEST(server.seen.size() == 2U);
        BOOST_TEST(server.seen.at(1).header("authorization").find("AKIA" + std::to_string(refused)) !=
                   std::string::npos);
        BOOST_TEST(server.seen.at(1).header("x-amz-security-token") == "");
    }
    BOOST_TEST(refused == 3);
    server.answers.assign(9, answer(400, error_document("ExpiredToken")));  // and once only
    server.seen.clear();
    BOOST_TEST(verdict_of(put()) == "stop");
    BOOST_TEST(server.seen.size() == 2U);
    options.keys = [](bool, time_source::steady) -> task<result<sigv4::identity>> {
        co_return error(disposition::retry, "no keys to be had");
    };
    make();
    BOOST_TEST(verdict_of(put()) == "retry");
}

BOOST_AUTO_TEST_CASE(a_url_for_others) {
    // The documented example, AWS's "Authenticating requests: using query parameters".
    const sigv4::identity who{"AKIAIOSFODNN7EXAMPLE", secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), {}};
    s3_location at;
    at.to.host = "examplebucket.s3.amazonaws.com";
    at.region = "us-east-1";
    presign_options how;
    how.expires = 24h;
    const auto when = std::chrono::sys_days(std::chrono::year(2013) / 5 / 24);
    const auto url = presign_s3(who, at, "test.txt", how, when);
    BOOST_REQUIRE(url.has_value());
    BOOST_TEST(
        *url ==
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-"
        "Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date="
        "20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02e"
        "e5c0109b86d86835f995330da4c265957d157751f604d404");
    for (const auto* method : {"GET", "HEAD", "PUT", "POST", "DELETE"}) {
        how.method = method;
        BOOST_TEST(presign_s3(who, at, "k", how, when).has_value());
    }
    how.method = "TRACE";
    BOOST_TEST(!presign_s3(who, at, "k", how, when).has_value());
    how.method = "GET";
    for (const auto expires : {0s, -1s, 604801s}) {
        how.expires = expires;
        BOOST_TEST(!presign_s3(who, at, "k", how, when).has_value());
    }
}

BOOST_AUTO_TEST_SUITE_END()
