/// SQS's JSON 1.0 protocol as text: what requests hold, what answers say, and the checksums. No I/O.
/// Source: the Amazon SQS API Reference (JSON protocol) and its developer guide on message attributes.
#pragma once
#include "storage/message_queue.hpp"
#include "storage/provider_answer.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::storage::sqs {

/// Appends a JSON string. Bytes that are no UTF-8 are passed on as they are.
void append_string(std::string& out, std::string_view text);
/// Appends `"name":"text"` with a comma before it unless an object begins just there.
void append_member(std::string& out, std::string_view name, std::string_view text);
void append_member(std::string& out, std::string_view name, long long number);

/// The members of one message, without braces: of SendMessage, or of an entry of SendMessageBatch.
void append_message(std::string& out, const outgoing_message& message);

/// What counts for a queue's limit: body, and names, types and values of attributes.
std::size_t size_of(const outgoing_message& message) noexcept;

/// SQS takes what XML 1.0 takes: UTF-8, tab, line feed, carriage return and U+0020 to U+10FFFF but for
/// surrogates, U+FFFE and U+FFFF.
bool is_valid_text(std::string_view text) noexcept;

std::string md5_of(std::string_view body);
/// Over names, types and values, each with its length, in the order of names.
std::string md5_of(std::vector<message_attribute> attributes);

/// One entry that succeeded. Of SendMessage it is the answer itself, without an id.
struct success {
    std::string id{};
    std::string message_id{};
    std::string md5_of_body{};
    std::string md5_of_attributes{};
};
/// One entry that failed.
struct refusal {
    std::string id{};
    std::string code{};
    std::string message{};
    bool our_fault = false;
};
struct batch_answer {
    std::vector<success> successful{};
    std::vector<refusal> failed{};
};

/// Nothing for what is no such answer.
std::optional<batch_answer> read_batch_answer(std::string_view json);
std::optional<success> read_single_answer(std::string_view json);

struct received {
    received_message message{};
    std::string md5_of_body{};
    std::string md5_of_attributes{};
};
std::optional<std::vector<received>> read_messages(std::string_view json);
std::optional<queue_attributes> read_attributes(std::string_view json);
std::optional<std::string> read_queue_url(std::string_view json);

/// "__type" and "message" of an error answer; empty parts for what is none. The code is sqs_code()'s.
error_body read_error(std::string_view json);

}  // namespace firehose::storage::sqs
