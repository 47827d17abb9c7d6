#include "storage/s3_advice.hpp"

#include "storage/s3_errors.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace firehose::storage {

namespace {

struct advice_row {
    std::string_view code;
    std::string_view words;  // $bucket, $key, $action, $endpoint and $region are filled in
};

constexpr std::array advices = {
    advice_row{"NoSuchBucket",
               "bucket $bucket does not exist in the account of access key id $key at $endpoint; "
               "create it or correct the name"},
    advice_row{"AccessDenied",
               "access key id $key is known there but lacks $action on bucket $bucket; allow it in "
               "the policy of the user or of the bucket"},
    advice_row{"InvalidAccessKeyId",
               "access key id $key is not known there; check the credential and the endpoint"},
    advice_row{"SignatureDoesNotMatch",
               "the secret does not belong to access key id $key, or a proxy changed the "
               "request; check the credential"},
    advice_row{"ExpiredToken", "the session token has expired; renew the credential"},
    advice_row{"TokenRefreshRequired", "the session token has expired; renew the credential"},
    advice_row{"InvalidToken",
               "the session token is malformed or not of this partition; renew the credential"},
    advice_row{"RequestTimeTooSkewed", "this machine's clock is off by more than 15 minutes; set it"},
    advice_row{"QuotaExceeded", "the quota of the bucket or its owner is used up; raise it or make room"},
    advice_row{"AccountProblem", "the provider has a problem with the account of access key id $key; ask it"},
    advice_row{"AllAccessDisabled", "the provider has closed bucket $bucket; ask it"},
    advice_row{"NotSignedUp", "the account of access key id $key is not signed up for S3"},
    advice_row{"InvalidBucketName", "bucket $bucket cannot be a bucket's name there; correct it"},
    advice_row{"InvalidStorageClass", "the storage class in the configuration is not one of this server's"},
    advice_row{"MethodNotAllowed",
               "a rule of bucket $bucket, an object lock perhaps, does not allow $action"},
    advice_row{"NotImplemented", "the server lacks a feature the request asked for"},
    advice_row{"KMS.DisabledException",
               "the encryption key in the configuration is disabled; enable it in KMS"},
    advice_row{"KMS.InvalidKeyUsageException",
               "the encryption key in the configuration is not one for encryption; choose a symmetric one"},
    advice_row{"KMS.KMSInvalidStateException",
               "the encryption key in the configuration is disabled or about to be deleted; see KMS"},
    advice_row{
        "KMS.NotFoundException",
        "the encryption key in the configuration does not exist in region $region; correct kms_key_id"},
    advice_row{
        "AuthorizationHeaderMalformed",
        "bucket $bucket is in another region than $region, or region or key are malformed; correct the "
        "credential's region"},
    advice_row{"IllegalLocationConstraintException",
               "bucket $bucket is in another region than $region; correct the credential's region"},
    advice_row{"PermanentRedirect",
               "bucket $bucket is in another region than $region; correct the credential's region"},

    advice_row{"SlowDown", "the server asks for fewer requests; less is sent, and this again later"},
    advice_row{"InternalError", "trouble on the server's side; it is tried again"},
    advice_row{"ServiceUnavailable", "trouble on the server's side; it is tried again"},
    advice_row{"RequestTimeout", "the body came too slowly for the server; it is sent again"},
    advice_row{"OperationAborted", "another operation on the same thing was under way; it is tried again"},
    advice_row{"ConditionalRequestConflict",
               "the same object was being written elsewhere; it is tried again"},
    advice_row{"NoSuchUpload", "the upload in parts was completed or removed meanwhile, by a lifecycle rule "
                               "perhaps; it begins anew"},
    advice_row{"InvalidPart", "a part of the upload is not there; it begins anew"},
    advice_row{"BadDigest", "the bytes were damaged on their way; they are sent again"},
    advice_row{"IncompleteBody", "the bytes were cut off on their way; they are sent again"},
    advice_row{"XAmzContentSHA256Mismatch", "the bytes were damaged on their way; they are sent again"},
    advice_row{"XAmzContentChecksumMismatch", "the bytes were damaged on their way; they are sent again"},

    advice_row{"EntityTooLarge", "the object is larger than the server takes in one request; lower "
                                 "multipart/threshold_bytes"},
    advice_row{"EntityTooSmall", "a part is smaller than the server takes; raise multipart/part_bytes"},
    advice_row{"KeyTooLong", "the key is longer than the server takes; shorten the prefix"},
    advice_row{"KeyTooLongError", "the key is longer than the server takes; shorten the prefix"},
    advice_row{"MetadataTooLarge", "the metadata are more than the 2 KB the server takes"},
    advice_row{"InvalidTag", "a tag is longer or has other characters than the server takes"},
    advice_row{"InvalidObjectState", "the object is archived; it must be restored first"},
    advice_row{"PreconditionFailed", "an object of that key is there already, or was replaced"},
    advice_row{"InvalidURI", "the server does not take such a key"},
};

/// What stands for a code where there was none: HEAD has no body, proxies speak HTML.
std::string_view words_for_status(int status, std::string_view action) noexcept {
    switch (status) {
        case 301:
        case 302:
        case 307:
        case 308: return "bucket $bucket is in another region than $region; correct the credential's region";
        case 400:
        case 422: return "the server does not take such a request; its message, if any, says why";
        case 401: return "the server, or a proxy, wants other credentials than those of access key id $key";
        case 403:
            return "access key id $key is not accepted, or lacks $action on bucket $bucket; check the "
                   "credential and "
                   "the policies";
        case 404:
            if (action == "s3:ListBucket")
                return "bucket $bucket does not exist in the account of access key id $key at $endpoint; "
                       "create it or "
                       "correct the name";
            return "there is nothing of that name at $endpoint";
        case 405: return "the server does not take such requests; is $endpoint an S3 endpoint?";
        case 408:
        case 425: return "the request came too slowly or too early for the server; it is sent again";
        case 409: return "another operation on the same thing was under way; it is tried again";
        case 407: return "a proxy on the way wants a user name and password";
        case 411: return "the server wants lengths that something on the way removed";
        case 413:
            return "the object is larger than the server takes in one request; lower "
                   "multipart/threshold_bytes";
        case 429: return "the server asks for fewer requests; less is sent, and this again later";
        case 501: return "the server lacks a feature the request asked for";
        default: break;
    }
    if (status >= 500) return "trouble on the server's side; it is tried again";
    return {};
}

std::string filled_in(std::string_view words, const s3_subject& about) {
    const std::array<std::pair<std::string_view, std::string_view>, 5> names = {
        {{"$bucket", about.bucket},
         {"$key", about.access_key_id},
         {"$action", about.action},
         {"$endpoint", about.endpoint},
         {"$region", about.region}}};
    std::string out;
    while (!words.empty()) {
        const auto at = std::min(words.find('$'), words.size());
        out.append(words.substr(0, at));
        words.remove_prefix(at);
        const auto name =
            std::ranges::find_if(names, [words](const auto& each) { return words.starts_with(each.first); });
        if (name == names.end()) return out.append(words);
        out.append(name->second);
        words.remove_prefix(name->first.size());
    }
    return out;
}

}  // namespace

std::string s3_advice(std::string_view code, int status, const s3_subject& about) {
    if (judge_s3(status, code).what == disposition::slow_down) code = "SlowDown";
    const auto found = std::ranges::find(advices, code, &advice_row::code);
    return filled_in(found != advices.end() ? found->words : words_for_status(status, about.action), about);
}

std::string_view s3_action(std::string_view method, std::string_view target, std::string_view base) noexcept {
    const auto mark = std::min(target.find('?'), target.size());
    const auto path = target.substr(0, mark);
    const auto query = target.substr(mark);
    const bool upload = query.find("uploadId=") != std::string_view::npos;
    const bool bucket = path.size() <= std::max<std::size_t>(base.size(), 1);
    if (method == "PUT" || method == "POST") return "s3:PutObject";
    if (method == "DELETE") return upload ? "s3:AbortMultipartUpload" : "s3:DeleteObject";
    if (upload) return "s3:ListMultipartUploadParts";
    return bucket ? "s3:ListBucket" : "s3:GetObject";
}

}  // namespace firehose::storage
