#include "http/date.hpp"

#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(dates)

const time_source::wall example = time_source::wall(784111777s);

BOOST_AUTO_TEST_CASE(the_example_of_the_standard_both_ways) {
    const auto parsed = http::parse_date("Sun, 06 Nov 1994 08:49:37 GMT");
    BOOST_REQUIRE(parsed.has_value());
    BOOST_TEST((*parsed == example));
    BOOST_TEST(http::format_date(example) == "Sun, 06 Nov 1994 08:49:37 GMT");
}

BOOST_AUTO_TEST_CASE(everything_else_is_refused) {
    for (const auto* text :
         {"", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 25:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
          "Sun, 06 Xyz 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
          "1994-11-06T08:49:37Z"})
        BOOST_TEST(!http::parse_date(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(retry_after_in_seconds_or_as_a_date) {
    BOOST_TEST((http::parse_retry_after("5", example) == 5000ms));
    BOOST_TEST((http::parse_retry_after("0", example) == 0ms));
    BOOST_TEST((http::parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", example) == 10'000ms));
    BOOST_TEST((http::parse_retry_after("Sun, 06 Nov 1994 08:49:27 GMT", example) == 0ms));
    BOOST_TEST(!http::parse_retry_after("soon", example).has_value());
    BOOST_TEST(!http::parse_retry_after("-1", example).has_value());
}

BOOST_AUTO_TEST_CASE(no_server_can_make_us_wait_for_ever) {
    BOOST_TEST((http::parse_retry_after("99999999999999999999", example) == 1h));
    BOOST_TEST((http::parse_retry_after("86400", example) == 1h));
    BOOST_TEST((http::parse_retry_after("Sun, 06 Nov 2094 08:49:47 GMT", example) == 1h));
}

BOOST_AUTO_TEST_SUITE_END()
