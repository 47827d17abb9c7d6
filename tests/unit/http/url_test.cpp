#include "http/url.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace firehose;
using namespace firehose::http;

BOOST_AUTO_TEST_SUITE(urls)

BOOST_AUTO_TEST_CASE(endpoints_that_work) {
    struct row {
        std::string text, host, path, header;
        bool tls;
        std::uint16_t port;
    };
    const std::vector<row> rows = {
        {"http://127.0.0.1:9000", "127.0.0.1", "", "127.0.0.1:9000", false, 9000},
        {"https://s3.example.com", "s3.example.com", "", "s3.example.com", true, 443},
        {"https://S3.Example.com/", "s3.example.com", "", "s3.example.com", true, 443},
        {"HTTP://localhost:80/base/path/", "localhost", "/base/path", "localhost", false, 80},
        {"https://localhost:80", "localhost", "", "localhost:80", true, 80},
        {"http://[::1]:8080", "::1", "", "[::1]:8080", false, 8080},
        {"https://host/a%20b", "host", "/a%20b", "host", true, 443},
    };
    for (const auto& r : rows) {
        const auto parsed = parse_endpoint(r.text);
        BOOST_REQUIRE_MESSAGE(parsed.has_value(), r.text + ": " + parsed.error().context());
        BOOST_TEST(parsed->to.host == r.host);
        BOOST_TEST(parsed->to.port == r.port);
        BOOST_TEST(parsed->to.tls == r.tls);
        BOOST_TEST(parsed->path == r.path);
        BOOST_TEST(host_header(parsed->to) == r.header);
    }
}

BOOST_AUTO_TEST_CASE(endpoints_that_do_not_and_never_show_what_they_hold) {
    for (const auto* text : {"", "127.0.0.1:9000", "ftp://host", "http://", "https://user:hunter2@host",
                             "https://host?sig=hunter2", "https://host#hunter2", "http://host:0",
                             "http://host:99999", "http://ho st", "//host", "http://[::1", "http:/host"}) {
        const auto parsed = parse_endpoint(text);
        BOOST_TEST(!parsed.has_value(), text);
        if (parsed.has_value()) continue;
        BOOST_TEST((parsed.error().what() == disposition::stop));
        BOOST_TEST(parsed.error().context().find("hunter2") == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(connections_are_shared_only_among_those_who_trust_the_same) {
    authority a;
    a.host = "host";
    authority b = a;
    BOOST_TEST((a == b));
    b.ca_file = "other.pem";
    BOOST_TEST((a != b));
}

BOOST_AUTO_TEST_CASE(every_byte_is_encoded_or_unreserved) {
    for (int i = 0; i < 256; ++i) {
        const std::string raw(1, static_cast<char>(i));
        const bool plain = (i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z') || (i >= '0' && i <= '9') ||
                           i == '-' || i == '.' || i == '_' || i == '~';
        BOOST_TEST((encode_query(raw) == raw) == plain);
        BOOST_TEST((encode_path(raw) == raw) == (plain || i == '/'));
        BOOST_TEST(decode_percent(encode_query(raw)) == raw);
    }
    BOOST_TEST(encode_path("a b/\xC3\xA9+%41//..") == "a%20b/%C3%A9%2B%2541//..");
    BOOST_TEST(encode_query("a/b=c&d") == "a%2Fb%3Dc%26d");
}

BOOST_AUTO_TEST_CASE(malformed_escapes_stay_as_they_are) {
    BOOST_TEST(decode_percent("%") == "%");
    BOOST_TEST(decode_percent("%4") == "%4");
    BOOST_TEST(decode_percent("%zz%41") == "%zzA");
    BOOST_TEST(decode_percent("a+b") == "a+b");
}

BOOST_AUTO_TEST_SUITE_END()
