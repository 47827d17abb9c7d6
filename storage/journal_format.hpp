/// The bytes of a journal, without any I/O: names, headers, records. storage/JOURNAL.md is the page for it.
#pragma once
#include "pipeline/bytes.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firehose::storage {

/// Number of a record in its journal; grows, is never given twice.
using sequence = std::uint64_t;

namespace journal_format {

inline constexpr std::uint32_t version = 1;
inline constexpr std::size_t segment_header_size = 40;
inline constexpr std::size_t record_header_size = 32;
/// First bytes of every record, with the segment's salt behind: what a reader looks for after damage.
inline constexpr std::string_view record_magic = "\xf1rec";

/// What a segment's file name says: "00000000000000000042-9f3ac1d2.journal".
struct segment_name {
    sequence first = 0;      ///< no record of the segment has a lower sequence
    std::uint32_t salt = 0;  ///< random; in the header of each of its records

    friend auto operator<=>(const segment_name&, const segment_name&) = default;
};

std::string to_file_name(const segment_name& name);
std::optional<segment_name> parse_file_name(std::string_view text);

enum class header_state { good, newer_version, damaged };

struct segment_header {
    header_state state = header_state::damaged;
    std::uint32_t version = 0;
    std::int64_t created = 0;  ///< nanoseconds since 1970
};

void encode_segment_header(const segment_name& name, std::int64_t created,
                           std::span<std::byte, segment_header_size> out);
/// Checks `bytes` against its own checksum and against the file's name.
segment_header decode_segment_header(const segment_name& name, bytes_view bytes);

struct record_header {
    std::uint32_t length = 0;  ///< of the payload
    std::uint16_t type = 0;
    std::uint32_t count = 0;  ///< the record has the sequences first … first + count - 1
    sequence first = 0;
};

/// Fills in the header at the start of `front`; the rest of that, followed by `rest`, is the payload.
void seal_record(std::uint32_t salt, const record_header& header, std::span<std::byte> front,
                 bytes_view rest = {});
/// Empty unless magic, salt and reserved bytes are right. Says nothing about the checksum yet.
std::optional<record_header> decode_record_header(std::uint32_t salt, bytes_view bytes);
/// `whole` is header and payload.
bool checksum_matches(bytes_view whole);
/// Offset of the first place from `from` on that looks like the start of a record; npos if there is none.
std::size_t find_record(std::uint32_t salt, bytes_view bytes, std::size_t from);

/// Little-endian integers, for payloads too.
template <class N> void put_number(std::byte* to, N value) noexcept {
    for (std::size_t i = 0; i < sizeof(N); ++i) to[i] = static_cast<std::byte>(value >> (8 * i));
}
template <class N> N get_number(const std::byte* from) noexcept {
    N value = 0;
    for (std::size_t i = 0; i < sizeof(N); ++i)
        value = static_cast<N>(value | (static_cast<N>(std::to_integer<unsigned char>(from[i])) << (8 * i)));
    return value;
}

}  // namespace journal_format
}  // namespace firehose::storage
