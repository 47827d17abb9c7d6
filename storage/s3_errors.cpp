#include "storage/s3_errors.hpp"

#include <pugixml.hpp>

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

s3_verdict judge_status(int status) noexcept {
    if (status < 300) return {disposition::retry};  // a success that was none
    switch (status) {
        case 408:
        case 409:
        case 425: return {disposition::retry};
        case 429: return {disposition::slow_down};
        case 301:
        case 302:
        case 307:
        case 308: return {disposition::stop, s3_remedy::other_region};
        case 401:
        case 402:
        case 403:
        case 404:
        case 405:
        case 407:
        case 501: return {disposition::stop};
        default: break;
    }
    if (status >= 500) return {disposition::retry};
    if (status >= 400) return {disposition::park};
    return {disposition::stop};
}

}  // namespace

s3_verdict judge_s3(int status, std::string_view code) noexcept {
    const auto found = std::ranges::find(rows, code, &row::code);
    return found == rows.end() ? judge_status(status) : found->verdict;
}

s3_error_body read_s3_error(std::string_view body) {
    s3_error_body out;
    // Most answers are no errors, and some of those are long listings.
    if (body.substr(0, 4096).find("<Error") == std::string_view::npos) return out;
    pugi::xml_document document;
    // What was parsed before a fault stays in the tree, so a body cut at our limit still names its code.
    document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8);
    const auto root = document.child("Error");
    out.code = root.child_value("Code");
    out.message = root.child_value("Message");
    out.request_id = root.child_value("RequestId");
    out.region = root.child_value("Region");
    return out;
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
