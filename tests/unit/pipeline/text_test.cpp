#include "pipeline/text.hpp"

#include <boost/test/unit_test.hpp>

namespace firehose {

BOOST_AUTO_TEST_SUITE(text)

BOOST_AUTO_TEST_CASE(blanks_around_a_text_go_and_those_inside_stay) {
    BOOST_TEST(trim(" \t a b\r\n") == "a b");
    BOOST_TEST(trim("") == "");
    BOOST_TEST(trim(" \r\n\t") == "");
    BOOST_TEST(trim("\ra ", " ") == "\ra");
}

BOOST_AUTO_TEST_CASE(a_first_line_ends_at_any_end_of_a_line) {
    BOOST_TEST(first_line("one\r\ntwo") == "one");
    BOOST_TEST(first_line("one\ntwo") == "one");
    BOOST_TEST(first_line("one") == "one");
    BOOST_TEST(first_line("\none") == "");
}

BOOST_AUTO_TEST_CASE(only_ascii_letters_are_made_small) {
    BOOST_TEST(to_lower("X-Amz-\xc3\x84[@Z`") == "x-amz-\xc3\x84[@z`");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace firehose
