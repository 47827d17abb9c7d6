/// What a refusal of Amazon SQS means: a pure function, one row per answer.
#pragma once
#include "pipeline/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace firehose::storage {

/// What may turn the refusal into success without anybody's help, before the disposition counts.
enum class sqs_remedy : std::uint8_t {
    none,
    adjust_clock,  ///< if the clocks differ: learn the server's time, sign again once; else as the next
    refresh_credentials,  ///< if there are other keys than those that were used: sign again once
};

/// `park` means that this message or this request can never be taken; the queue itself works.
struct sqs_verdict {
    disposition what = disposition::retry;
    sqs_remedy remedy = sqs_remedy::none;

    friend bool operator==(const sqs_verdict&, const sqs_verdict&) = default;
};

/// "com.amazonaws.sqs#QueueDoesNotExist" and "AWS.SimpleQueueService.NonExistentQueue" are both
/// QueueDoesNotExist: names lose what comes before their last part, and old ones become the new.
std::string sqs_code(std::string_view type);

/// The status is 300 or above, or belongs to an answer that was found to be no success, or is 200 for an
/// entry of a batch. `code` is what sqs_code() made of it, empty when there was none.
sqs_verdict judge_sqs(int status, std::string_view code) noexcept;

/// What a person can do about it, without a full stop; empty when there is nothing to add.
/// `action` is the API's: "SendMessage".
std::string sqs_advice(std::string_view code, int status, std::string_view action, std::string_view queue,
                       std::string_view access_key_id);

}  // namespace firehose::storage
