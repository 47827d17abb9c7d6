#include "examples/firehose/access.hpp"

#include "examples/firehose/config_reader.hpp"
#include "pipeline/bytes.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace firehose;
using namespace firehose::app;

namespace {

struct door {
    seeded_randomness random{1};
    std::vector<token_entry> tokens{};
    bool everyone = false;

    door() {
        add("writer", "secret-of-the-writer", {.ingest = true});
        add("reader", "secret-of-the-reader", {.read = true});
    }
    void add(std::string name, std::string_view token, role_set roles) {
        tokens.push_back({std::move(name), http::sha256(token), roles});
    }
    /// 0: let in.
    int knock(http::header_list headers, const char* access = needs_ingest) {
        access_table table(tokens, everyone, random);
        http::request_head head;
        head.headers = std::move(headers);
        http::route to;
        to.access = access;
        const auto why = table.check(head, to);
        user = head.user;
        return why ? why->status : 0;
    }
    std::string user{};
};

http::header_list with(std::string value) { return {{"Authorization", std::move(value)}}; }

std::string basic(std::string_view pair) { return "Basic " + http::to_base64(as_bytes(pair)); }

std::vector<fault> faults_of(std::string_view text) {
    const auto document = boost::json::parse(text);
    std::vector<fault> faults;
    read_server(object_reader(document.get_object(), "/server", faults), "/etc/firehose");
    return faults;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(access_by_token)

BOOST_AUTO_TEST_CASE(bearer_and_basic_name_the_same_token) {
    door d;
    BOOST_TEST(d.knock(with("Bearer secret-of-the-writer")) == 0);
    BOOST_TEST(d.user == "writer");
    BOOST_TEST(d.knock(with("bearer secret-of-the-writer")) == 0);
    BOOST_TEST(d.knock(with(basic("anybody:secret-of-the-writer"))) == 0);
    BOOST_TEST(d.knock(with(basic(":secret-of-the-writer"))) == 0);
}

BOOST_AUTO_TEST_CASE(everything_else_is_401) {
    door d;
    for (const std::string& wrong :
         {std::string("Bearer secret-of-the-write"), std::string("Bearer secret-of-the-writer "),
          std::string("Bearer  secret-of-the-writer"), std::string("Bearer"), std::string("Bearer "),
          std::string("Token secret-of-the-writer"), std::string("secret-of-the-writer"),
          std::string("Basic !"), basic("secret-of-the-writer"), basic("secret-of-the-writer:"),
          std::string()})
        BOOST_TEST(d.knock(with(wrong)) == 401, wrong);
    BOOST_TEST(d.knock({}) == 401);
    BOOST_TEST(d.knock({{"Authorization", "Bearer secret-of-the-writer"},
                        {"Authorization", "Bearer secret-of-the-writer"}}) == 401);
    BOOST_TEST(d.user.empty());
    d.tokens.clear();
    BOOST_TEST(d.knock(with("Bearer ")) == 401);
}

BOOST_AUTO_TEST_CASE(an_empty_token_is_none_even_if_its_hash_is_configured) {
    door d;
    d.add("nobody", "", {.ingest = true});
    BOOST_TEST(d.knock({}) == 401);
}

BOOST_AUTO_TEST_CASE(roles_do_not_include_one_another) {
    door d;
    BOOST_TEST(d.knock(with("Bearer secret-of-the-reader"), needs_read) == 0);
    BOOST_TEST(d.knock(with("Bearer secret-of-the-reader"), needs_ingest) == 403);
    BOOST_TEST(d.knock(with("Bearer secret-of-the-writer"), needs_read) == 403);
    BOOST_TEST(d.knock(with("Bearer secret-of-the-writer"), needs_admin) == 403);
    BOOST_TEST(d.knock({}, open_to_all) == 0);
}

BOOST_AUTO_TEST_CASE(only_the_root_user_reads_streams) {
    door d;
    d.add("clerk", "secret-of-the-clerk", {.read = true, .root = false});
    BOOST_TEST(d.knock(with("Bearer secret-of-the-reader"), needs_root) == 0);
    BOOST_TEST(d.knock(with("Bearer secret-of-the-clerk"), needs_root) == 403);
    BOOST_TEST(d.knock(with("Bearer secret-of-the-writer"), needs_root) == 403);
    BOOST_TEST(d.knock(with("Bearer secret-of-the-clerk"), needs_read) == 0);
    BOOST_TEST(d.knock(with("Bearer secret-of-the-writer"), needs_token) == 0);
    BOOST_TEST(d.knock({}, needs_token) == 401);
}

BOOST_AUTO_TEST_CASE(development_lets_everyone_in_and_still_knows_names) {
    door d;
    d.everyone = true;
    BOOST_TEST(d.knock({}) == 0);
    BOOST_TEST(d.knock(with("Bearer secret-of-the-reader")) == 0);
    BOOST_TEST(d.user == "reader");
}

BOOST_AUTO_TEST_CASE(the_server_section_names_every_fault) {
    const auto faults = faults_of(R"({"listen": 80, "tls": {"certificate": "c"}, "development": 1,
        "public_url": "events", "tokens": {"a": {"sha256": "12", "roles": ["root"], "root": 1}}, "limit": {}, "limits": {"headers": 0}})");
    std::string all;
    for (const auto& f : faults) all += f.pointer + " " + f.message + "\n";
    for (const char* place : {"/server/listen", "/server/tls/key", "/server/development",
                              "/server/tokens/a/sha256", "/server/tokens/a/roles", "/server/tokens/a/root",
                              "/server/public_url", "/server/limit", "/server/limits/headers"})
        BOOST_TEST(all.find(std::string(place) + " ") != std::string::npos,
                   place << " is missing in " << all);
    BOOST_TEST(faults_of(R"({"listen": "127.0.0.1:0"})").size() == 1U);  // no tokens
    BOOST_TEST(faults_of(R"({"development": true})").empty());
}

BOOST_AUTO_TEST_CASE(the_check_section_names_every_fault) {
    const auto faults =
        faults_of(R"({"development": true, "check": {"development": "yes", "ports": [], "networks": 1,
        "s3_endpoint": "https://10.0.0.1", "s3_region": "EU", "ca_file": 1, "azure_prefix": 1, "at_once": 0,
        "deadline_ms": 0, "deadline": 1}})");
    for (const char* place : {"development", "ports", "networks", "s3_endpoint", "s3_region", "ca_file",
                              "azure_prefix", "at_once", "deadline_ms", "deadline"})
        BOOST_TEST(std::ranges::count(faults, std::string("/server/check/") + place, &fault::pointer) == 1,
                   place);
    BOOST_TEST(faults.size() == 10U);

    const auto document = boost::json::parse(R"({"development": true, "check": {"development": true,
        "s3_endpoint": "http://127.0.0.1:9000", "s3_region": "eu-west-1", "ca_file": "ca.pem", "azure_prefix": true,
        "at_once": 3, "deadline_ms": 5}})");
    std::vector<fault> none;
    const auto read =
        read_server(object_reader(document.get_object(), "/server", none), "/etc/firehose").check;
    BOOST_TEST(none.empty());
    BOOST_TEST(read.guard.development);
    BOOST_TEST(read.s3_endpoint == "http://127.0.0.1:9000");
    BOOST_TEST(read.s3_region == "eu-west-1");
    BOOST_TEST(read.ca_file == "/etc/firehose/ca.pem");
    BOOST_TEST(read.azure_prefix);
    BOOST_TEST(read.at_once == 3U);
    BOOST_TEST((read.deadline == std::chrono::milliseconds(5)));
}

BOOST_AUTO_TEST_SUITE_END()
