#include "storage/azure_errors.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <vector>

using namespace firehose;
using namespace firehose::storage;

BOOST_AUTO_TEST_SUITE(azure_verdicts)

BOOST_AUTO_TEST_CASE(every_row_of_the_table) {
    using enum disposition;
    struct row {
        int status;
        const char* code;
        disposition what;
        azure_remedy remedy = azure_remedy::none;
    };
    constexpr auto clock = azure_remedy::adjust_clock;
    constexpr auto renew = azure_remedy::refresh_credentials;
    const std::vector<row> rows = {
        // worth another try, also when there was no body to read a code from
        {500, "InternalError", retry},
        {500, "OperationTimedOut", retry},
        {500, "", retry},
        {502, "", retry},
        {503, "", retry},
        {504, "", retry},
        {408, "", retry},
        {409, "", retry},
        {409, "AccountBeingCreated", retry},
        {412, "LeaseIdMissing", retry},
        {400, "Md5Mismatch", retry},
        {400, "Crc64Mismatch", retry},
        {400, "InvalidBlockList", retry},
        {200, "InternalError", retry},
        {200, "", retry},
        {203, "", retry},
        // and with less zeal
        {503, "ServerBusy", slow_down},
        {429, "", slow_down},
        // a person must act
        {403, "AuthenticationFailed", stop, clock},
        {403, "AuthorizationFailure", stop, clock},
        {403, "", stop, clock},
        {403, "AuthorizationPermissionMismatch", stop},
        {403, "AuthorizationResourceTypeMismatch", stop},
        {403, "KeyBasedAuthenticationNotPermitted", stop},
        {403, "SomethingNew", stop},
        {401, "NoAuthenticationInformation", stop},
        {401, "", stop, renew},
        {401, "InvalidAuthenticationInfo", stop, renew},
        {400, "InvalidHeaderValue", stop},
        {404, "ContainerNotFound", stop},
        {404, "ResourceNotFound", stop},
        {404, "", stop},
        {409, "ContainerBeingDeleted", stop},
        {409, "PublicAccessNotPermitted", stop},
        {405, "UnsupportedHttpVerb", stop},
        {301, "", stop},
        {307, "", stop},
        {501, "", stop},
        // this event can never succeed
        {404, "BlobNotFound", park},
        {409, "BlobAlreadyExists", park},
        {409, "InvalidBlobType", park},
        {409, "BlobImmutableDueToPolicy", park},
        {403, "UnauthorizedBlobOverwrite", park},
        {412, "ConditionNotMet", park},
        {413, "RequestBodyTooLarge", park},
        {413, "", park},
        {400, "InvalidUri", park},
        {400, "OutOfRangeInput", park},
        {400, "", park},
        {411, "MissingContentLengthHeader", park},
    };
    for (const auto& r : rows) {
        const bool right = judge_azure(r.status, r.code) == azure_verdict{r.what, r.remedy};
        BOOST_TEST(right, r.status << " " << r.code);
    }
}

BOOST_AUTO_TEST_CASE(a_blob_that_is_there_already) {
    BOOST_TEST(says_already_there(409, "BlobAlreadyExists"));
    BOOST_TEST(says_already_there(403, "UnauthorizedBlobOverwrite"));
    BOOST_TEST(!says_already_there(409, ""));
    BOOST_TEST(!says_already_there(409, "InvalidBlobType"));
    BOOST_TEST(!says_already_there(412, "ConditionNotMet"));
}

BOOST_AUTO_TEST_CASE(advice_is_something_to_do) {
    const azure_subject key{"PUT", "acme", "events", azure_access::key};
    const azure_subject sas{"PUT", "acme", "events", azure_access::sas};
    BOOST_TEST(azure_advice("ContainerNotFound", 404, key) ==
               "container events does not exist in account acme; create it or correct the name");
    BOOST_TEST(
        azure_advice("AuthenticationFailed", 403, key).find("the key does not belong to account acme") == 0U);
    BOOST_TEST(azure_advice("AuthenticationFailed", 403, sas).find("the SAS is expired") == 0U);
    BOOST_TEST(azure_advice("AuthorizationPermissionMismatch", 403, sas) ==
               "the SAS lacks the permission write (w)");
    BOOST_TEST(azure_advice("SomethingNew", 400, key) == "");
    BOOST_TEST(azure_advice("", 404, key) == azure_advice("ContainerNotFound", 404, key));
    BOOST_TEST(azure_advice("", 307, key).find("the endpoint leads elsewhere") == 0U);
    const azure_subject token{"PUT", "", "events", azure_access::token};
    BOOST_TEST(azure_advice("InvalidAuthenticationInfo", 401, token)
                   .find("the access token is not taken by the account;") == 0U);
    BOOST_TEST(azure_advice("AuthorizationPermissionMismatch", 403, token) ==
               "the identity lacks a role such as Storage Blob Data Contributor on container events");
}

BOOST_AUTO_TEST_CASE(every_code_has_a_verdict_of_its_own_and_advice_whoever_asks) {
    const auto codes = azure_codes();
    BOOST_TEST(codes.size() >= 50U);
    for (const auto code : codes) {
        BOOST_TEST(std::ranges::count(codes, code) == 1, code);
        for (const auto by : {azure_access::key, azure_access::sas, azure_access::token}) {
            const auto advice = azure_advice(code, 0, {"PUT", "acme", "events", by});
            BOOST_TEST(!advice.empty(), code);
            BOOST_TEST(advice.find('$') == std::string::npos, advice);
            BOOST_TEST(!advice.ends_with('.'), advice);
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
