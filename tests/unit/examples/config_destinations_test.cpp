#include "tests/unit/examples/configured.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace firehose;
using namespace firehose::app;

struct config_destinations_fixture {
    configured file{};

    loaded load(std::string_view rules) {
        return file.load(R"({"delivery":{"destinations":)" + std::string(rules) + "}}");
    }
    std::string places_of_faults(std::string_view rules) { return pointers_of(load(rules).faults); }
};

BOOST_FIXTURE_TEST_SUITE(config_destinations, config_destinations_fixture)

BOOST_AUTO_TEST_CASE(every_setting_is_read_and_the_first_rule_that_matches_counts) {
    const auto out = load(R"([
        {"match": {"service":"aws","bucket":"lead-*","prefix":"a/?","credential_id":"*"},
         "checksum":"crc64nvme", "payload":"unsigned", "addressing":"path",
         "encryption":{"algorithm":"aws:kms","kms_key_id":"alias/k","kms_context":{"team":"x"},"bucket_key":true},
         "storage_class":"STANDARD_IA", "access_tier":"Cool",
         "metadata":{"source":"leads"}, "tags":{"a b":"c&d"},
         "multipart":{"threshold_bytes":7,"part_bytes":5242880,"in_flight":2},
         "verdicts":{"SlowDown":"retry","403":"park"}},
        {"checksum":"when_required"}])");
    BOOST_TEST(pointers_of(out.faults) == "");
    const auto& rules = out.what.destinations;
    BOOST_REQUIRE(rules.size() == 2U);
    storage::destination to{"aws", "s3", "lead-box", "a/b", "1"};
    const auto found = storage::find_settings(rules, to);
    BOOST_TEST((found.checksum == storage::checksum_choice::crc64nvme));
    BOOST_TEST(found.unsigned_payload);
    BOOST_TEST((found.style == storage::addressing::path));
    BOOST_TEST(found.encryption.algorithm == "aws:kms");
    BOOST_TEST(found.encryption.kms_key_id == "alias/k");
    BOOST_TEST(found.encryption.kms_context == R"({"team":"x"})");
    BOOST_TEST(found.encryption.bucket_key);
    BOOST_TEST(found.storage_class == "STANDARD_IA");
    BOOST_TEST(found.access_tier == "Cool");
    BOOST_TEST(found.metadata.at(0).second == "leads");
    BOOST_TEST(found.tags.at(0).first == "a b");
    BOOST_TEST(found.parts.threshold == 7U);
    BOOST_TEST(found.parts.size == 5242880U);
    BOOST_TEST(found.parts.in_flight == 2U);
    BOOST_TEST((storage::overridden_verdict(found, 503, "SlowDown") == disposition::retry));
    BOOST_TEST((storage::overridden_verdict(found, 403, "AccessDenied") == disposition::park));
    BOOST_TEST(!storage::overridden_verdict(found, 500, ""));
    to.prefix = "a/bc";
    BOOST_TEST((storage::find_settings(rules, to).checksum == storage::checksum_choice::when_required));
}

BOOST_AUTO_TEST_CASE(faults_have_their_place) {
    const std::string at = "/delivery/destinations";
    BOOST_TEST(places_of_faults("{}") == at);
    BOOST_TEST(places_of_faults("[7]") == at + "/0");
    BOOST_TEST(places_of_faults(R"([{"mach":{}}])") == at + "/0/mach");
    BOOST_TEST(places_of_faults(R"([{"match":{"buckt":"*"}}])") == at + "/0/match/buckt");
    BOOST_TEST(places_of_faults(R"([{"checksum":"md5"}])") == at + "/0/checksum");
    BOOST_TEST(places_of_faults(R"([{"payload":"unsigned","checksum":"when_required"}])") ==
               at + "/0/payload");
    BOOST_TEST(places_of_faults(R"([{"encryption":{"algorithm":"rot13"}}])") ==
               at + "/0/encryption/algorithm");
    BOOST_TEST(places_of_faults(R"([{"encryption":{"algorithm":"AES256","kms_key_id":"k"}}])") ==
               at + "/0/encryption/algorithm");
    BOOST_TEST(places_of_faults(R"([{"encryption":{"algorithm":"aws:kms","kms_context":{"a":1}}}])") ==
               at + "/0/encryption/kms_context/a");
    BOOST_TEST(places_of_faults(R"([{"metadata":{"a b":"c"}}])") == at + "/0/metadata");
    BOOST_TEST(places_of_faults(R"([{"storage_class":"a\r\nb"}])") == at + "/0/storage_class");
    BOOST_TEST(places_of_faults(R"([{"multipart":{"part_bytes":1}}])") == at + "/0/multipart/part_bytes");
    BOOST_TEST(places_of_faults(R"([{"verdicts":{"403":"ignore"}}])") == at + "/0/verdicts/403");
    const auto out = load(R"([{"verdicts":{"403":"ignore"}}])");
    BOOST_TEST(message_at(out.faults, at + "/0/verdicts/403") ==
               R"(must be "retry", "slow_down", "park" or "stop")");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
