#include "storage/connection_string.hpp"

#include "storage/azure_labels.hpp"
#include "tests/unit/storage/vectors.hpp"

using namespace firehose;
using namespace firehose::storage;
using vectors::text;

namespace {

std::string text_or_empty(const boost::json::value& row, const char* name) {
    const auto* found = row.as_object().if_contains(name);
    return found == nullptr || found->is_null() ? std::string() : text(*found);
}

/// The endpoint as a URL that ends in a slash.
std::string url_of(const azure_connection& c) {
    return http::describe(c.endpoint.to) + c.endpoint.path + "/";
}

void check_published(const boost::json::value& row) {
    const auto given = text(row.at("connection_string"));
    const auto name = text(row.at("note")) + ": " + given;
    const auto parsed = parse_connection_string(given);
    if (text(row.at("agreement")) == "differs") return;  // Azure's own libraries do
    BOOST_TEST(parsed.has_value() == row.at("ok").as_bool(), name);
    if (!parsed.has_value() || !row.at("ok").as_bool()) return;
    auto endpoint = text(row.at("blob_endpoint"));
    if (!endpoint.ends_with('/')) endpoint += '/';
    BOOST_TEST(url_of(*parsed) == endpoint, name);
    BOOST_TEST(parsed->key.reveal() == text_or_empty(row, "key"), name);
    BOOST_TEST(parsed->sas.reveal() == text_or_empty(row, "sas"), name);
    if (!row.at("account").is_null()) BOOST_TEST(parsed->account == text(row.at("account")), name);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(connection_strings)

BOOST_AUTO_TEST_CASE(every_documented_form) {
    const auto all = vectors::golden("azure_connection_strings.json");
    for (const auto& row : all.at("connection_strings").as_array()) {
        const auto given = text(row.at("text"));
        const auto parsed = parse_connection_string(given);
        BOOST_REQUIRE_MESSAGE(parsed.has_value(), given + ": " + parsed.error().context());
        BOOST_TEST(http::describe(parsed->endpoint.to) == text(row.at("endpoint")), given);
        BOOST_TEST(parsed->endpoint.path == text(row.at("path")), given);
        BOOST_TEST(parsed->path_style == !text(row.at("path")).empty(), given);
        BOOST_TEST(parsed->account == text(row.at("account")), given);
        BOOST_TEST(parsed->key.reveal() == text_or_empty(row, "key"), given);
        BOOST_TEST(parsed->sas.reveal() == text_or_empty(row, "sas"), given);
    }
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_named_and_no_value_repeated) {
    const auto all = vectors::golden("azure_connection_strings.json");
    for (const auto& row : all.at("refused").as_array()) {
        const auto given = text(row.at("text"));
        const auto parsed = parse_connection_string(given);
        BOOST_REQUIRE_MESSAGE(!parsed.has_value(), given);
        const auto& said = parsed.error().context();
        BOOST_TEST((parsed.error().what() == disposition::stop));
        BOOST_TEST(said.starts_with("the connection string "), said);
        BOOST_TEST(said.find(text(row.at("says"))) != std::string::npos, given + ": " + said);
        BOOST_TEST(said.find("HUSH") == std::string::npos, said);
    }
}

BOOST_AUTO_TEST_CASE(the_tests_of_the_libraries_of_azure) {
    if (!vectors::have("azure-vectors.json")) return;
    const auto all = vectors::load(vectors::folder() / "azure-vectors.json");
    for (const auto& row : all.at("connection_strings").as_array()) check_published(row);
    for (const auto& row : all.at("account_from_endpoint").at("rows").as_array()) {
        const auto host = http::parse_endpoint(text(row.at(0))).value().to.host;
        const auto expected = row.at(1).is_null() ? std::string() : text(row.at(1));
        BOOST_TEST(account_of_host(host) == expected, host);
    }
    for (const auto& row : all.at("sas_split").at("rows").as_array()) {
        const auto parts = split_sas(text(row.at("sas")));
        const bool refused = row.as_object().contains("error");
        BOOST_TEST(parts.has_value() == !refused);
        if (!parts.has_value()) continue;
        const auto& expected = row.at("pairs").as_array();
        BOOST_REQUIRE(parts->size() == expected.size());
        for (std::size_t i = 0; i < expected.size(); ++i) {
            BOOST_TEST((*parts)[i].first == text(expected[i].at(0)));
            BOOST_TEST((*parts)[i].second == text(expected[i].at(1)));
        }
    }
}

BOOST_AUTO_TEST_CASE(no_address_with_a_signature_in_it_is_repeated) {
    if (!vectors::have("azure-vectors.json")) return;
    const auto all = vectors::load(vectors::folder() / "azure-vectors.json");
    for (const auto& row : all.at("redaction").at("rows").as_array()) {
        const auto url = text(row.at(0));
        const auto hidden = text(row.at(1)).find("SENSITIVE") != std::string::npos;
        BOOST_REQUIRE(hidden);
        const auto endpoint = http::parse_endpoint(url);
        BOOST_REQUIRE(!endpoint.has_value());
        BOOST_TEST(endpoint.error().context().find("SENSITIVE") == std::string::npos);
        const auto parsed = parse_connection_string("BlobEndpoint=" + url + ";AccountKey=SFVTSA==");
        BOOST_REQUIRE(!parsed.has_value());
        BOOST_TEST(parsed.error().context().find("SENSITIVE") == std::string::npos);
        http::request req;
        req.target = url.substr(url.find('/', 8));
        BOOST_TEST(http::path_of(req).find("SENSITIVE") == std::string_view::npos);
    }
}

BOOST_AUTO_TEST_CASE(published_checksums_as_azure_writes_them) {
    if (!vectors::have("checksum-vectors.json")) return;
    const auto all = vectors::load(vectors::folder() / "checksum-vectors.json");
    int compared = 0;
    for (const auto& row : all.at("rows").as_array()) {
        const auto* hex = row.as_object().if_contains("hex");
        if (!hex || !hex->is_string()) continue;
        std::vector<std::byte> bytes;
        const auto digits = text(*hex);
        for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
            bytes.push_back(static_cast<std::byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
        const payload body{bytes};
        destination_settings given;
        http::header_list headers;
        add_checksum(headers, given, body);
        given.checksum = checksum_choice::crc64nvme;
        add_checksum(headers, given, body);
        BOOST_REQUIRE(headers.size() == 2U);
        BOOST_TEST(headers[0].first == "Content-MD5");
        BOOST_TEST(headers[0].second == text(row.at("content_md5")), digits);
        BOOST_TEST(headers[1].first == "x-ms-content-crc64");
        BOOST_TEST(headers[1].second == text(row.at("x_ms_content_crc64")), digits);
        ++compared;
    }
    BOOST_TEST(compared >= 8);
}

BOOST_AUTO_TEST_CASE(a_sas_goes_over_the_wire_encoded_once) {
    const auto wire = [](const char* sas) { return sas_query(secret(sas)).value(); };
    BOOST_TEST(wire("sv=2021-12-02&sig=a%2Bb%2Fc%3D") == "sv=2021-12-02&sig=a%2Bb%2Fc%3D");
    BOOST_TEST(wire("?sv=2021-12-02&sig=a+b/c=") == "sv=2021-12-02&sig=a%2Bb%2Fc%3D");
    BOOST_TEST(wire("sig=a b/c=&rsct=text/html; charset=utf-8") ==
               "sig=a%2Bb%2Fc%3D&rsct=text%2Fhtml%3B%20charset%3Dutf-8");
    BOOST_TEST(!sas_query(secret("sv=2021-12-02")).has_value());
    BOOST_TEST(!sas_query(secret("sig=x&HUSH")).has_value());
    BOOST_TEST(sas_query(secret("sig=x&HUSH")).error().context().find("HUSH") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
