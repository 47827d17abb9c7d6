#include "stages/stream_position.hpp"

#include "http/digest.hpp"
#include "storage/journal_format.hpp"

#include <algorithm>

namespace firehose::stages {
namespace {

constexpr std::byte position_version{1};
constexpr std::size_t tag_at = 9, check_at = 13, position_size = 21;
using position_bytes = std::array<std::byte, position_size>;

position_bytes position_bytes_of(log_position at, const stream_name& of) {
    position_bytes out{};
    out[0] = position_version;
    storage::journal_format::put_number(out.data() + 1, at);
    std::string name(of.account);
    name.append("\n").append(of.resource);
    std::ranges::copy_n(http::sha256(name).begin(), check_at - tag_at, out.begin() + tag_at);
    name.append("\n").append(as_text(bytes_view(out).first(check_at)));
    std::ranges::copy_n(http::sha256(name).begin(), position_size - check_at, out.begin() + check_at);
    return out;
}

/// Between base64 and base64url.
std::string translate(std::string text, std::string_view from, std::string_view to) {
    for (char& c : text)
        if (const auto i = from.find(c); i != std::string_view::npos) c = to[i];
    return text;
}

}  // namespace

std::string encode_stream_position(log_position at, const stream_name& of) {
    return translate(http::to_base64(position_bytes_of(at, of)), "+/", "-_");
}

std::optional<log_position> decode_stream_position(std::string_view text, const stream_name& of,
                                                   std::string& problem) {
    problem = "this is no position of an event stream";
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
    if (text.find_first_of("+/=") != std::string_view::npos) return std::nullopt;
    const auto bytes = http::from_base64(translate(std::string(text), "-_", "+/"));
    if (!bytes || bytes->size() != position_size || bytes->front() != position_version) return std::nullopt;
    const auto at = storage::journal_format::get_number<log_position>(bytes->data() + 1);
    const auto right = position_bytes_of(at, of);
    if (std::ranges::equal(*bytes, right)) return at;
    const auto tag = std::span(*bytes).subspan(tag_at, check_at - tag_at);
    if (!std::ranges::equal(tag, std::span(right).subspan(tag_at, check_at - tag_at)))
        problem = "this position belongs to another resource or another account";
    return std::nullopt;
}

}  // namespace firehose::stages
