#include "storage/sqs_message.hpp"

#include "http/digest.hpp"
#include "pipeline/bytes.hpp"
#include "storage/sqs_errors.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>

namespace firehose::storage::sqs {

namespace {

namespace dom = simdjson::dom;

bool is_binary(const message_attribute& a) { return a.type.starts_with("Binary"); }

std::string_view text_at(dom::object from, std::string_view name) {
    std::string_view text;
    if (from[name].get(text) != simdjson::SUCCESS) return {};
    return text;
}

/// Numbers come as strings.
std::uint64_t number_at(dom::object from, std::string_view name) {
    return whole_number(text_at(from, name)).value_or(0);
}

/// The document, as long as this object lives.
class document {
public:
    explicit document(std::string_view json) {
        dom::element whole;
        if (parser_.parse(json.data(), json.size()).get(whole) != simdjson::SUCCESS) return;
        dom::object found;
        if (whole.get(found) == simdjson::SUCCESS) object_ = found;
    }
    const std::optional<dom::object>& object() const noexcept { return object_; }

private:
    dom::parser parser_;
    std::optional<dom::object> object_;
};

/// The objects of an array; none when it is absent.
std::vector<dom::object> objects_at(dom::object from, std::string_view name) {
    std::vector<dom::object> out;
    dom::array all;
    if (from[name].get(all) != simdjson::SUCCESS) return out;
    for (const dom::element one : all) {
        dom::object found;
        if (one.get(found) == simdjson::SUCCESS) out.push_back(found);
    }
    return out;
}

success read_success(dom::object from) {
    success out;
    out.id = text_at(from, "Id");
    out.message_id = text_at(from, "MessageId");
    out.md5_of_body = text_at(from, "MD5OfMessageBody");
    out.md5_of_attributes = text_at(from, "MD5OfMessageAttributes");
    return out;
}

std::vector<message_attribute> read_message_attributes(dom::object from) {
    std::vector<message_attribute> out;
    dom::object all;
    if (from["MessageAttributes"].get(all) != simdjson::SUCCESS) return out;
    for (const auto& [name, value] : all) {
        dom::object parts;
        if (value.get(parts) != simdjson::SUCCESS) continue;
        message_attribute one;
        one.name = name;
        one.type = text_at(parts, "DataType");
        one.value = text_at(parts, is_binary(one) ? "BinaryValue" : "StringValue");
        if (is_binary(one)) {
            const auto bytes = http::from_base64(one.value).value_or(std::vector<std::byte>());
            one.value = as_text(bytes);
        }
        out.push_back(std::move(one));
    }
    return out;
}

received read_message(dom::object from) {
    received out;
    auto& m = out.message;
    m.id = text_at(from, "MessageId");
    m.receipt = text_at(from, "ReceiptHandle");
    m.body = text_at(from, "Body");
    m.attributes = read_message_attributes(from);
    out.md5_of_body = text_at(from, "MD5OfBody");
    out.md5_of_attributes = text_at(from, "MD5OfMessageAttributes");
    dom::object about;
    if (from["Attributes"].get(about) != simdjson::SUCCESS) return out;
    m.receives = static_cast<unsigned>(
        std::clamp<std::uint64_t>(number_at(about, "ApproximateReceiveCount"), 1, 1'000'000));
    m.sent_at = time_source::wall(std::chrono::milliseconds(number_at(about, "SentTimestamp")));
    m.group_id = text_at(about, "MessageGroupId");
    return out;
}

void append_hex(std::string& out, unsigned byte) {
    constexpr std::string_view digits = "0123456789abcdef";
    out.append("\\u00");
    out += digits[byte >> 4];
    out += digits[byte & 15];
}

std::array<std::byte, 4> big_endian(std::size_t n) {
    std::array<std::byte, 4> out{};
    for (unsigned i = 0; i < 4; ++i) out[i] = static_cast<std::byte>(n >> (24 - 8 * i) & 0xff);
    return out;
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (byte < 0x20) {
            append_hex(out, byte);
        } else {
            out += c;
        }
    }
    out += '"';
}

namespace {
void append_name(std::string& out, std::string_view name) {
    if (!out.empty() && out.back() != '{') out += ',';
    out.append("\"").append(name).append("\":");
}
}  // namespace

void append_member(std::string& out, std::string_view name, std::string_view text) {
    append_name(out, name);
    append_string(out, text);
}

void append_member(std::string& out, std::string_view name, long long number) {
    append_name(out, name);
    out += std::to_string(number);
}

void append_message(std::string& out, const outgoing_message& message) {
    append_member(out, "MessageBody", message.body);
    if (message.delay.count() > 0) append_member(out, "DelaySeconds", message.delay.count());
    if (!message.group_id.empty()) append_member(out, "MessageGroupId", message.group_id);
    if (!message.deduplication_id.empty())
        append_member(out, "MessageDeduplicationId", message.deduplication_id);
    if (message.attributes.empty()) return;
    append_name(out, "MessageAttributes");
    out += '{';
    for (const auto& one : message.attributes) {
        if (out.back() != '{') out += ',';
        append_string(out, one.name);
        out += ":{";
        append_member(out, "DataType", one.type);
        if (is_binary(one))
            append_member(out, "BinaryValue", http::to_base64(as_bytes(one.value)));
        else
            append_member(out, "StringValue", one.value);
        out += '}';
    }
    out += '}';
}

std::size_t size_of(const outgoing_message& message) noexcept {
    std::size_t total = message.body.size();
    for (const auto& one : message.attributes) total += one.name.size() + one.type.size() + one.value.size();
    return total;
}

bool is_valid_text(std::string_view text) noexcept {
    if (!simdjson::validate_utf8(text.data(), text.size())) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') return false;
        // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
        if (byte == 0xef && text.substr(i, 2) == "\xef\xbf" && i + 2 < text.size() &&
            static_cast<unsigned char>(text[i + 2]) >= 0xbe)
            return false;
    }
    return true;
}

std::string md5_of(std::string_view body) {
    const auto whole = as_bytes(body);
    return http::to_hex(http::md5(std::span(&whole, 1)));
}

std::string md5_of(std::vector<message_attribute> attributes) {
    std::ranges::sort(attributes, {}, &message_attribute::name);
    std::string text;
    const auto append = [&text](std::string_view part) {
        const auto length = big_endian(part.size());
        text.append(as_text(length)).append(part);
    };
    for (const auto& one : attributes) {
        append(one.name);
        append(one.type);
        text += is_binary(one) ? '\2' : '\1';
        append(one.value);
    }
    return md5_of(text);
}

std::optional<batch_answer> read_batch_answer(std::string_view json) {
    const document whole(json);
    if (!whole.object()) return std::nullopt;
    batch_answer out;
    for (const auto& one : objects_at(*whole.object(), "Successful"))
        out.successful.push_back(read_success(one));
    for (const auto& one : objects_at(*whole.object(), "Failed")) {
        refusal bad;
        bad.id = text_at(one, "Id");
        bad.code = sqs_code(text_at(one, "Code"));
        bad.message = text_at(one, "Message");
        bool ours = false;
        if (one["SenderFault"].get(ours) == simdjson::SUCCESS) bad.our_fault = ours;
        out.failed.push_back(std::move(bad));
    }
    return out;
}

std::optional<success> read_single_answer(std::string_view json) {
    if (json.empty()) return success{};  // DeleteMessage and ChangeMessageVisibility say nothing
    const document whole(json);
    if (!whole.object()) return std::nullopt;
    return read_success(*whole.object());
}

std::optional<std::vector<received>> read_messages(std::string_view json) {
    const document whole(json);
    if (!whole.object()) return std::nullopt;
    std::vector<received> out;
    for (const auto& one : objects_at(*whole.object(), "Messages")) out.push_back(read_message(one));
    return out;
}

std::optional<queue_attributes> read_attributes(std::string_view json) {
    const document whole(json);
    if (!whole.object()) return std::nullopt;
    dom::object all;
    if ((*whole.object())["Attributes"].get(all) != simdjson::SUCCESS) return std::nullopt;
    queue_attributes out;
    out.visible = number_at(all, "ApproximateNumberOfMessages");
    out.in_flight = number_at(all, "ApproximateNumberOfMessagesNotVisible");
    out.delayed = number_at(all, "ApproximateNumberOfMessagesDelayed");
    out.retention = std::chrono::seconds(number_at(all, "MessageRetentionPeriod"));
    out.visibility = std::chrono::seconds(number_at(all, "VisibilityTimeout"));
    out.maximum_message_bytes = number_at(all, "MaximumMessageSize");
    out.redrive_policy = text_at(all, "RedrivePolicy");
    return out;
}

std::optional<std::string> read_queue_url(std::string_view json) {
    const document whole(json);
    if (!whole.object()) return std::nullopt;
    std::string url(text_at(*whole.object(), "QueueUrl"));
    if (url.empty()) return std::nullopt;
    return url;
}

error_body read_error(std::string_view json) {
    error_body out;
    const document whole(json);
    if (!whole.object()) return out;
    out.code = sqs_code(text_at(*whole.object(), "__type"));
    out.message = text_at(*whole.object(), "message");
    if (out.message.empty()) out.message = text_at(*whole.object(), "Message");
    return out;
}

}  // namespace firehose::storage::sqs
