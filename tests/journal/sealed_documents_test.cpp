#include "storage/document_folder.hpp"
#include "storage/sealing.hpp"
#include "tests/faults/memory_files.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>

using namespace firehose;
using http::secret;
using storage::document_folder;
using storage::keyring;
using storage::sealing_key;

namespace {

sealing_key key(char byte) {
    constexpr const char* digits = "0123456789abcdef";
    std::string hex;
    for (int i = 0; i < 32; ++i) hex += {digits[byte & 15], digits[byte & 15]};
    return sealing_key::parse(secret(hex)).value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sealed_documents)

BOOST_AUTO_TEST_CASE(a_key_is_base64_or_hexadecimal_of_32_bytes) {
    const std::string base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const std::string hex = "000102030405060708090A0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const auto one = sealing_key::parse(secret(" " + base64 + "\r\n"));
    const auto same = sealing_key::parse(secret(hex));
    BOOST_REQUIRE(one.has_value());
    BOOST_REQUIRE(same.has_value());
    BOOST_TEST(one->id() == same->id());
    BOOST_TEST(one->id().size() == 16u);
    BOOST_TEST(one->bytes() == same->bytes());
    for (const auto* bad :
         {"", "short", "AAECAwQFBgcICQoLDA0ODw==", "not base64 of 44 characters, to be sure: !!!",
          "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}) {
        const auto no = sealing_key::parse(secret(bad));
        BOOST_REQUIRE(no.has_error());
        BOOST_TEST(no.error().context().find("openssl rand -base64 32") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(open_only_with_their_key_under_their_name_and_unchanged) {
    seeded_randomness random(1);
    const keyring ring(key(1), {});
    const std::string text = R"({"password":"canary"})";
    const auto sealed = ring.seal(secret(text), "credential a", random);
    BOOST_TEST(sealed.find("canary") == std::string::npos);
    BOOST_TEST(keyring::key_of(sealed) == ring.current_id());
    BOOST_TEST(ring.open(sealed, "credential a")->reveal() == text);
    BOOST_TEST(ring.open(sealed, "credential b").error().provider_code() == keyring::damaged);
    const auto unknown = keyring(key(2), {}).open(sealed, "credential a");
    BOOST_TEST(unknown.error().provider_code() == keyring::unknown_key);
    BOOST_TEST(unknown.error().context().find(ring.current_id()) != std::string::npos);
    BOOST_TEST(keyring().open(sealed, "credential a").error().provider_code() == keyring::unknown_key);
    BOOST_TEST(keyring(key(2), {key(1)}).open(sealed, "credential a")->reveal() == text);
    BOOST_TEST(ring.open("{}", "credential a").error().provider_code() == keyring::damaged);
    // Every byte of what is sealed counts; of the base64 the last character may hold spare bits.
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        auto changed = sealed;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        const auto opened = ring.open(changed, "credential a");
        BOOST_TEST((opened.has_error() || opened->reveal() == text), "byte " << i);
        if (opened.has_value()) BOOST_TEST(sealed[i + 1] == '=');
    }
}

BOOST_AUTO_TEST_CASE(no_two_are_alike) {
    seeded_randomness random(1);
    const keyring ring(key(1), {});
    std::set<std::string> all;
    for (int i = 0; i < 100; ++i) all.insert(ring.seal(secret("same"), "same", random));
    BOOST_TEST(all.size() == 100u);
    BOOST_TEST(ring.open(*all.begin(), "same")->reveal() == "same");
    const auto nothing = ring.seal(secret(), "same", random);
    BOOST_TEST(ring.open(nothing, "same")->reveal().empty());
}

BOOST_AUTO_TEST_CASE(documents_are_found_again_or_called_damaged) {
    faults::memory_files disk;
    document_folder folder(disk, "/data", "things");
    BOOST_REQUIRE(disk.make_directory("/data").has_value());
    BOOST_TEST(folder.load()->documents.empty());
    BOOST_TEST(folder.put("a", "one").has_value());
    BOOST_TEST(folder.put("a", "two\nlines").has_value());
    BOOST_TEST(folder.put("b", "gone").has_value());
    BOOST_TEST(folder.put("c", "damaged").has_value());
    BOOST_TEST(folder.erase("b").has_value());
    BOOST_TEST(folder.erase("b").has_value());
    disk.set_content("/data/things/c", "firehose-document 1 12345\ndamaged");
    disk.set_content("/data/things/a.tmp", "left over");
    disk.set_content("/data/things/not ours", "?");
    const auto found = folder.load();
    BOOST_REQUIRE(found.has_value());
    BOOST_TEST(found->documents.size() == 1u);
    BOOST_TEST(found->documents.at("a") == "two\nlines");
    BOOST_TEST(found->damaged == std::vector<std::string>{"c"}, boost::test_tools::per_element());
    const auto left = disk.files("/data/things");
    BOOST_TEST((std::ranges::find(left, "/data/things/a.tmp") == left.end()));
    BOOST_TEST(!document_folder::may_be_named("../x"));
    BOOST_TEST(!document_folder::may_be_named(""));
    BOOST_TEST(!document_folder::may_be_named(std::string(65, 'x')));
    BOOST_TEST(document_folder::may_be_named("5fd4371e940df5a34a3888b2"));
}

BOOST_AUTO_TEST_SUITE_END()
