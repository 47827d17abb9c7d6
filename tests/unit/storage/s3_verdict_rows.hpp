/// Every refusal of an S3 server that we know of, and what is to be done about it.
#pragma once
#include "storage/s3_errors.hpp"

#include <vector>

namespace firehose {

struct verdict_row {
    int status;
    const char* code;
    disposition what;
    storage::s3_remedy remedy = storage::s3_remedy::none;
};

inline const std::vector<verdict_row>& verdict_rows() {
    using enum disposition;
    using storage::s3_remedy;
    static const std::vector<verdict_row> rows = {
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
        {400, "InvalidPart", retry},
        {400, "XAmzContentChecksumMismatch", retry},
        {503, "", retry},
        {400, "BadDigest", retry},
        {400, "IncompleteBody", retry},
        {400, "XAmzContentSHA256Mismatch", retry},
        {200, "InternalError", retry},
        {200, "", retry},
        {203, "", retry},
        // and with less zeal
        {503, "SlowDown", slow_down},
        {400, "Throttling", slow_down},
        {400, "ThrottlingException", slow_down},
        {503, "RequestThrottled", slow_down},
        {429, "", slow_down},
        {429, "TooManyRequests", slow_down},
        {400, "RequestLimitExceeded", slow_down},
        {200, "SlowDown", slow_down},
        // nobody but a person can help
        {401, "", stop},
        {403, "", stop},
        {403, "AccessDenied", stop},
        {403, "QuotaExceeded", stop},
        {403, "SomethingNew", stop},
        {404, "NoSuchBucket", stop},
        {404, "", stop},
        {400, "InvalidBucketName", stop},
        {405, "MethodNotAllowed", stop},
        {403, "AllAccessDisabled", stop},
        {403, "AccountProblem", stop},
        {403, "NotSignedUp", stop},
        {400, "InvalidStorageClass", stop},
        {400, "KMS.NotFoundException", stop},
        {400, "KMS.DisabledException", stop},
        {411, "MissingContentLength", park},
        {407, "", stop},
        {501, "NotImplemented", stop},
        {304, "", stop},
        // unless it can be healed at once
        {403, "RequestTimeTooSkewed", stop, s3_remedy::adjust_clock},
        {400, "ExpiredToken", stop, s3_remedy::refresh_credentials},
        {403, "ExpiredToken", stop, s3_remedy::refresh_credentials},
        {400, "TokenRefreshRequired", stop, s3_remedy::refresh_credentials},
        {400, "InvalidToken", stop, s3_remedy::refresh_credentials},
        {403, "InvalidAccessKeyId", stop, s3_remedy::refresh_credentials},
        {403, "SignatureDoesNotMatch", stop, s3_remedy::refresh_credentials},
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
        {400, "EntityTooSmall", park},
        {400, "InvalidPartOrder", park},
        {400, "InvalidTag", park},
        {400, "MetadataTooLarge", park},
        {400, "InvalidURI", park},
        {403, "InvalidObjectState", park},
        {404, "NoSuchKey", park},
        {422, "SomethingNew", park},
    };
    return rows;
}

}  // namespace firehose
