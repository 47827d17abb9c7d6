/// What one message of the SQS spool holds: a record with its body, as text. No I/O. stages/SQS_SPOOL.md
/// describes it.
#pragma once
#include "stages/spool_backend.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace firehose::stages::sqs_record {

/// Longer bodies are not taken out of a message, whatever they claim to unpack to.
inline constexpr std::size_t longest_body = 64u << 20;

/// Who has put a record into the queue, and when it was last put there.
struct origin {
    std::string run{};  ///< names one opening of the spool by one process
    time_source::wall touched_at{};
};

/// The body of the message, at most `most` bytes: the event as it is, or packed if only that fits. Nothing
/// when it does not fit at all. Always text that SQS takes.
std::optional<std::string> encode(const spool_header& header, const origin& from, bytes_view body,
                                  std::size_t most);

struct decoded {
    spool_header header{};
    origin from{};
    slab backing{};
    std::size_t size = 0;  ///< of the body, which fills the backing
};
/// An error says what is wrong with a message that is no record, or one of a later version.
result<decoded> decode(std::string_view text);

}  // namespace firehose::stages::sqs_record
