#include "http/digest.hpp"
#include "pipeline/bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace firehose;
using namespace firehose::http;

BOOST_AUTO_TEST_SUITE(digests)

std::string md5_of(std::string_view text) {
    const auto whole = as_bytes(text);
    return to_hex(md5(std::span(&whole, 1)));
}

BOOST_AUTO_TEST_CASE(published_values) {
    BOOST_TEST(to_hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    BOOST_TEST(to_hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    BOOST_TEST(md5_of("") == "d41d8cd98f00b204e9800998ecf8427e");                // RFC 1321
    BOOST_TEST(md5_of("message digest") == "f96b697d7cb7938d525a2f31aaf161d0");  // RFC 1321
}

BOOST_AUTO_TEST_CASE(a_scatter_list_hashes_as_its_bytes_in_a_row) {
    const std::vector<std::span<const std::byte>> parts = {as_bytes("a"), as_bytes(""), as_bytes("bc")};
    BOOST_TEST(to_hex(sha256(parts)) == to_hex(sha256("abc")));
}

// RFC 4231
BOOST_AUTO_TEST_CASE(hmac_of_short_and_long_keys) {
    const std::string short_key(20, '\x0b');
    BOOST_TEST(to_hex(hmac_sha256(as_bytes(short_key), "Hi There")) ==
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    BOOST_TEST(to_hex(hmac_sha256(as_bytes("Jefe"), "what do ya want for nothing?")) ==
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    const std::string long_key(131, '\xaa');
    BOOST_TEST(
        to_hex(hmac_sha256(as_bytes(long_key), "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

BOOST_AUTO_TEST_CASE(a_key_can_be_used_again_and_moved) {
    hmac_key key(as_bytes("Jefe"));
    const auto once = to_hex(key("one"));
    BOOST_TEST(to_hex(key("two")) != once);
    hmac_key moved = std::move(key);
    BOOST_TEST(to_hex(moved("one")) == once);
}

// RFC 4648
BOOST_AUTO_TEST_CASE(base64_both_ways) {
    const std::vector<std::pair<std::string_view, std::string_view>> rows = {
        {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, encoded] : rows) {
        BOOST_TEST(to_base64(as_bytes(plain)) == encoded);
        const auto back = from_base64(encoded);
        BOOST_REQUIRE(back.has_value());
        BOOST_TEST(as_text(*back) == plain);
    }
}

BOOST_AUTO_TEST_CASE(what_is_not_base64_is_refused) {
    for (const auto* text : {"Zg", "Zg=", "Zg==\n", " Zg==", "Z===", "====", "Zm9v!mFy", "Zg==Zg=="})
        BOOST_TEST(!from_base64(text).has_value(), text);
}

BOOST_AUTO_TEST_SUITE_END()
