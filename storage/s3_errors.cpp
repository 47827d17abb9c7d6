#include "storage/s3_errors.hpp"

#include <algorithm>
#include <array>

namespace firehose::storage {

namespace {

struct row {
    std::string_view code;
    s3_verdict verdict;
};

/// By provider code; it is more exact than the status.
constexpr std::array rows = {
    row{"SlowDown", {disposition::slow_down}},
    row{"Throttling", {disposition::slow_down}},
    row{"ThrottlingException", {disposition::slow_down}},
    row{"RequestLimitExceeded", {disposition::slow_down}},
    row{"RequestThrottled", {disposition::slow_down}},
    row{"TooManyRequests", {disposition::slow_down}},

    row{"InternalError", {disposition::retry}},
    row{"ServiceUnavailable", {disposition::retry}},
    row{"RequestTimeout", {disposition::retry}},
    row{"OperationAborted", {disposition::retry}},
    row{"ConditionalRequestConflict", {disposition::retry}},
    // An upload in parts that must begin anew.
    row{"NoSuchUpload", {disposition::retry}},
    row{"InvalidPart", {disposition::retry}},
    // The bytes were damaged or cut on the way: the same request again is right.
    row{"BadDigest", {disposition::retry}},
    row{"IncompleteBody", {disposition::retry}},
    row{"XAmzContentSHA256Mismatch", {disposition::retry}},
    row{"XAmzContentChecksumMismatch", {disposition::retry}},

    row{"RequestTimeTooSkewed", {disposition::stop, s3_remedy::adjust_clock}},
    row{"ExpiredToken", {disposition::stop, s3_remedy::refresh_credentials}},
    row{"TokenRefreshRequired", {disposition::stop, s3_remedy::refresh_credentials}},
    row{"InvalidToken", {disposition::stop, s3_remedy::refresh_credentials}},
    row{"InvalidAccessKeyId", {disposition::stop, s3_remedy::refresh_credentials}},
    row{"SignatureDoesNotMatch", {disposition::stop, s3_remedy::refresh_credentials}},
    row{"PermanentRedirect", {disposition::stop, s3_remedy::other_region}},
    row{"TemporaryRedirect", {disposition::retry, s3_remedy::other_region}},
    row{"Redirect", {disposition::retry, s3_remedy::other_region}},
    row{"AuthorizationHeaderMalformed", {disposition::stop, s3_remedy::other_region}},
    row{"IllegalLocationConstraintException", {disposition::stop, s3_remedy::other_region}},

    row{"AccessDenied", {disposition::stop}},
    row{"AccountProblem", {disposition::stop}},
    row{"AllAccessDisabled", {disposition::stop}},
    row{"InvalidBucketName", {disposition::stop}},
    row{"InvalidStorageClass", {disposition::stop}},
    row{"KMS.DisabledException", {disposition::stop}},
    row{"KMS.InvalidKeyUsageException", {disposition::stop}},
    row{"KMS.KMSInvalidStateException", {disposition::stop}},
    row{"KMS.NotFoundException", {disposition::stop}},
    row{"MethodNotAllowed", {disposition::stop}},
    row{"NoSuchBucket", {disposition::stop}},
    row{"NotImplemented", {disposition::stop}},
    row{"NotSignedUp", {disposition::stop}},
    row{"QuotaExceeded", {disposition::stop}},

    row{"EntityTooLarge", {disposition::park}},
    row{"EntityTooSmall", {disposition::park}},
    row{"InvalidArgument", {disposition::park}},
    row{"InvalidObjectState", {disposition::park}},
    row{"InvalidRequest", {disposition::park}},
    row{"InvalidPartOrder", {disposition::park}},
    row{"InvalidTag", {disposition::park}},
    row{"InvalidURI", {disposition::park}},
    row{"KeyTooLong", {disposition::park}},
    row{"KeyTooLongError", {disposition::park}},
    row{"MetadataTooLarge", {disposition::park}},
    row{"NoSuchKey", {disposition::park}},
    row{"PreconditionFailed", {disposition::park}},
};

/// AWS redirects to another region, by a status alone when the request was a HEAD.
bool is_redirect(int status) noexcept {
    return status == 301 || status == 302 || status == 307 || status == 308;
}

}  // namespace

s3_verdict judge_s3(int status, std::string_view code) noexcept {
    const auto found = std::ranges::find(rows, code, &row::code);
    if (found != rows.end()) return found->verdict;
    return {judge_status(status), is_redirect(status) ? s3_remedy::other_region : s3_remedy::none};
}

}  // namespace firehose::storage
