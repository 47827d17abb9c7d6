#include "storage/object_key.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <set>

using namespace firehose::storage;

BOOST_AUTO_TEST_SUITE(object_keys)

BOOST_AUTO_TEST_CASE(plain_identifiers_stay_as_they_are) {
    BOOST_TEST(escape_component("66f1c0de940df5a34a388802") == "66f1c0de940df5a34a388802");
    BOOST_TEST(escape_component("A-z_0.9") == "A-z_0.9");
}

BOOST_AUTO_TEST_CASE(every_other_byte_is_percent_encoded) {
    BOOST_TEST(escape_component("a/b") == "a%2Fb");
    BOOST_TEST(escape_component("a b+c~d%e") == "a%20b%2Bc%7Ed%25e");
    BOOST_TEST(escape_component("\xC3\xA9") == "%C3%A9");
    BOOST_TEST(escape_component(std::string_view("a\0b", 3)) == "a%00b");
    for (int byte = 0; byte < 256; ++byte) {
        const std::string one(1, static_cast<char>(byte));
        const auto escaped = escape_component("x" + one);
        for (const char c : escaped) BOOST_TEST((c > ' ' && c < 127 && c != '/' && c != '~' && c != '\\'));
    }
}

BOOST_AUTO_TEST_CASE(directory_references_and_nothing_get_a_name_of_their_own) {
    BOOST_TEST(escape_component(".") == "%2E");
    BOOST_TEST(escape_component("..") == "%2E%2E");
    BOOST_TEST(escape_component("...") == "...");
    BOOST_TEST(escape_component(".a") == ".a");
    BOOST_TEST(escape_component("") == "%");
}

BOOST_AUTO_TEST_CASE(two_hundred_bytes_are_kept_and_more_are_cut_with_a_hash) {
    const std::string longest(200, 'a');
    BOOST_TEST(escape_component(longest) == longest);
    const auto cut = escape_component(longest + "a");
    BOOST_TEST(cut.size() == 200U);
    // printf a*201 | sha256sum
    BOOST_TEST(cut.substr(167) == "~a92efd82109373e58f9a2056dee01e80");
    BOOST_TEST(cut.substr(0, 167) == longest.substr(0, 167));
}

BOOST_AUTO_TEST_CASE(a_cut_never_splits_an_escape) {
    for (std::size_t lead = 0; lead < 6; ++lead) {
        std::string text(lead, 'a');
        for (int i = 0; i < 100; ++i) text += "\xE4";
        const auto cut = escape_component(text);
        const auto tilde = cut.find('~');
        BOOST_REQUIRE(tilde != std::string::npos);
        BOOST_TEST(cut.size() - tilde == 33U);
        BOOST_TEST(cut.size() <= 200U);
        BOOST_TEST(tilde >= 165U);
        BOOST_TEST((tilde - lead) % 3 == 0U);
    }
}

BOOST_AUTO_TEST_CASE(different_texts_get_different_components) {
    constexpr unsigned seed = 20240917;
    std::mt19937 random(seed);
    const std::string alphabet("a%2E./~\0", 8);
    std::set<std::string> texts;
    std::set<std::string> components;
    for (int i = 0; i < 20000; ++i) {
        std::string text(random() % 6, ' ');
        if (random() % 8 == 0) text.resize(190 + random() % 20, 'x');
        for (char& c : text) c = alphabet[random() % alphabet.size()];
        texts.insert(text);
        components.insert(escape_component(text));
    }
    BOOST_TEST(texts.size() == components.size());
}

BOOST_AUTO_TEST_CASE(a_prefix_loses_its_outer_slashes_only) {
    BOOST_TEST(normalize_prefix("") == "");
    BOOST_TEST(normalize_prefix("///") == "");
    BOOST_TEST(normalize_prefix("/a/") == "a");
    BOOST_TEST(normalize_prefix("a//b") == "a//b");
    BOOST_TEST(normalize_prefix("//a/b///") == "a/b");
}

BOOST_AUTO_TEST_CASE(a_key_is_prefix_group_and_event) {
    BOOST_TEST(event_key("", "lead", "event") == "lead/event.json");
    BOOST_TEST(event_key("in/2024", "lead", "event") == "in/2024/lead/event.json");
    BOOST_TEST(event_key("/in/", "lead", "event") == "in/lead/event.json");
    BOOST_TEST(event_key("", "", "event") == "event.json");
    BOOST_TEST(event_key("p", "", "event") == "p/event.json");
    BOOST_TEST(event_key("", "..", "../../etc/passwd") == "%2E%2E/..%2F..%2Fetc%2Fpasswd.json");
}

BOOST_AUTO_TEST_SUITE_END()
