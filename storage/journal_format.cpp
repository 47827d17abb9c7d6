#include "storage/journal_format.hpp"

#include "storage/crc32c.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>

namespace firehose::storage::journal_format {
namespace {

// The first byte is not ASCII and the last two show a transfer in text mode, as in PNG.
constexpr std::string_view segment_magic = "\xf1journ\r\n";
constexpr std::string_view extension = ".journal";
constexpr std::size_t sequence_digits = 20, salt_digits = 8;

std::array<char, 8> record_start(std::uint32_t salt) {
    std::array<char, 8> start{};
    std::memcpy(start.data(), record_magic.data(), record_magic.size());
    for (std::size_t i = 0; i < 4; ++i) start[4 + i] = static_cast<char>((salt >> (8 * i)) & 0xffu);
    return start;
}

template <class N> bool parse_digits(std::string_view text, N& value, int base) {
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return problem == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string to_file_name(const segment_name& name) {
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%020llu-%08x", static_cast<unsigned long long>(name.first),
                  static_cast<unsigned>(name.salt));
    return std::string(text.data()).append(extension);
}

std::optional<segment_name> parse_file_name(std::string_view text) {
    segment_name name;
    if (text.size() != sequence_digits + 1 + salt_digits + extension.size() || !text.ends_with(extension) ||
        text[sequence_digits] != '-' || !parse_digits(text.substr(0, sequence_digits), name.first, 10) ||
        !parse_digits(text.substr(sequence_digits + 1, salt_digits), name.salt, 16))
        return std::nullopt;
    if (to_file_name(name) != text) return std::nullopt;  // "-0000001", capital digits
    return name;
}

void encode_segment_header(const segment_name& name, std::int64_t created,
                           std::span<std::byte, segment_header_size> out) {
    std::memcpy(out.data(), segment_magic.data(), segment_magic.size());
    put_number<std::uint32_t>(out.data() + 8, version);
    put_number<std::uint32_t>(out.data() + 12, name.salt);
    put_number<std::uint64_t>(out.data() + 16, name.first);
    put_number<std::uint64_t>(out.data() + 24, static_cast<std::uint64_t>(created));
    put_number<std::uint32_t>(out.data() + 32, 0);
    put_number<std::uint32_t>(out.data() + 36, crc32c(out.first(36)));
}

segment_header decode_segment_header(const segment_name& name, bytes_view bytes) {
    segment_header header;
    if (bytes.size() < segment_header_size || !as_text(bytes).starts_with(segment_magic) ||
        get_number<std::uint32_t>(bytes.data() + 36) != crc32c(bytes.first(36)))
        return header;
    header.version = get_number<std::uint32_t>(bytes.data() + 8);
    header.created = static_cast<std::int64_t>(get_number<std::uint64_t>(bytes.data() + 24));
    if (header.version > version) {
        header.state = header_state::newer_version;
    } else if (get_number<std::uint32_t>(bytes.data() + 12) == name.salt &&
               get_number<std::uint64_t>(bytes.data() + 16) == name.first) {
        header.state = header_state::good;
    }
    return header;
}

void seal_record(std::uint32_t salt, const record_header& header, std::span<std::byte> front,
                 bytes_view rest) {
    const auto start = record_start(salt);
    std::memcpy(front.data(), start.data(), start.size());
    put_number<std::uint32_t>(front.data() + 12, header.length);
    put_number<std::uint64_t>(front.data() + 16, header.first);
    put_number<std::uint32_t>(front.data() + 24, header.count);
    put_number<std::uint16_t>(front.data() + 28, header.type);
    put_number<std::uint16_t>(front.data() + 30, 0);
    put_number<std::uint32_t>(front.data() + 8, crc32c(rest, crc32c(front.subspan(12))));
}

std::optional<record_header> decode_record_header(std::uint32_t salt, bytes_view bytes) {
    const auto start = record_start(salt);
    if (bytes.size() < record_header_size || std::memcmp(bytes.data(), start.data(), start.size()) != 0 ||
        get_number<std::uint16_t>(bytes.data() + 30) != 0)
        return std::nullopt;
    record_header header;
    header.length = get_number<std::uint32_t>(bytes.data() + 12);
    header.first = get_number<std::uint64_t>(bytes.data() + 16);
    header.count = get_number<std::uint32_t>(bytes.data() + 24);
    header.type = get_number<std::uint16_t>(bytes.data() + 28);
    return header;
}

bool checksum_matches(bytes_view whole) {
    return get_number<std::uint32_t>(whole.data() + 8) == crc32c(whole.subspan(12));
}

std::size_t find_record(std::uint32_t salt, bytes_view bytes, std::size_t from) {
    const auto start = record_start(salt);
    if (from >= bytes.size()) return std::string_view::npos;
    // memmem, because std::string_view::find compares at every 0xf1.
    const void* const hit = ::memmem(bytes.data() + from, bytes.size() - from, start.data(), start.size());
    if (hit == nullptr) return std::string_view::npos;
    return static_cast<std::size_t>(static_cast<const std::byte*>(hit) - bytes.data());
}

}  // namespace firehose::storage::journal_format
