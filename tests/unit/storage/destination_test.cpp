#include "storage/destination.hpp"
#include "storage/destination_settings.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace firehose::storage;

namespace {
destination somewhere() { return {"aws", "s3", "my-bucket", "in/2024", "507f1f77bcf86cd799439011"}; }
}  // namespace

BOOST_AUTO_TEST_SUITE(destinations)

BOOST_AUTO_TEST_CASE(the_description_is_for_people_and_holds_no_credential) {
    auto where = somewhere();
    BOOST_TEST(describe(where) == "aws my-bucket/in/2024");
    where.prefix.clear();
    BOOST_TEST(describe(where) == "aws my-bucket");
}

BOOST_AUTO_TEST_CASE(the_hash_is_the_documented_one) {
    // printf '3:aws,2:s3,9:my-bucket,7:in/2024,24:507f1f77bcf86cd799439011,' | sha256sum | cut -c1-16
    BOOST_TEST(hash(somewhere()) == "1cffc040fb3f1a8c");
}

BOOST_AUTO_TEST_CASE(every_member_counts_and_none_runs_into_the_next) {
    std::set<std::string> seen{hash(somewhere())};
    for (std::string destination::* member : {&destination::service, &destination::type, &destination::bucket,
                                              &destination::prefix, &destination::credential_id}) {
        auto other = somewhere();
        other.*member += "x";
        BOOST_TEST(seen.insert(hash(other)).second);
    }
    const destination left{"ab", "c", "", "", ""};
    const destination right{"a", "bc", "", "", ""};
    BOOST_TEST(hash(left) != hash(right));
}

BOOST_AUTO_TEST_CASE(the_directory_name_is_three_ordinary_components) {
    BOOST_TEST(directory_name(somewhere()) == "aws/my-bucket/in%2F2024-1cffc040fb3f1a8c");
    const destination hostile{"..", "s3", "/", "", ""};
    const auto name = directory_name(hostile);
    BOOST_TEST(name.starts_with("%2E%2E/%2F/%-"));
    const destination nothing{};
    BOOST_TEST(directory_name(nothing).starts_with("%/%/%-"));
}

BOOST_AUTO_TEST_CASE(patterns_know_any_text_and_any_byte) {
    BOOST_TEST(matches("*", ""));
    BOOST_TEST(matches("*", "a/b"));
    BOOST_TEST(matches("", ""));
    BOOST_TEST(!matches("", "a"));
    BOOST_TEST(matches("a*b*c", "a-b-b-c"));
    BOOST_TEST(!matches("a*b*c", "a-b-b-d"));
    BOOST_TEST(matches("lead-?", "lead-1"));
    BOOST_TEST(!matches("lead-?", "lead-"));
    BOOST_TEST(matches("**x", "x"));
    BOOST_TEST(!matches("a[b]", "ab"));
}

BOOST_AUTO_TEST_SUITE_END()
