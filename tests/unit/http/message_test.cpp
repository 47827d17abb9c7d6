#include "http/message.hpp"
#include "pipeline/bytes.hpp"

#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace firehose::http;

BOOST_AUTO_TEST_SUITE(messages)

BOOST_AUTO_TEST_CASE(header_names_compare_without_case) {
    header_list headers = {{"ETag", "1"}, {"X-A", "2"}, {"x-a", "3"}};
    BOOST_TEST(*find_header(headers, "etag") == "1");
    BOOST_TEST(*find_header(headers, "X-a") == "2");
    BOOST_TEST(find_header(headers, "x-b") == nullptr);
}

BOOST_AUTO_TEST_CASE(setting_replaces_so_that_signing_twice_leaves_one_signature) {
    header_list headers = {{"Authorization", "old"}};
    set_header(headers, "authorization", "new");
    set_header(headers, "x-amz-date", "now");
    BOOST_TEST(headers.size() == 2U);
    BOOST_TEST(headers[0].second == "new");
}

BOOST_AUTO_TEST_CASE(the_path_of_a_request_shows_no_query) {
    request req;
    req.target = "/bucket/key?X-Amz-Signature=0123";
    BOOST_TEST(path_of(req) == "/bucket/key");
    req.target = "/";
    BOOST_TEST(path_of(req) == "/");
}

BOOST_AUTO_TEST_CASE(the_body_is_as_long_as_its_parts) {
    request req;
    BOOST_TEST(body_size(req) == 0U);
    req.body = {as_bytes("abc"), as_bytes(""), as_bytes("de")};
    BOOST_TEST(body_size(req) == 5U);
}

BOOST_AUTO_TEST_SUITE_END()
