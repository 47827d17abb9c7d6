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
    row{"NoSuchUpload", {disposition::retry}},
    // The bytes were damaged or cut on the way: the same request again is right.
    row{"BadDigest", {disposition::retry}},
    row{"IncompleteBody", {disposition::retry}},
    row{"XAmzContentSHA256Mismatch", {disposition::retry}},
    row{"XAmzContentChecksumMismatch", {disposition::retry}},

    row{"RequestTimeTooSkewed", {disposition::stop, s3_remedy::adjust_clock}},
    row{"ExpiredToken", {disposition::stop, s3_remedy::refresh_credentials}},
    row{"TokenRefreshRequired", {disposition::stop, s3_remedy::refresh_credentials}},
    row{"PermanentRedirect", {disposition::stop, s3_remedy::other_region}},
    row{"TemporaryRedirect", {disposition::retry, s3_remedy::other_region}},
    row{"Redirect", {disposition::retry, s3_remedy::other_region}},
    row{"AuthorizationHeaderMalformed", {disposition::stop, s3_remedy::other_region}},
    row{"IllegalLocationConstraintException", {disposition::stop, s3_remedy::other_region}},

    row{"AccessDenied", {disposition::stop}},
    row{"AccountProblem", {disposition::stop}},
    row{"AllAccessDisabled", {disposition::stop}},
    row{"InvalidAccessKeyId", {disposition::stop}},
    row{"InvalidBucketName", {disposition::stop}},
    row{"InvalidToken", {disposition::stop}},
    row{"MethodNotAllowed", {disposition::stop}},
    row{"NoSuchBucket", {disposition::stop}},
    row{"NotImplemented", {disposition::stop}},
    row{"NotSignedUp", {disposition::stop}},
    row{"QuotaExceeded", {disposition::stop}},
    row{"SignatureDoesNotMatch", {disposition::stop}},

    row{"EntityTooLarge", {disposition::park}},
    row{"EntityTooSmall", {disposition::park}},
    row{"InvalidArgument", {disposition::park}},
    row{"InvalidObjectState", {disposition::park}},
    row{"InvalidRequest", {disposition::park}},
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

std::string s3_advice(std::string_view code, int status, std::string_view method, std::string_view bucket,
                      std::string_view access_key_id) {
    const std::string where(bucket);
    const std::string key(access_key_id);
    if (code == "NoSuchBucket")
        return "bucket " + where + " does not exist at this endpoint; create it or correct the name";
    if (code == "InvalidAccessKeyId")
        return "access key id " + key + " is not known there; check the credential and the endpoint";
    if (code == "SignatureDoesNotMatch")
        return "the secret does not belong to access key id " + key +
               ", or a proxy changed the request; check the credential";
    if (code == "ExpiredToken" || code == "TokenRefreshRequired")
        return "the session token has expired; renew the credential";
    if (code == "InvalidToken") return "the session token is malformed; renew the credential";
    if (code == "RequestTimeTooSkewed") return "this machine's clock is off by more than 15 minutes; set it";
    if (code == "QuotaExceeded") return "the quota of the bucket or its owner is used up";
    if (code == "EntityTooLarge" || status == 413)
        return "the object is larger than the server takes in one request";
    if (code == "NotImplemented" || status == 501) return "the server lacks a feature the request asked for";
    if (code == "AccessDenied" || (code.empty() && status == 403)) {
        const std::string_view action = method == "PUT"      ? "s3:PutObject"
                                        : method == "DELETE" ? "s3:DeleteObject"
                                        : method == "GET"    ? "s3:ListBucket"
                                                             : "s3:GetObject";
        return "access key id " + key + " lacks " + std::string(action) + " on bucket " + where;
    }
    if (status == 301 || status == 307 || code == "AuthorizationHeaderMalformed")
        return "the bucket is in another region than the credential says; set its region";
    return {};
}

}  // namespace firehose::storage
