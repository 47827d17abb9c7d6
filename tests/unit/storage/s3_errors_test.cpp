#include "storage/s3_errors.hpp"

#include "storage/s3_advice.hpp"
#include "tests/unit/storage/s3_verdict_rows.hpp"

#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace firehose::storage;

BOOST_AUTO_TEST_SUITE(s3_verdicts)

BOOST_AUTO_TEST_CASE(every_row_of_the_table) {
    for (const auto& r : verdict_rows()) {
        const auto verdict = judge_s3(r.status, r.code);
        const auto name = std::to_string(r.status) + " " + r.code;
        BOOST_TEST(to_string(verdict.what) == to_string(r.what), name);
        BOOST_TEST((verdict.remedy == r.remedy), name);
    }
}

BOOST_AUTO_TEST_CASE(every_status_has_a_verdict_and_no_retry_without_hope) {
    for (int status = 400; status < 500; ++status) {
        const auto what = judge_s3(status, "").what;
        const bool passing = status == 408 || status == 409 || status == 425 || status == 429;
        BOOST_TEST((what == disposition::retry || what == disposition::slow_down) == passing, status);
    }
}

BOOST_AUTO_TEST_CASE(an_error_body_as_aws_writes_it) {
    const auto said = read_error_body(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AuthorizationHeaderMalformed"
        "</Code><Message>the region &apos;us-east-1&apos; is wrong</Message>"
        "<Region>eu-west-1</Region><RequestId>7F3A</RequestId></Error>");
    BOOST_TEST(said.code == "AuthorizationHeaderMalformed");
    BOOST_TEST(said.message == "the region 'us-east-1' is wrong");
    BOOST_TEST(said.region == "eu-west-1");
    BOOST_TEST(said.request_id == "7F3A");
}

BOOST_AUTO_TEST_CASE(an_error_body_as_radosgw_writes_it) {
    for (const auto* message : {"", "<Message></Message>", "<Message/>"}) {
        const auto said =
            read_error_body(std::string("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>") + message +
                            "<RequestId>tx1</RequestId><HostId>h</HostId></Error>");
        BOOST_TEST(said.code == "AccessDenied");
        BOOST_TEST(said.message == "");
        BOOST_TEST(said.request_id == "tx1");
    }
}

BOOST_AUTO_TEST_CASE(bodies_that_are_odd_or_hostile_do_no_harm) {
    BOOST_TEST(read_error_body("\xEF\xBB\xBF<Error><Code>A</Code></Error>").code == "A");  // byte order mark
    BOOST_TEST(read_error_body("<Error><Code>SlowDown</Code><Message>cut he").code ==
               "SlowDown");  // cut at our limit
    BOOST_TEST(read_error_body("").code == "");
    BOOST_TEST(read_error_body("<html><body>Bad gateway</body></html>").code == "");
    BOOST_TEST(read_error_body("{\"Code\":\"A\"}").code == "");
    BOOST_TEST(read_error_body(std::string(1000, '\0')).code == "");
    const auto bomb = read_error_body("<!DOCTYPE Error [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">"
                                      "<!ENTITY f SYSTEM \"file:///etc/passwd\">]>"
                                      "<Error><Code>A</Code><Message>&b;&f;</Message></Error>");
    BOOST_TEST(bomb.message == "&b;&f;");  // nothing is expanded
}

s3_subject asking_for(std::string_view action) {
    return {action, "b00", "AKIA1", "https://s3.eu-west-1.amazonaws.com", "eu-west-1"};
}

BOOST_AUTO_TEST_CASE(advice_names_what_a_person_can_change) {
    const auto advice = [](const char* code, int status, std::string_view action = "s3:PutObject") {
        return s3_advice(code, status, asking_for(action));
    };
    BOOST_TEST(advice("NoSuchBucket", 404) ==
               "bucket b00 does not exist in the account of access key id AKIA1 at "
               "https://s3.eu-west-1.amazonaws.com; create it or correct the name");
    BOOST_TEST(
        advice("AccessDenied", 403) ==
        "access key id AKIA1 is known there but lacks s3:PutObject on bucket b00; allow it in the policy of "
        "the user or of the bucket");
    BOOST_TEST(advice("", 403, "s3:GetObject").find("not accepted, or lacks s3:GetObject") !=
               std::string::npos);
    BOOST_TEST(advice("", 404, "s3:ListBucket").find("bucket b00 does not exist") == 0U);
    BOOST_TEST(advice("KMS.NotFoundException", 400).find("region eu-west-1") != std::string::npos);
    BOOST_TEST(advice("", 301).find("another region than eu-west-1") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_refusal_comes_with_words_and_nothing_is_left_to_fill_in) {
    for (const auto& r : verdict_rows()) {
        const auto words = s3_advice(r.code, r.status, asking_for("s3:PutObject"));
        BOOST_TEST(words.find('$') == std::string::npos, words);
        if (r.status >= 400) BOOST_TEST(!words.empty(), r.status << " " << r.code);
    }
}

BOOST_AUTO_TEST_CASE(each_request_needs_one_permission) {
    BOOST_TEST(s3_action("PUT", "/b00/k", "/b00") == "s3:PutObject");
    BOOST_TEST(s3_action("POST", "/k?uploads=", "") == "s3:PutObject");
    BOOST_TEST(s3_action("DELETE", "/k", "") == "s3:DeleteObject");
    BOOST_TEST(s3_action("DELETE", "/k?uploadId=1", "") == "s3:AbortMultipartUpload");
    BOOST_TEST(s3_action("GET", "/k?uploadId=1", "") == "s3:ListMultipartUploadParts");
    BOOST_TEST(s3_action("GET", "/b00?list-type=2", "/b00") == "s3:ListBucket");
    BOOST_TEST(s3_action("GET", "/?list-type=2", "") == "s3:ListBucket");
    BOOST_TEST(s3_action("HEAD", "/b00", "/b00") == "s3:ListBucket");
    BOOST_TEST(s3_action("HEAD", "/b00/k", "/b00") == "s3:GetObject");
}

BOOST_AUTO_TEST_SUITE_END()
