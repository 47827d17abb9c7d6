#include "tests/contract/store_contract.hpp"
#include "tests/server/s3_bucket.hpp"

#include "pipeline/bytes.hpp"

#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace firehose::server_test;

namespace {

void keeps_the_contract(scheme how, const storage::destination_settings& settings = {}) {
    s3_bucket bucket(how);
    bucket.settings = settings;
    const auto store = bucket.store();
    contract::store_options asked;
    asked.read = [&bucket](std::string key) { return bucket.read(std::move(key)); };
    asked.cancelled_put_may_land_late = true;
    asked.conditional_puts = abilities().conditional_puts;
    asked.lost_races_may_fail = abilities().lost_races_may_fail;
    asked.conditional_completions = abilities().conditional_completions;
    for (const char* key : {"double//slash", "a/./b", "a/../b", "/begins with a slash", "~", "%41", "ends/"})
        asked.awkward_keys.emplace_back(key);
    // 1,024 bytes with the prefix, of three bytes each but the last.
    std::string longest;
    while (asked.prefix.size() + 9 + longest.size() + 3 <= 1024) longest += "\xE6\x97\xA5";
    while (asked.prefix.size() + 9 + longest.size() < 1024) longest += '+';
    asked.awkward_keys.push_back(longest);
    const auto broken = bucket.run(contract::check_store(*store, bucket.shard(), asked));
    for (const auto& sentence : broken) BOOST_ERROR(sentence);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(s3_store)

BOOST_AUTO_TEST_CASE(keeps_the_contract_over_http) { keeps_the_contract(scheme::http); }
BOOST_AUTO_TEST_CASE(keeps_the_contract_over_https) { keeps_the_contract(scheme::https); }
BOOST_AUTO_TEST_CASE(keeps_the_contract_with_checksums_instead_of_signed_bodies) {
    storage::destination_settings settings;
    settings.checksum = storage::checksum_choice::crc32c;
    settings.unsigned_payload = true;
    keeps_the_contract(scheme::https, settings);
}
BOOST_AUTO_TEST_CASE(keeps_the_contract_with_checksums_and_signed_bodies) {
    storage::destination_settings settings;
    settings.checksum = storage::checksum_choice::crc64nvme;
    keeps_the_contract(scheme::http, settings);
}

task<result<std::size_t>> list_all(storage::store& store, time_source::steady deadline) {
    std::size_t found = 0;
    std::string from;
    do {
        auto page = co_await store.list("many/", from, deadline);
        if (!page.has_value()) co_return page.error();
        found += page->items.size();
        from = page->next;
    } while (!from.empty());
    co_return found;
}

task<> put_one(storage::store& store, std::string key, time_source::steady deadline) {
    const storage::payload body{as_bytes("x")};
    const storage::put_options how;
    auto put = co_await store.put(key, body, how, deadline);
    if (!put.has_value()) BOOST_ERROR(put.error().context());
}

task<result<std::size_t>> put_and_list(storage::store& store, context& x, int count) {
    const auto deadline = x.time.now() + std::chrono::minutes(2);
    constexpr int lanes = 32;
    for (int i = 0; i < count; i += lanes) {
        auto spawn = [&store, i, count, deadline](task_scope& s) {
            for (int n = i; n < std::min(i + lanes, count); ++n)
                s.spawn(put_one(store, "many/" + std::to_string(n), deadline));
        };
        auto all = with_scope(x.ex, spawn);
        co_await std::move(all);
    }
    auto found = co_await list_all(store, deadline);
    co_return found;
}

BOOST_AUTO_TEST_CASE(lists_more_than_one_page_of_the_server) {
    s3_bucket bucket(scheme::http);
    const auto store = bucket.store();
    const auto found = bucket.run(put_and_list(*store, bucket.shard(), 1100));
    BOOST_REQUIRE_MESSAGE(found.has_value(), found.error().context());
    BOOST_TEST(*found == 1100U);
    const auto& count = bucket.shard().count.snapshot();
    BOOST_TEST(count.at("http_connections_opened") < 64U);  // 32 at once, the rest reuse
}

BOOST_AUTO_TEST_SUITE_END()
