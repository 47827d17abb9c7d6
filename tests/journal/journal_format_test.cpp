#include "storage/crc32c.hpp"
#include "storage/journal_format.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace firehose;
using namespace firehose::storage::journal_format;

namespace {

const segment_name example{42, 0x9f3ac1d2u};

std::string hex(bytes_view bytes) {
    std::string out;
    for (const std::byte b : bytes) {
        constexpr std::string_view digits = "0123456789abcdef";
        out += digits[std::to_integer<unsigned>(b) >> 4];
        out += digits[std::to_integer<unsigned>(b) & 15u];
    }
    return out;
}

std::vector<std::byte> sealed(std::uint32_t salt, std::string_view payload) {
    std::vector<std::byte> whole(record_header_size + payload.size());
    std::ranges::copy(as_bytes(payload), whole.begin() + record_header_size);
    record_header h;
    h.length = static_cast<std::uint32_t>(payload.size());
    h.type = 3;
    h.count = 2;
    h.first = 43;
    seal_record(salt, h, whole);
    return whole;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(journal_bytes)

// The format page shows these bytes; they must never change for version 1.
BOOST_AUTO_TEST_CASE(version_1_is_these_bytes) {
    std::array<std::byte, segment_header_size> header;
    encode_segment_header(example, 1'700'000'000'000'000'000, header);
    BOOST_TEST(hex(bytes_view(header).first(36)) == "f16a6f75726e0d0a"
                                                    "01000000"
                                                    "d2c13a9f"
                                                    "2a00000000000000"
                                                    "00002a36fe9c9717"
                                                    "00000000");
    const auto record = sealed(example.salt, "hello");
    BOOST_TEST(hex(bytes_view(record).first(8)) == "f1726563d2c13a9f");
    BOOST_TEST(hex(bytes_view(record).subspan(12)) == "05000000"
                                                      "2b00000000000000"
                                                      "02000000"
                                                      "0300"
                                                      "0000"
                                                      "68656c6c6f");
    BOOST_TEST(get_number<std::uint32_t>(record.data() + 8) ==
               storage::crc32c(bytes_view(record).subspan(12)));
}

BOOST_AUTO_TEST_CASE(names_are_read_back_and_nothing_else_is_a_name) {
    BOOST_TEST(to_file_name(example) == "00000000000000000042-9f3ac1d2.journal");
    BOOST_TEST((parse_file_name("00000000000000000042-9f3ac1d2.journal") == example));
    BOOST_TEST((parse_file_name("18446744073709551615-00000000.journal").has_value()));
    for (const char* other :
         {"", "lock", "destination.json", "00000000000000000042-9f3ac1d2.journal.tmp", "42-9f3ac1d2.journal",
          "00000000000000000042-9F3AC1D2.journal", "0000000000000000004x-9f3ac1d2.journal",
          "99999999999999999999-9f3ac1d2.journal", "-0000000000000000042-9f3ac1d2.journal",
          "00000000000000000042_9f3ac1d2.journal"})
        BOOST_TEST(!parse_file_name(other).has_value(), other);
}

BOOST_AUTO_TEST_CASE(segment_header_is_checked_against_itself_and_the_name) {
    std::array<std::byte, segment_header_size> header;
    encode_segment_header(example, 12345, header);
    BOOST_TEST((decode_segment_header(example, header).state == header_state::good));
    BOOST_TEST(decode_segment_header(example, header).created == 12345);
    BOOST_TEST((decode_segment_header({41, example.salt}, header).state == header_state::damaged));
    BOOST_TEST((decode_segment_header({42, 1}, header).state == header_state::damaged));
    for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
        auto flipped = header;
        flipped[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
        BOOST_TEST((decode_segment_header(example, flipped).state == header_state::damaged));
    }
    for (std::size_t n = 0; n < header.size(); ++n)
        BOOST_TEST(
            (decode_segment_header(example, bytes_view(header).first(n)).state == header_state::damaged));
}

BOOST_AUTO_TEST_CASE(a_newer_version_is_told_from_damage) {
    std::array<std::byte, segment_header_size> header;
    encode_segment_header(example, 1, header);
    put_number<std::uint32_t>(header.data() + 8, version + 1);
    put_number<std::uint32_t>(header.data() + 36, storage::crc32c(bytes_view(header).first(36)));
    const auto decoded = decode_segment_header(example, header);
    BOOST_TEST((decoded.state == header_state::newer_version));
    BOOST_TEST(decoded.version == version + 1);
}

BOOST_AUTO_TEST_CASE(every_flipped_bit_of_a_record_is_noticed) {
    const auto record = sealed(7, "some payload");
    BOOST_TEST((decode_record_header(7, record) && checksum_matches(record)));
    BOOST_TEST(!decode_record_header(8, record).has_value());
    for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
        auto flipped = record;
        flipped[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
        BOOST_TEST((!decode_record_header(7, flipped) || !checksum_matches(flipped)));
    }
}

BOOST_AUTO_TEST_CASE(a_record_is_found_among_other_bytes) {
    std::vector<std::byte> bytes(100, std::byte{0xf1});
    const auto record = sealed(7, "x");
    bytes.insert(bytes.end(), record.begin(), record.end());
    BOOST_TEST(find_record(7, bytes, 0) == 100u);
    BOOST_TEST(find_record(7, bytes, 101) == std::string_view::npos);
    BOOST_TEST(find_record(8, bytes, 0) == std::string_view::npos);
    BOOST_TEST(find_record(7, bytes, bytes.size()) == std::string_view::npos);
}

BOOST_AUTO_TEST_SUITE_END()
