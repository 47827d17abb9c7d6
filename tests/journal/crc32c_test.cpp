#include "pipeline/bytes.hpp"
#include "pipeline/randomness.hpp"
#include "storage/crc32c.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace firehose;
using storage::crc32c;
using storage::crc32c_portable;

BOOST_AUTO_TEST_SUITE(crc32c_checksum)

// RFC 3720, appendix B.4, and the check value of the catalogue of CRC algorithms.
BOOST_AUTO_TEST_CASE(published_vectors) {
    std::string rising(32, '\0'), falling(32, '\0');
    for (std::size_t i = 0; i < 32; ++i) {
        rising[i] = static_cast<char>(i);
        falling[i] = static_cast<char>(31 - i);
    }
    const std::vector<std::pair<std::string, std::uint32_t>> vectors{{"", 0u},
                                                                     {std::string(32, '\0'), 0x8a9136aau},
                                                                     {std::string(32, '\xff'), 0x62a8ab43u},
                                                                     {rising, 0x46dd794eu},
                                                                     {falling, 0x113fdb5cu},
                                                                     {"123456789", 0xe3069283u}};
    for (const auto& [text, expected] : vectors) {
        BOOST_TEST(crc32c(as_bytes(text)) == expected);
        BOOST_TEST(crc32c_portable(as_bytes(text)) == expected);
    }
}

BOOST_AUTO_TEST_CASE(both_ways_agree_and_pieces_add_up) {
    seeded_randomness random(7);
    std::vector<std::byte> bytes(300);
    random.fill(bytes);
    const std::span<const std::byte> all(bytes);
    for (std::size_t begin = 0; begin < 9; ++begin)
        for (std::size_t cut = begin; cut <= all.size(); ++cut) {
            const auto head = all.subspan(begin, cut - begin), tail = all.subspan(cut);
            BOOST_REQUIRE_EQUAL(crc32c(head), crc32c_portable(head));
            BOOST_REQUIRE_EQUAL(crc32c(tail, crc32c(head)), crc32c(all.subspan(begin)));
            BOOST_REQUIRE_EQUAL(crc32c_portable(tail, crc32c_portable(head)), crc32c(all.subspan(begin)));
        }
}

BOOST_AUTO_TEST_SUITE_END()
