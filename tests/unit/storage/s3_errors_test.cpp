#include "storage/s3_errors.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace firehose;
using namespace firehose::storage;

BOOST_AUTO_TEST_SUITE(s3_verdicts)

BOOST_AUTO_TEST_CASE(every_row_of_the_table) {
    using enum disposition;
    struct row {
        int status;
        const char* code;
        disposition what;
        s3_remedy remedy = s3_remedy::none;
    };
    const std::vector<row> rows = {
        // worth another try, also when there was no body to read a code from
        {500, "InternalError", retry},
        {500, "", retry},
        {502, "", retry},
        {503, "ServiceUnavailable", retry},
        {503, "", retry},
        {504, "", retry},
        {599, "", retry},
        {408, "", retry},
        {400, "RequestTimeout", retry},
        {409, "OperationAborted", retry},
        {409, "ConditionalRequestConflict", retry},
        {409, "", retry},
        {404, "NoSuchUpload", retry},
        {400, "BadDigest", retry},
        {400, "IncompleteBody", retry},
        {400, "XAmzContentSHA256Mismatch", retry},
        {200, "InternalError", retry},
        {200, "", retry},
        {203, "", retry},
        // and with less zeal
        {503, "SlowDown", slow_down},
        {429, "", slow_down},
        {429, "TooManyRequests", slow_down},
        {400, "RequestLimitExceeded", slow_down},
        {200, "SlowDown", slow_down},
        // nobody but a person can help
        {401, "", stop},
        {403, "", stop},
        {403, "AccessDenied", stop},
        {403, "SignatureDoesNotMatch", stop},
        {403, "InvalidAccessKeyId", stop},
        {403, "QuotaExceeded", stop},
        {403, "SomethingNew", stop},
        {404, "NoSuchBucket", stop},
        {404, "", stop},
        {400, "InvalidBucketName", stop},
        {400, "InvalidToken", stop},
        {405, "MethodNotAllowed", stop},
        {407, "", stop},
        {501, "NotImplemented", stop},
        {304, "", stop},
        // unless it can be healed at once
        {403, "RequestTimeTooSkewed", stop, s3_remedy::adjust_clock},
        {400, "ExpiredToken", stop, s3_remedy::refresh_credentials},
        {403, "ExpiredToken", stop, s3_remedy::refresh_credentials},
        {301, "PermanentRedirect", stop, s3_remedy::other_region},
        {301, "", stop, s3_remedy::other_region},
        {307, "TemporaryRedirect", retry, s3_remedy::other_region},
        {307, "", stop, s3_remedy::other_region},
        {400, "AuthorizationHeaderMalformed", stop, s3_remedy::other_region},
        // this object will never be taken
        {400, "EntityTooLarge", park},
        {400, "KeyTooLongError", park},
        {400, "KeyTooLong", park},
        {400, "InvalidRequest", park},
        {400, "InvalidArgument", park},
        {400, "", park},
        {412, "PreconditionFailed", park},
        {413, "", park},
        {404, "NoSuchKey", park},
        {422, "SomethingNew", park},
    };
    for (const auto& r : rows) {
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

BOOST_AUTO_TEST_CASE(advice_names_what_a_person_can_change) {
    const auto advice = [](const char* code, int status, const char* method = "PUT") {
        return s3_advice(code, status, method, "b00", "AKIA1");
    };
    BOOST_TEST(advice("NoSuchBucket", 404).find("bucket b00 does not exist") != std::string::npos);
    BOOST_TEST(advice("AccessDenied", 403).find("AKIA1 lacks s3:PutObject on bucket b00") !=
               std::string::npos);
    BOOST_TEST(advice("", 403, "HEAD").find("s3:GetObject") != std::string::npos);
    BOOST_TEST(advice("AccessDenied", 403, "GET").find("s3:ListBucket") != std::string::npos);
    BOOST_TEST(advice("InternalError", 500) == "");
}

BOOST_AUTO_TEST_SUITE_END()
