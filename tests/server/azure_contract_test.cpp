#include "tests/contract/store_contract.hpp"
#include "tests/server/azure_container.hpp"

#include "pipeline/bytes.hpp"

#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace firehose::azure_test;

namespace {

void keeps_the_contract(scheme how, bool by_sas) {
    azure_container_fixture container(how);
    auto with = container.credential;
    if (by_sas) with = sas_credential(how, account_sas("rwdlc", "co", "2099-01-01T00:00:00Z"));
    const auto store = container.store_with(with, container.name());
    contract::store_options asked;
    asked.read = [&container](std::string key) { return container.read(std::move(key)); };
    asked.cancelled_put_may_land_late = true;
    for (const char* key : {"double//slash", "/begins with a slash", "~", "%41", "ends/"})
        asked.awkward_keys.emplace_back(key);
    // 1,024 characters with the prefix.
    asked.awkward_keys.emplace_back(1024 - asked.prefix.size() - 9, '+');
    const auto broken = container.run(contract::check_store(*store, container.shard(), asked));
    for (const auto& sentence : broken) BOOST_ERROR(sentence);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(azure_store)

BOOST_AUTO_TEST_CASE(keeps_the_contract_over_http) { keeps_the_contract(scheme::http, false); }
BOOST_AUTO_TEST_CASE(keeps_the_contract_over_https) { keeps_the_contract(scheme::https, false); }
BOOST_AUTO_TEST_CASE(keeps_the_contract_with_a_sas) { keeps_the_contract(scheme::http, true); }

namespace {

constexpr std::size_t part_size = 5 << 20;

task<result<storage::object_info>> upload_in_parts(storage::store& store, context& x,
                                                   const std::string& text) {
    storage::put_options how;
    how.content_type = "text/plain";
    const auto deadline = x.time.now() + std::chrono::minutes(2);
    const std::string key = "in parts/+";
    auto begun = co_await store.start_multipart(key, how, deadline);
    if (!begun.has_value()) co_return begun.error();
    auto& parts = **begun;
    const std::string_view whole(text);
    for (const int number : {3, 1, 2}) {  // in no order
        const auto piece = whole.substr(static_cast<std::size_t>(number - 1) * part_size, part_size);
        const storage::payload body{as_bytes(piece)};
        auto put = co_await parts.put_part(number, body, deadline);
        if (!put.has_value()) co_return put.error();
    }
    auto unseen = co_await store.head(key, deadline);
    if (unseen.has_value()) BOOST_ERROR("half an upload is visible");
    auto done = co_await parts.complete(deadline);
    if (!done.has_value()) co_return done;
    auto again = co_await parts.complete(deadline);  // as after an answer that was lost
    if (!again.has_value()) co_return again;
    auto head = co_await store.head(key, deadline);
    co_return head;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_large_blob_in_blocks) {
    azure_container_fixture container(scheme::http);
    const auto store = container.store();
    std::string text;
    while (text.size() < 2 * part_size + 1234)
        text += "block after block, line " + std::to_string(text.size()) + "\n";
    const auto done = container.run(upload_in_parts(*store, container.shard(), text));
    BOOST_REQUIRE_MESSAGE(done.has_value(), done.error().context());
    BOOST_TEST(done->size == text.size());
    const auto back = container.run(container.get("in parts/+"));
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST((back->body == text));
    BOOST_TEST(*http::find_header(back->headers, "content-type") == "text/plain");
}

BOOST_AUTO_TEST_SUITE_END()
