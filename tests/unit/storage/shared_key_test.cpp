#include "storage/shared_key.hpp"

#include "http/url.hpp"
#include "pipeline/bytes.hpp"
#include "pipeline/randomness.hpp"
#include "storage/azure_exchange.hpp"
#include "tests/unit/storage/vectors.hpp"

#include <algorithm>
#include <vector>

using namespace firehose;
using namespace firehose::storage;
using vectors::text;

namespace {

http::hmac_key key_of(const boost::json::value& row) {
    return http::hmac_key(http::from_base64(text(row.at("key_base64"))).value());
}

/// A published row, by the URL it is about; Content-Length is no header here.
std::string signed_text(const boost::json::value& row) {
    const auto url = text(row.at("url"));
    const auto path_at = std::min(url.find('/', url.find("//") + 2), url.size());
    const auto mark = std::min(url.find('?'), url.size());
    http::header_list headers;
    std::uint64_t length = 0;
    for (const auto& pair : row.at("headers").as_array()) {
        if (http::same_name(text(pair.at(0)), "content-length"))
            length = std::stoull(text(pair.at(1)));
        else
            headers.emplace_back(text(pair.at(0)), text(pair.at(1)));
    }
    const auto method = text(row.at("method"));
    const auto path = url.substr(path_at, mark - path_at);
    const auto query = url.substr(std::min(mark + 1, url.size()));
    const shared_key::subject what{method, path, query, headers, length};
    return shared_key::string_to_sign(what, text(row.at("account")));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(shared_keys)

BOOST_AUTO_TEST_CASE(the_rules_of_the_documentation) {
    const auto all = vectors::golden("azure_shared_key.json");
    for (const auto& row : all.at("requests").as_array()) {
        http::header_list headers;
        for (const auto& pair : row.at("headers").as_array())
            headers.emplace_back(text(pair.at(0)), text(pair.at(1)));
        const auto method = text(row.at("method"));
        const auto path = text(row.at("path"));
        const auto query = text(row.at("query"));
        const shared_key::subject what{method, path, query, headers,
                                       row.at("length").to_number<std::uint64_t>()};
        BOOST_TEST(shared_key::string_to_sign(what, text(row.at("account"))) ==
                       text(row.at("string_to_sign")),
                   text(row.at("name")));
    }
}

BOOST_AUTO_TEST_CASE(the_tests_of_the_libraries_of_azure) {
    if (!vectors::have("azure-vectors.json")) return;
    const auto all = vectors::load(vectors::folder() / "azure-vectors.json");
    int compared = 0;
    for (const auto& row : all.at("shared_key").as_array()) {
        const auto name = text(row.at("name"));
        const auto expected = text(row.at("string_to_sign"));
        if (!row.at("url").is_null()) BOOST_TEST(signed_text(row) == expected, name);
        auto key = key_of(row);
        BOOST_TEST(http::to_base64(key(expected)) == text(row.at("signature")), name);
        const auto account = text(row.at("account"));
        if (const auto* whole = row.as_object().if_contains("authorization"); whole && !whole->is_null())
            BOOST_TEST(shared_key::authorization(key, account, expected) == text(*whole), name);
        ++compared;
    }
    for (const auto& row : all.at("sas").as_array()) {
        auto key = key_of(row);
        BOOST_TEST(http::to_base64(key(text(row.at("string_to_sign")))) == text(row.at("signature")));
        ++compared;
    }
    BOOST_TEST(compared >= 26);
}

BOOST_AUTO_TEST_CASE(names_in_the_order_of_the_service) {
    const std::vector<std::string> sorted = {
        "x-ms-1",        "x-ms-a",       "x-ms-enabled-protocols", "x-ms-enable-snapshot", "x-ms-meta-a",
        "x-ms-meta-a_b", "x-ms-meta-a1", "x-ms-meta-ab",           "x-ms-meta-ab-c",       "x-ms-meta-a-bc"};
    for (std::size_t i = 0; i < sorted.size(); ++i)
        for (std::size_t k = 0; k < sorted.size(); ++k)
            BOOST_TEST(shared_key::comes_before(sorted[i], sorted[k]) == (i < k),
                       sorted[i] + " " + sorted[k]);
}

BOOST_AUTO_TEST_CASE(the_set_of_names_is_one_that_nobody_disputes) {
    using shared_key::all_orders_agree;
    BOOST_TEST(all_orders_agree(shared_key::used_names));
    using pair = std::array<std::string_view, 2>;
    BOOST_TEST(!all_orders_agree(pair{"x-ms-meta-a-b", "x-ms-meta-ab"}));  // only a hyphen
    BOOST_TEST(!all_orders_agree(pair{"x-ms-enable-snapshot", "x-ms-enabled-protocols"}));
    BOOST_TEST(!all_orders_agree(pair{"x-ms-meta-a", "x-ms-meta-a_b"}));  // not a letter, digit or hyphen
    BOOST_TEST(!all_orders_agree(pair{"x-ms-version", "x-ms-date"}));     // not sorted
    BOOST_TEST(!all_orders_agree(pair{"x-ms-date", "x-ms-date"}));
    for (const auto name : shared_key::used_names) BOOST_TEST(shared_key::may_carry(name));
    BOOST_TEST(shared_key::may_carry("X-MS-Version"));
    BOOST_TEST(shared_key::may_carry("Content-Type"));
    for (const auto* other : {"x-ms-lease-id", "x-ms-meta-", "x-ms-meta-a-b", "x-ms-meta-a_b",
                              "x-ms-meta-\xC3\xA9", "x-ms-meta", "x-ms-"})
        BOOST_TEST(!shared_key::may_carry(other), other);
}

BOOST_AUTO_TEST_CASE(metadata_sorts_alike_everywhere_whatever_its_names) {
    seeded_randomness random(7);
    const auto pick = [&random](std::string_view from) {
        return from[static_cast<std::size_t>(random.uniform() * static_cast<double>(from.size()))];
    };
    for (int round = 0; round < 500; ++round) {
        std::vector<std::string> names(shared_key::used_names.begin(), shared_key::used_names.end());
        for (int i = 0; i < 6; ++i) {
            std::string name(shared_key::metadata_prefix);
            name += pick("abmz");
            while (random.uniform() < 0.7) name += pick("abmz019");
            BOOST_TEST(shared_key::may_carry(name));
            names.push_back(std::move(name));
        }
        auto bytes = names;  // the order of those who sort by bytes
        std::ranges::sort(bytes);
        auto service = names;
        std::ranges::sort(service,
                          [](const auto& a, const auto& b) { return shared_key::comes_before(a, b); });
        BOOST_TEST((bytes == service));
    }
}

BOOST_AUTO_TEST_CASE(the_signer_refuses_other_names) {
    azure_signer signer("a", secret("bm90LWEtcmVhbC1rZXk="));
    http::request req;
    req.method = "GET";
    req.target = "/c";
    BOOST_TEST(signer.sign(req, {}).has_value());
    req.headers.emplace_back("x-ms-meta-a", "1");
    BOOST_TEST(signer.sign(req, {}).has_value());
    req.headers.emplace_back("x-ms-meta-a-b", "1");
    BOOST_TEST(!signer.sign(req, {}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
