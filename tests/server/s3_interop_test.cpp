// Half of s3_interop.py: reads what another client wrote and writes what that is to read.
#include "tests/server/s3_bucket.hpp"

#include "pipeline/bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>

using namespace firehose;
using namespace firehose::server_test;
using namespace std::chrono_literals;

namespace {

/// The same in s3_interop.py.
std::string content(std::size_t size, const std::string& key) {
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 31 + i / 256 + key.size());
    return out;
}

const std::vector<std::pair<std::string, std::size_t>>& objects() {
    static const std::vector<std::pair<std::string, std::size_t>> all = {
        {"plain.json", 1000},
        {"empty", 0},
        {"blank in name", 10},
        {"plus+and=equals&ampersand", 11},
        {"percent%2Fslash %", 12},
        {"tilde~star*bang!paren(s)'quote'", 13},
        {"\xC3\xA9t\xC3\xA9/\xE6\x97\xA5\xE6\x9C\xAC", 14},
        {"parts", (std::size_t{12} << 20) + 7}};
    return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(s3_interop)

BOOST_AUTO_TEST_CASE(reads_what_others_wrote_and_writes_for_them) {
    const char* name = std::getenv("FIREHOSE_INTEROP_BUCKET");
    if (name == nullptr) return;  // s3_interop.py sets it
    s3_bucket bucket(scheme::http);
    bucket.settings.parts.threshold = 6 << 20;
    bucket.settings.parts.size = 5 << 20;
    const auto store = bucket.store_with(bucket.credential, name);
    const auto deadline = bucket.shard().time.now() + 2min;
    const storage::put_options how;
    for (const auto& [key, size] : objects()) {
        const auto text = content(size, key);
        const auto theirs = bucket.run(store->get("theirs/" + key, {}, deadline));
        BOOST_REQUIRE_MESSAGE(theirs.has_value(), theirs.error().context());
        BOOST_TEST((theirs->bytes == text), key);
        const storage::payload body{as_bytes(text)};
        const auto put = bucket.run(store->put("ours/" + key, body, how, deadline));
        BOOST_REQUIRE_MESSAGE(put.has_value(), put.error().context());
    }
    const auto listed = bucket.run(store->list("theirs/", "", deadline));
    BOOST_REQUIRE(listed.has_value());
    BOOST_TEST(listed->items.size() == objects().size());
}

BOOST_AUTO_TEST_SUITE_END()
