#include "storage/sigv4.hpp"

#include "http/digest.hpp"
#include "http/url.hpp"
#include "pipeline/bytes.hpp"
#include "storage/sigv4_chunks.hpp"
#include "storage/store.hpp"
#include "tests/unit/storage/vectors.hpp"

#include <algorithm>

using namespace firehose;
using namespace firehose::storage;
using vectors::text;
namespace json = boost::json;

namespace {

http::header_list headers_of(const json::value& rows) {
    http::header_list out;
    for (const auto& row : rows.as_array()) out.emplace_back(text(row.at(0)), text(row.at(1)));
    return out;
}

void compare(const sigv4::signed_request& ours, const json::value& expected, const std::string& name) {
    BOOST_TEST(ours.canonical_request == text(expected.at("canonical_request")), name);
    BOOST_TEST(ours.string_to_sign == text(expected.at("string_to_sign")), name);
    BOOST_TEST(ours.signature == text(expected.at("signature")), name);
    if (!ours.authorization.empty() && expected.as_object().contains("authorization"))
        BOOST_TEST(ours.authorization == text(expected.at("authorization")), name);
}

void check_s3_row(const json::value& row) {
    const auto name = text(row.at("name"));
    const auto target = text(row.at("target"));
    const auto stamp = text(row.at("amz_date"));
    const auto hash = text(row.at("payload_hash"));
    const auto service = text(row.at("service"));
    auto headers = headers_of(row.at("headers"));
    const auto mark = std::min(target.find('?'), target.size());
    const auto query = target.substr(std::min(mark + 1, target.size()));
    const bool presigned = text(row.at("kind")) == "presign";
    if (!presigned) {
        http::set_header(headers, "x-amz-date", stamp);
        if (service == "s3") http::set_header(headers, "x-amz-content-sha256", hash);
    }
    const sigv4::identity who{text(row.at("access_key_id")), secret(text(row.at("secret_access_key"))), {}};
    const auto method = text(row.at("method"));
    const auto path = target.substr(0, mark);
    const auto region = text(row.at("region"));
    const sigv4::subject what{method, path, query, headers, hash};
    sigv4::key_cache keys;
    if (presigned) {
        const std::chrono::seconds expires(row.at("expires").to_number<int>());
        const auto ours = presign(what, who, region, service, stamp, expires, sigv4::path_rules::s3, keys);
        compare(ours, row, name);
        BOOST_TEST(ours.query.ends_with("&X-Amz-Signature=" + ours.signature));
        if (row.as_object().contains("url"))
            BOOST_TEST(text(row.at("url")).ends_with(path + "?" + ours.query), name);
    } else {
        compare(sign_headers(what, who, region, service, stamp, sigv4::path_rules::s3, keys), row, name);
    }
}

std::string filled(const json::value& chunk) {
    const auto fill = text(chunk.at("fill"));
    return fill.empty() ? "" : std::string(chunk.at("length").to_number<std::size_t>(), fill.front());
}

void compare(const sigv4::signed_chunk& ours, const json::value& expected, const std::string& name) {
    BOOST_TEST(ours.string_to_sign == text(expected.at("string_to_sign")), name);
    BOOST_TEST(ours.signature == text(expected.at("signature")), name);
}

/// The head as any other, then chunk by chunk, each signature upon the one before.
void check_chunked_row(const json::value& row) {
    check_s3_row(row);
    const auto name = text(row.at("name"));
    const sigv4::identity who{text(row.at("access_key_id")), secret(text(row.at("secret_access_key"))), {}};
    sigv4::chunk_signer signer(who, text(row.at("region")), text(row.at("service")), text(row.at("amz_date")),
                               text(row.at("signature")));
    for (const auto& chunk : row.at("chunks").as_array()) {
        const auto bytes = filled(chunk);
        const payload body{as_bytes(bytes)};
        compare(signer.chunk(body), chunk, name);
    }
    if (!row.as_object().contains("trailer")) return;
    const auto& trailer = row.at("trailer");
    compare(signer.trailer(headers_of(trailer.at("headers"))), trailer, name);
}

void check_key_row(const json::value& row) {
    const sigv4::scope of{text(row.at("date")), text(row.at("region")), text(row.at("service"))};
    const auto key = sigv4::derive_key(secret(text(row.at("secret"))), of);
    BOOST_TEST(http::to_hex(key) == text(row.at("signing_key_hex")));
}

struct suite_case {
    explicit suite_case(const json::value& c)
        : name(text(c.at("name"))),
          request(c.at("request")),
          options(c.at("options")),
          method(text(request.at("method"))),
          path(text(request.at("path"))),
          query(text(request.at("query"))),
          rules(options.at("normalize_path").as_bool() ? sigv4::path_rules::generic
                                                       : sigv4::path_rules::generic_unnormalized) {}
    std::string name;
    const json::value& request;
    const json::value& options;
    std::string method, path, query;
    sigv4::path_rules rules;
};

/// Both forms of one case of AWS's suite; returns how many signings were compared.
int check_suite_case(const json::value& c, bool s3) {
    suite_case one(c);
    const auto& given = c.at("credentials");
    const bool omit_token = one.options.at("omit_session_token").as_bool();
    const auto token = given.at("session_token").is_null() ? "" : text(given.at("session_token"));
    const sigv4::identity who{text(given.at("access_key_id")), secret(text(given.at("secret_access_key"))),
                              secret(omit_token ? "" : token)};
    const auto stamp = text(c.at("amz_date"));
    const auto hash = text(one.options.at("payload_hash"));
    const auto region = text(c.at("region"));
    const auto service = text(c.at("service"));
    const auto wire_path = s3 ? http::encode_path(one.path) : one.path;
    const auto rules = s3 ? sigv4::path_rules::s3 : one.rules;
    sigv4::key_cache keys;

    auto headers = headers_of(one.request.at("headers"));
    {
        const sigv4::subject what{one.method, wire_path, one.query, headers, hash};
        const std::chrono::seconds expires(c.at("expires").to_number<int>());
        compare(presign(what, who, region, service, stamp, expires, rules, keys), c.at("query"),
                one.name + " (query)");
    }
    headers.emplace_back("X-Amz-Date", stamp);
    if (one.options.at("sign_body").as_bool()) headers.emplace_back("x-amz-content-sha256", hash);
    if (!who.session_token.empty()) headers.emplace_back("X-Amz-Security-Token", who.session_token.reveal());
    const sigv4::subject what{one.method, wire_path, one.query, headers, hash};
    compare(sign_headers(what, who, region, service, stamp, rules, keys), c.at("header"),
            one.name + " (header)");
    return 2;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sigv4_signing)

BOOST_AUTO_TEST_CASE(the_examples_of_the_documentation) {
    const auto all = vectors::golden("aws_documented_signatures.json");
    for (const auto& row : all.at("requests").as_array()) check_s3_row(row);
    for (const auto& row : all.at("keys").as_array()) check_key_row(row);
    BOOST_TEST(all.at("requests").as_array().size() == 7U);
}

BOOST_AUTO_TEST_CASE(the_suite_of_aws) {
    if (!vectors::have("sigv4-suite.json")) return;
    const auto all = vectors::load(vectors::folder() / "sigv4-suite.json");
    int compared = 0;
    for (const auto& c : all.at("cases").as_array()) compared += check_suite_case(c, false);
    for (const auto& c : all.at("extra").as_array()) {
        suite_case one(c);
        const auto headers = headers_of(one.request.at("headers"));
        const sigv4::identity nobody;
        sigv4::key_cache keys;
        sigv4::subject what{one.method, one.path, one.query, headers, sigv4::empty_payload_hash};
        const auto ours =
            sign_headers(what, nobody, "us-east-1", "lambda", "20210511T154045Z", one.rules, keys);
        BOOST_TEST(ours.canonical_request == text(c.at("canonical_request")), one.name);
        const auto as_s3 =
            sign_headers(what, nobody, "us-east-1", "s3", "20210511T154045Z", sigv4::path_rules::s3, keys);
        BOOST_TEST(as_s3.canonical_request.find(text(c.at("canonical_path_if_s3")) + "\n") !=
                   std::string::npos);
        ++compared;
    }
    BOOST_TEST(compared == 77);
}

BOOST_AUTO_TEST_CASE(the_suite_of_aws_by_the_rules_of_s3) {
    if (!vectors::have("sigv4-suite.json")) return;
    const auto all = vectors::load(vectors::folder() / "sigv4-suite.json");
    int normalized = 0;
    for (const auto& c : all.at("cases").as_array()) {
        if (c.at("s3").at("usable_with_s3_path_rules").as_bool()) {
            check_suite_case(c, true);
            continue;
        }
        ++normalized;  // here S3 must differ: it takes the path as it is
        suite_case one(c);
        const auto headers = headers_of(one.request.at("headers"));
        const sigv4::identity nobody;
        sigv4::key_cache keys;
        const sigv4::subject what{one.method, one.path, one.query, headers, sigv4::empty_payload_hash};
        const auto ours =
            sign_headers(what, nobody, "us-east-1", "s3", "20150830T123600Z", sigv4::path_rules::s3, keys);
        BOOST_TEST(ours.canonical_request.starts_with(one.method + "\n" + one.path + "\n"), one.name);
    }
    BOOST_TEST(normalized == 6);
}

BOOST_AUTO_TEST_CASE(published_examples_of_s3) {
    if (!vectors::have("s3-vectors.json")) return;
    const auto all = vectors::load(vectors::folder() / "s3-vectors.json");
    for (const auto& row : all.at("vectors").as_array()) {
        const bool chunked = text(row.at("kind")) == "chunked";
        chunked ? check_chunked_row(row) : check_s3_row(row);
    }
    BOOST_TEST(all.at("vectors").as_array().size() == 9U);
    for (const auto& row : all.at("key_derivation").as_array()) check_key_row(row);
    for (const auto& row : all.at("encoding").as_array())
        BOOST_TEST(http::encode_query(text(row.at("raw"))) == text(row.at("canonical_query_value")));
}

BOOST_AUTO_TEST_CASE(a_body_chunk_by_chunk) {
    // The documented example: 66,560 times "a" in chunks of 64 KiB.
    const sigv4::identity who{"AKIAIOSFODNN7EXAMPLE", secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), {}};
    sigv4::chunk_signer signer(who, "us-east-1", "s3", "20130524T000000Z",
                               "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    const std::string first(65536, 'a');
    const std::string second(1024, 'a');
    const payload one{as_bytes(first)};
    const payload two{as_bytes(second)};
    const payload end;
    BOOST_TEST(sigv4::chunk_head(first.size(), signer.chunk(one)) ==
               "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n");
    BOOST_TEST(sigv4::chunk_head(second.size(), signer.chunk(two)) ==
               "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n");
    BOOST_TEST(sigv4::chunk_head(0, signer.chunk(end)) ==
               "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n");
}

BOOST_AUTO_TEST_CASE(the_stamp_is_utc_to_the_second) {
    using namespace std::chrono;
    const auto midnight = sys_days(2024y / February / 29);
    BOOST_TEST(sigv4::format_stamp(midnight) == "20240229T000000Z");
    BOOST_TEST(sigv4::format_stamp(midnight - milliseconds(1)) == "20240228T235959Z");
    BOOST_TEST(sigv4::format_stamp(midnight + hours(13) + minutes(5) + seconds(9) + milliseconds(999)) ==
               "20240229T130509Z");
}

BOOST_AUTO_TEST_CASE(a_cached_key_is_not_used_for_another_day_or_region) {
    const secret key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    sigv4::key_cache warm;
    const auto with = [&](sigv4::key_cache& keys, const char* date, const char* region) {
        return http::to_hex(keys.get(key, {date, region, "s3"})("text"));
    };
    for (const auto* date : {"20240101", "20240102"})
        for (const auto* region : {"us-east-1", "eu-west-1"}) {
            sigv4::key_cache cold;
            BOOST_TEST(with(warm, date, region) == with(cold, date, region));
        }
}

BOOST_AUTO_TEST_SUITE_END()
