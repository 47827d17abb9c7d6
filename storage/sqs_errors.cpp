#include "storage/sqs_errors.hpp"

#include "storage/provider_answer.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace firehose::storage {

namespace {

struct row {
    std::string_view code;
    sqs_verdict verdict;
};

/// By provider code; it is more exact than the status, which is 400 for nearly everything.
constexpr std::array rows = {
    row{"RequestThrottled", {disposition::slow_down}},
    row{"Throttling", {disposition::slow_down}},
    row{"ThrottlingException", {disposition::slow_down}},
    row{"TooManyRequestsException", {disposition::slow_down}},
    row{"KmsThrottled", {disposition::slow_down}},
    row{"OverLimit", {disposition::slow_down}},

    row{"InternalError", {disposition::retry}},
    row{"InternalFailure", {disposition::retry}},
    row{"ServiceUnavailable", {disposition::retry}},
    row{"ServiceUnavailableException", {disposition::retry}},
    row{"RequestTimeout", {disposition::retry}},
    row{"PurgeQueueInProgress", {disposition::retry}},
    row{"QueueDeletedRecently", {disposition::retry}},

    row{"InvalidSignatureException", {disposition::stop, sqs_remedy::adjust_clock}},
    row{"SignatureDoesNotMatch", {disposition::stop, sqs_remedy::adjust_clock}},
    row{"RequestExpired", {disposition::stop, sqs_remedy::adjust_clock}},
    row{"RequestTimeTooSkewed", {disposition::stop, sqs_remedy::adjust_clock}},

    row{"AccessDenied", {disposition::stop}},
    row{"AccessDeniedException", {disposition::stop}},
    row{"ExpiredToken", {disposition::stop, sqs_remedy::refresh_credentials}},
    row{"ExpiredTokenException", {disposition::stop, sqs_remedy::refresh_credentials}},
    row{"IncompleteSignature", {disposition::stop}},
    row{"IncompleteSignatureException", {disposition::stop}},
    row{"InvalidAccessKeyId", {disposition::stop, sqs_remedy::refresh_credentials}},
    row{"InvalidAction", {disposition::stop}},
    row{"InvalidAddress", {disposition::stop}},
    row{"InvalidClientTokenId", {disposition::stop, sqs_remedy::refresh_credentials}},
    row{"InvalidSecurity", {disposition::stop}},
    row{"KmsAccessDenied", {disposition::stop}},
    row{"KmsDisabled", {disposition::stop}},
    row{"KmsInvalidKeyUsage", {disposition::stop}},
    row{"KmsInvalidState", {disposition::stop}},
    row{"KmsNotFound", {disposition::stop}},
    row{"KmsOptInRequired", {disposition::stop}},
    row{"MissingAuthenticationToken", {disposition::stop}},
    row{"MissingAuthenticationTokenException", {disposition::stop}},
    row{"OptInRequired", {disposition::stop}},
    row{"QueueDoesNotExist", {disposition::stop}},
    row{"UnrecognizedClientException", {disposition::stop, sqs_remedy::refresh_credentials}},
    row{"UnsupportedOperation", {disposition::stop}},

    row{"BatchEntryIdsNotDistinct", {disposition::park}},
    row{"BatchRequestTooLong", {disposition::park}},
    row{"EmptyBatchRequest", {disposition::park}},
    row{"InvalidAttributeName", {disposition::park}},
    row{"InvalidAttributeValue", {disposition::park}},
    row{"InvalidBatchEntryId", {disposition::park}},
    row{"InvalidIdFormat", {disposition::park}},
    row{"InvalidMessageContents", {disposition::park}},
    row{"InvalidParameterCombination", {disposition::park}},
    row{"InvalidParameterValue", {disposition::park}},
    row{"MessageNotInflight", {disposition::park}},
    row{"MissingParameter", {disposition::park}},
    row{"ReceiptHandleIsInvalid", {disposition::park}},
    row{"SerializationException", {disposition::park}},
    row{"TooManyEntriesInBatchRequest", {disposition::park}},
    row{"ValidationException", {disposition::park}},
};

/// The names of the older protocol, which some answers and emulators still give.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> old_names = {{
    {"NonExistentQueue", "QueueDoesNotExist"},
    {"BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinct"},
    {"InvalidReceiptHandle", "ReceiptHandleIsInvalid"},
    {"MessageTooLong", "InvalidParameterValue"},
    {"InvalidParameterValueException", "InvalidParameterValue"},
}};

}  // namespace

std::string sqs_code(std::string_view type) {
    type = type.substr(0, type.find_first_of(":;"));
    const auto before = type.find_last_of("#.");
    if (before != std::string_view::npos) type.remove_prefix(before + 1);
    const auto old =
        std::ranges::find(old_names, type, &std::pair<std::string_view, std::string_view>::first);
    return std::string(old == old_names.end() ? type : old->second);
}

sqs_verdict judge_sqs(int status, std::string_view code) noexcept {
    const auto found = std::ranges::find(rows, code, &row::code);
    if (found != rows.end()) return found->verdict;
    if (code.starts_with("Kms")) return {disposition::stop};
    return {judge_status(status)};
}

std::string sqs_advice(std::string_view code, int status, std::string_view action, std::string_view queue,
                       std::string_view access_key_id) {
    const std::string where(queue);
    const std::string key(access_key_id);
    if (code == "QueueDoesNotExist")
        return "queue " + where + " does not exist there; create it or correct queue_url, region and account";
    if (code == "InvalidClientTokenId" || code == "UnrecognizedClientException" ||
        code == "InvalidAccessKeyId")
        return "access key id " + key + " is not known there; check the credential and queue_url";
    if (code == "InvalidSignatureException" || code == "SignatureDoesNotMatch")
        return "the secret does not belong to access key id " + key +
               ", or the region is not the queue's; check the credential";
    if (code == "RequestExpired" || code == "RequestTimeTooSkewed")
        return "this machine's clock is off by more than 15 minutes; set it";
    if (code.starts_with("ExpiredToken")) return "the session token has expired; renew the credential";
    if (code == "OverLimit")
        return "more messages of queue " + where +
               " are in flight than SQS allows (120,000, or 20,000 on a FIFO queue); run fewer processes or "
               "shorten the visibility";
    if (code == "RequestThrottled" || code.starts_with("Throttling") || code == "TooManyRequestsException")
        return "SQS takes fewer requests than were made; nothing needs to be done unless it goes on";
    if (code == "ReceiptHandleIsInvalid")
        return "the message's visibility had ended, so it may be received again; lengthen the visibility";
    if (code.starts_with("Kms"))
        return "the key that encrypts queue " + where + " cannot be used; check its policy and state";
    if (code == "InvalidMessageContents") return "the message holds characters that SQS does not take";
    if (code == "InvalidParameterValue" && action.starts_with("Send"))
        return "the message may be longer than queue " + where +
               " allows; set message_bytes to the queue's MaximumMessageSize";
    if (code == "UnsupportedOperation" || code == "InvalidAction")
        return "that endpoint is no SQS queue of the kind that queue_url says";
    if (code.starts_with("AccessDenied") || (code.empty() && status == 403))
        return "access key id " + key + " lacks sqs:" +
               std::string(action.ends_with("Batch") ? action.substr(0, action.size() - 5) : action) +
               " on queue " + where;
    return {};
}

}  // namespace firehose::storage
