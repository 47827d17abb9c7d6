#include "examples/firehose/config_changes.hpp"
#include "tests/unit/examples/configured.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace firehose;
using namespace firehose::app;

constexpr const char* base_text =
    R"({"default":{"enabled":true,"services":{"local":{"type":"directory","enabled":true,"bucket":"out"}}},
    "credentials":{"507f1f77bcf86cd799439aaa":{"type":"user","username":"AK","password":{"file":"secret"}},
                   "507f1f77bcf86cd799439bbb":{"type":"user","username":"AK","password":"canary inline"}},
    "delivery":{"in_flight":7},
    "server":{"listen":"127.0.0.1:0",
      "tokens":{"one":{"sha256":"0000000000000000000000000000000000000000000000000000000000000000","roles":["read"]}}}})";

struct changes_fixture {
    configured files;
    changes_fixture() { files.write("secret", "canary of the file"); }

    static std::string replaced(std::string in, const std::string& what, const std::string& by) {
        const auto at = in.find(what);
        BOOST_REQUIRE_MESSAGE(at != std::string::npos, what);
        return in.replace(at, what.size(), by);
    }
    /// "pointer: from -> to", with an exclamation mark in front where it needs a restart.
    std::string changes(const configuration& before, const configuration& after) {
        std::string all;
        for (const auto& c : differences(before, after))
            all += (c.needs_restart ? "!" : "") + c.pointer + ": " + c.from + " -> " + c.to + "\n";
        BOOST_TEST(all.find("canary") == std::string::npos);
        return all;
    }
    std::string changes(const std::string& what, const std::string& by) {
        const auto before = files.load(base_text);
        const auto after = files.load(replaced(base_text, what, by));
        BOOST_REQUIRE_MESSAGE(after.faults.empty(), pointers_of(after.faults));
        return changes(before.what, after.what);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(configuration_changes, changes_fixture)

BOOST_AUTO_TEST_CASE(are_named_with_both_values) {
    BOOST_TEST(changes("\"out\"", "\"out\"") == "");
    BOOST_TEST(changes("\"out\"", "\"other\"") == "/default/services/local/bucket: \"out\" -> \"other\"\n");
    BOOST_TEST(changes("\"in_flight\":7", "\"attempts\":2") ==
               "!/delivery/attempts: (absent) -> 2\n!/delivery/in_flight: 7 -> (absent)\n");
    BOOST_TEST(
        changes("\"server\":{", "\"flows\":{\"f/g\":{\"firehose\":{\"enabled\":false}}},\"server\":{") ==
        "/flows/f~1g/firehose/enabled: (absent) -> false\n");
    BOOST_TEST(changes("[\"read\"]", "[\"read\",\"admin\"]") ==
               "/server/tokens/one/roles: 1 entries -> 2 entries\n");
    BOOST_TEST(changes("127.0.0.1:0", "127.0.0.1:1") ==
               "!/server/listen: \"127.0.0.1:0\" -> \"127.0.0.1:1\"\n");
}

BOOST_AUTO_TEST_CASE(of_secrets_are_named_and_not_shown) {
    BOOST_TEST(changes("canary inline", "canary other") ==
               "/credentials/507f1f77bcf86cd799439bbb/password: (secret) -> (secret)\n");
    BOOST_TEST(changes("\"sha256\":\"0", "\"sha256\":\"1") ==
               "/server/tokens/one/sha256: (secret) -> (secret)\n");
    const auto before = files.load(base_text);
    files.write("secret", "canary of another file");
    const auto after = files.load(base_text);
    BOOST_TEST(changes(before.what, after.what) ==
               "/credentials/507f1f77bcf86cd799439aaa/password: (secret) -> (secret)\n");
    BOOST_TEST(changes("\"username\":\"AK\"", "\"username\":\"AK\",\"endpoint\":\"http://u:canary@h\"") ==
               "/credentials/507f1f77bcf86cd799439aaa/endpoint: (absent) -> (not shown)\n");
}

BOOST_AUTO_TEST_CASE(that_open_or_close_the_doors_need_a_restart) {
    const auto before = files.load(base_text);
    const auto after = files.load(replaced(
        base_text,
        R"("tokens":{"one":{"sha256":"0000000000000000000000000000000000000000000000000000000000000000","roles":["read"]}})",
        "\"development\":true"));
    BOOST_REQUIRE(after.faults.empty());
    const auto all = changes(before.what, after.what);
    BOOST_TEST(all.find("!/server/development") != std::string::npos);
    BOOST_TEST(all.find("\n!/server/tokens/one/") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
