#include "storage/s3_location.hpp"
#include "storage/s3_store.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace firehose;
using namespace firehose::storage;

BOOST_AUTO_TEST_SUITE(s3_places)

BOOST_AUTO_TEST_CASE(names_of_buckets) {
    for (const auto* good : {"abc", "my-s3-bucket", "b00", "a.b.c", "1a1", "1.a", "a--b", "0-0.0a"})
        BOOST_TEST(s3_bucket_problem(good) == "", good);
    BOOST_TEST(s3_bucket_problem(std::string(63, 'a')) == "");
    for (const auto* bad : {"", "ab", "-ab", "ab-", "a..b", ".ab", "ab.", "a.-b", "a-.b", "Abc", "a_b", "a b",
                            "a/b", "123", "192.168.0.1", "1.2.3", "abc\n", "\xC3\xA9t\xC3\xA9"})
        BOOST_TEST(s3_bucket_problem(bad) != "", bad);
    BOOST_TEST(s3_bucket_problem(std::string(64, 'a')) != "");
}

s3_location located(const credential& with, const char* bucket, const char* region) {
    auto at = locate_s3(with, bucket, region);
    BOOST_REQUIRE_MESSAGE(at.has_value(), at.error().context());
    return std::move(*at);
}

BOOST_AUTO_TEST_CASE(aws_by_virtual_host_in_every_partition) {
    struct row {
        const char *bucket, *region, *host, *base;
    };
    const std::vector<row> rows = {
        {"b00", "us-east-1", "b00.s3.us-east-1.amazonaws.com", ""},
        {"b00", "eu-central-1", "b00.s3.eu-central-1.amazonaws.com", ""},
        {"b.00", "us-east-1", "s3.us-east-1.amazonaws.com", "/b.00"},
        {"b00", "cn-north-1", "b00.s3.cn-north-1.amazonaws.com.cn", ""},
        {"b00", "us-gov-west-1", "b00.s3.us-gov-west-1.amazonaws.com", ""},
        {"b00", "us-iso-east-1", "b00.s3.us-iso-east-1.c2s.ic.gov", ""},
        {"b00", "us-isob-east-1", "b00.s3.us-isob-east-1.sc2s.sgov.gov", ""},
        {"b00", "us-isof-south-1", "b00.s3.us-isof-south-1.csp.hci.ic.gov", ""},
        {"b00", "eu-isoe-west-1", "b00.s3.eu-isoe-west-1.cloud.adc-e.uk", ""},
        {"b00", "eusc-de-east-1", "b00.s3.eusc-de-east-1.amazonaws.eu", ""},
    };
    for (const auto& r : rows) {
        const auto at = located({}, r.bucket, r.region);
        BOOST_TEST(at.to.host == r.host);
        BOOST_TEST(at.base == r.base);
        BOOST_TEST(at.to.tls);
        BOOST_TEST(at.to.port == 443);
        BOOST_TEST(!at.own_endpoint);
    }
}

BOOST_AUTO_TEST_CASE(an_endpoint_of_ones_own_in_path_style) {
    credential with;
    with.endpoint = "http://127.0.0.1:9000/gate/";
    with.ca_file = "roots.pem";
    const auto at = located(with, "b00", "us-east-1");
    BOOST_TEST(http::describe(at.to) == "http://127.0.0.1:9000");
    BOOST_TEST(at.to.ca_file == "roots.pem");
    BOOST_TEST(at.base == "/gate/b00");
    BOOST_TEST(at.own_endpoint);
}

BOOST_AUTO_TEST_CASE(partitions_by_region) {
    const std::vector<std::pair<const char*, const char*>> rows = {{"us-east-1", "aws"},
                                                                   {"mx-central-1", "aws"},
                                                                   {"il-central-1", "aws"},
                                                                   {"cn-northwest-1", "aws-cn"},
                                                                   {"us-gov-east-1", "aws-us-gov"},
                                                                   {"us-iso-west-1", "aws-iso"},
                                                                   {"us-isob-east-1", "aws-iso-b"},
                                                                   {"eu-isoe-west-1", "aws-iso-e"},
                                                                   {"us-isof-east-1", "aws-iso-f"},
                                                                   {"eusc-de-east-1", "aws-eusc"}};
    for (const auto& [region, partition] : rows) BOOST_TEST(aws_partition_of(region).name == partition);
}

BOOST_AUTO_TEST_CASE(the_style_of_addresses_can_be_chosen) {
    credential with;
    const auto path = locate_s3(with, "b00", "us-east-1", addressing::path).value();
    BOOST_TEST(path.to.host == "s3.us-east-1.amazonaws.com");
    BOOST_TEST(path.base == "/b00");
    with.endpoint = "https://store.example:9000/gate";
    const auto host = locate_s3(with, "b00", "us-east-1", addressing::virtual_host).value();
    BOOST_TEST(http::describe(host.to) == "https://b00.store.example:9000");
    BOOST_TEST(host.base == "/gate");
    for (const auto* number : {"http://127.0.0.1:9000", "http://[::1]:9000"}) {
        with.endpoint = number;
        BOOST_TEST(!locate_s3(with, "b00", "us-east-1", addressing::virtual_host).has_value());
    }
}

BOOST_AUTO_TEST_CASE(a_region_cannot_smuggle_a_host) {
    for (const auto* bad :
         {"", "us-east-1.evil.example", "us/east", "US-EAST-1", "x@y", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})
        BOOST_TEST(!locate_s3({}, "b00", bad).has_value(), bad);
}

struct kind_fixture {
    destination to{"aws", "s3", "b00", "", "507f1f77bcf86cd799439011"};
    credential with;
    kind_fixture() {
        with.id = to.credential_id;
        with.type = "user";
        with.username = "AKIA1";
        with.password = secret("hunter2");
    }
    std::string problem() { return s3_kind().check(to, &with); }
};

BOOST_FIXTURE_TEST_CASE(what_is_wrong_with_a_destination_is_said_in_words, kind_fixture) {
    BOOST_TEST(s3_kind().needs_credential);
    BOOST_TEST(problem() == "");
    to.bucket = "B";
    BOOST_TEST(problem().find("bucket \"B\"") == 0U);
    to.bucket = "b00";
    BOOST_TEST(s3_kind().check(to, nullptr).find("does not exist") != std::string::npos);
    with.type = "token";
    BOOST_TEST(problem().find("type \"user\"") != std::string::npos);
    with.type = "user";
    with.username = "AK IA";
    BOOST_TEST(problem().find("not an access key id") != std::string::npos);
    with.username = "";
    BOOST_TEST(problem().find("no username") != std::string::npos);
    with.username = "AKIA1";
    with.password = secret();
    BOOST_TEST(problem().find("no password") != std::string::npos);
    with.password = secret("hunter2");
    with.endpoint = "https://x:hunter2@host";
    BOOST_TEST(problem().find("user name") != std::string::npos);
    BOOST_TEST(problem().find("hunter2") == std::string::npos);
    with.endpoint = "";
    with.region = "Mars";
    BOOST_TEST(problem().find("region") != std::string::npos);
    with.region = "";
    to.credential_id = "123";
    BOOST_TEST(problem().find("24 hexadecimal") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_default_registry_has_it) { BOOST_TEST((default_registry().find("s3") != nullptr)); }

BOOST_AUTO_TEST_SUITE_END()
