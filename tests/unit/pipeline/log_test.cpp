#include "pipeline/log.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace firehose {
namespace {

struct log_fixture {
    std::vector<std::string> lines;
    logger log{[this](log_level, std::string_view line) { lines.emplace_back(line); }};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(logging, log_fixture)

BOOST_AUTO_TEST_CASE(a_message_and_its_fields) {
    log.info("spooled", {{"destination", "aws"}, {"count", 3}, {"why", "no answer"}, {"empty", ""}});
    BOOST_TEST(lines.at(0) == "spooled destination=aws count=3 why=\"no answer\" empty=\"\"");
}

BOOST_AUTO_TEST_CASE(below_the_level_nothing_is_written) {
    log.debug("not this");
    BOOST_TEST(lines.empty());
    const logger nowhere;
    nowhere.error("discarded");
}

BOOST_AUTO_TEST_CASE(quotes_and_equals_signs_do_not_end_a_value) {
    log.info("m", {{"a", "x=\"1\" b=2"}, {"c", "back\\slash"}});
    BOOST_TEST(lines.at(0) == R"(m a="x=\"1\" b=2" c=back\\slash)");
}

BOOST_AUTO_TEST_CASE(nothing_breaks_out_of_its_line) {
    const std::vector<std::string> hostile = {"a\nINFO forged=1",
                                              "a\rb",
                                              "a\x1b[2Jb",
                                              "a\x7f",
                                              "a\xc2\x85"
                                              "b",
                                              "a\xe2\x80\xa8"
                                              "b",
                                              "a\xe2\x80\xae"
                                              "b",
                                              std::string("a\0b", 3)};
    for (const auto& text : hostile) {
        log.info(text, {{text, text}});
        const std::string& line = lines.back();
        for (const char c : line) BOOST_TEST((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
        for (const char* raw : {"\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xae"})
            BOOST_TEST(line.find(raw) == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(escapes_are_readable) {
    BOOST_TEST(escape_for_log("a\tb\nc\x1b") == "a\\tb\\nc\\x1b");
    BOOST_TEST(escape_for_log("\xe2\x80\xa8") == "\\u2028");
    BOOST_TEST(escape_for_log("caf\xc3\xa9 \xf0\x9f\x98\x80") == "caf\xc3\xa9 \xf0\x9f\x98\x80");
}

BOOST_AUTO_TEST_CASE(invalid_utf8_is_escaped_byte_by_byte) {
    BOOST_TEST(escape_for_log("\xff") == "\\xff");
    BOOST_TEST(escape_for_log("\xc3") == "\\xc3");                             // cut off
    BOOST_TEST(escape_for_log("\xc0\xaf") == "\\xc0\\xaf");                    // overlong
    BOOST_TEST(escape_for_log("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // surrogate
    BOOST_TEST(escape_for_log("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
    BOOST_TEST(escape_for_log("\xe2\x28\xa1") == "\\xe2(\\xa1");
}

BOOST_AUTO_TEST_CASE(values_are_cut_at_a_bound_and_say_so) {
    BOOST_TEST(escape_for_log("abcdef", 4) == "abcd...");
    BOOST_TEST(escape_for_log("abcd", 4) == "abcd");
    BOOST_TEST(escape_for_log("abc\n", 4) == "abc...");        // an escape is not cut in two
    BOOST_TEST(escape_for_log("abc\xc3\xa9", 4) == "abc...");  // nor a character
    log.info("m", {{"v", std::string(1 << 20, 'x')}});
    BOOST_TEST(lines.at(0).size() < 1100U);
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace firehose
