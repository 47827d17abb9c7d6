#include "tests/contract/store_contract.hpp"
#include "tests/server/azure_container.hpp"
#include "tests/server/large_object.hpp"

#include "pipeline/bytes.hpp"

#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace firehose::azure_test;

namespace {

enum class access { key, account_sas, container_sas };

void keeps_the_contract(scheme how, access by) {
    azure_container_fixture container(how);
    auto with = container.credential;
    constexpr auto far = "2099-01-01T00:00:00Z";
    if (by == access::account_sas) with = sas_credential(how, account_sas("rwdlc", "co", far));
    if (by == access::container_sas)
        with = sas_credential(how, container_sas(container.name(), "rcwdl", far));
    const auto store = container.store_with(with, container.name());
    contract::store_options asked;
    asked.read = [&container](std::string key) { return container.read(std::move(key)); };
    asked.cancelled_put_may_land_late = true;
    for (const char* key : {"double//slash", "/begins with a slash", "~", "%41", "ends/", "a+b c", "%2F",
                            "a..b/...", "?#&=;", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"})
        asked.awkward_keys.emplace_back(key);
    // 1,024 characters with the prefix.
    asked.awkward_keys.emplace_back(1024 - asked.prefix.size() - 9, '+');
    const auto broken = container.run(contract::check_store(*store, container.shard(), asked));
    for (const auto& sentence : broken) BOOST_ERROR(sentence);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(azure_store)

BOOST_AUTO_TEST_CASE(keeps_the_contract_over_http) { keeps_the_contract(scheme::http, access::key); }
BOOST_AUTO_TEST_CASE(keeps_the_contract_over_https) { keeps_the_contract(scheme::https, access::key); }
BOOST_AUTO_TEST_CASE(keeps_the_contract_with_a_sas_of_the_account) {
    keeps_the_contract(scheme::http, access::account_sas);
}
BOOST_AUTO_TEST_CASE(keeps_the_contract_with_a_sas_of_the_container_over_https) {
    keeps_the_contract(scheme::https, access::container_sas);
}

namespace {

constexpr std::size_t part_size = 5 << 20;

std::string lines_of_text(std::size_t size) {
    std::string text;
    while (text.size() < size) text += "block after block, line " + std::to_string(text.size()) + "\n";
    return text;
}

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
    const auto text = lines_of_text(2 * part_size + 1234);
    const auto done = container.run(upload_in_parts(*store, container.shard(), text));
    BOOST_REQUIRE_MESSAGE(done.has_value(), done.error().context());
    BOOST_TEST(done->size == text.size());
    const auto back = container.run(container.get("in parts/+"));
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST((back->body == text));
    BOOST_TEST(*http::find_header(back->headers, "content-type") == "text/plain");
}

namespace {

task<result<storage::object_info>> put_text(storage::store& store, context& x, const std::string& text) {
    storage::put_options how;
    how.content_encoding = "identity";
    how.metadata = {{"of", "options"}};
    const storage::payload body{as_bytes(text)};
    const auto deadline = x.time.now() + std::chrono::minutes(2);
    const std::string key = "labelled";
    auto done = co_await store.put(key, body, how, deadline);
    co_return done;
}

/// Whole and in blocks alike.
void keeps_what_goes_along(storage::checksum_choice checksum, std::size_t size) {
    azure_container_fixture container(scheme::http);
    container.settings.access_tier = "Cool";
    container.settings.metadata = {{"origin", "a value"}, {"n1", "x"}};
    container.settings.tags = {{"team a", "x+y"}, {"stage", "test"}};
    container.settings.checksum = checksum;
    container.settings.parts.threshold = 2 << 20;
    container.settings.parts.size = 1 << 20;
    const auto store = container.store();
    const auto text = lines_of_text(size);
    const auto done = container.run(put_text(*store, container.shard(), text));
    BOOST_REQUIRE_MESSAGE(done.has_value(), done.error().context());
    BOOST_TEST(done->size == text.size());
    const auto back = container.run(container.get("labelled"));
    BOOST_REQUIRE(back.has_value());
    BOOST_TEST((back->body == text));
    const auto header = [&back](const char* name) {
        const auto* found = http::find_header(back->headers, name);
        return found ? *found : "";
    };
    BOOST_TEST(header("x-ms-meta-origin") == "a value");
    BOOST_TEST(header("x-ms-meta-n1") == "x");
    BOOST_TEST(header("x-ms-meta-of") == "options");
    BOOST_TEST(header("content-encoding") == "identity");
    BOOST_TEST(header("x-ms-tag-count") == "2");
    const auto tier = container.run(container.head("labelled"));
    BOOST_REQUIRE(tier.has_value());
    BOOST_TEST(*http::find_header(tier->headers, "x-ms-access-tier") == "Cool");
}

}  // namespace

BOOST_AUTO_TEST_CASE(tier_metadata_tags_and_md5_of_a_blob) {
    keeps_what_goes_along(storage::checksum_choice::automatic, 1000);
}
BOOST_AUTO_TEST_CASE(tier_metadata_tags_and_crc64_of_a_blob) {
    keeps_what_goes_along(storage::checksum_choice::crc64nvme, 1000);
}
BOOST_AUTO_TEST_CASE(tier_metadata_tags_and_crc64_of_a_blob_in_blocks) {
    keeps_what_goes_along(storage::checksum_choice::crc64nvme, 5'000'000);
}

BOOST_AUTO_TEST_CASE(a_blob_of_many_answers_is_read_back_whole) {
    azure_container_fixture container(scheme::http);
    const auto store = container.store();
    const auto text = lines_of_text(std::size_t{20} << 20);
    BOOST_REQUIRE(container.run(put_text(*store, container.shard(), text)).has_value());
    const storage::byte_range all;
    const auto back =
        container.run(store->get("labelled", all, container.shard().time.now() + std::chrono::minutes(1)));
    BOOST_REQUIRE_MESSAGE(back.has_value(), back.error().context());
    BOOST_TEST((back->bytes == text));
}

namespace {

void large_body_in_blocks(scheme how, storage::checksum_choice checksum) {
    azure_container_fixture container(how);
    container.settings.checksum = checksum;
    container.settings.parts.threshold = 6 << 20;
    container.settings.parts.size = part_size;
    const auto store = container.store();
    const auto text = server_test::numbered(server_test::large_size());
    const auto began = std::chrono::steady_clock::now();
    const auto etag = container.run(server_test::put_and_compare(*store, container.shard(), text));
    BOOST_REQUIRE_MESSAGE(etag.has_value(), etag.error().context());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    BOOST_TEST_MESSAGE(text.size() << " bytes in " << (text.size() - 1) / part_size + 1
                                   << " blocks and back in " << took.count() << " s");
}

}  // namespace

BOOST_AUTO_TEST_CASE(large_bodies_go_in_blocks_over_http) {
    large_body_in_blocks(scheme::http, storage::checksum_choice::automatic);
}
BOOST_AUTO_TEST_CASE(large_bodies_go_in_blocks_over_https) {
    large_body_in_blocks(scheme::https, storage::checksum_choice::crc64nvme);
}

BOOST_AUTO_TEST_SUITE_END()
