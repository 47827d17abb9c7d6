#include "examples/firehose/bench_options.hpp"
#include "examples/firehose/credentials_api.hpp"
#include "examples/firehose/flows_api.hpp"
#include "stages/spool_view.hpp"
#include "tests/support/shard_fixture.hpp"
#include "tests/unit/examples/configured.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>

namespace {

using namespace firehose;
using namespace firehose::app;

constexpr const char* key_one = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
constexpr const char* key_two = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const std::string flow_id = "5fd4371e940df5a34a3888b2";
const std::string credential_id = "507f1f77bcf86cd799439011";
const std::string file_credential = "507f1f77bcf86cd799439aaa";

/// The server's documents without the server: every request is answered at once.
struct live_fixture : shard_fixture {
    configured files;
    storage::registry stores = storage::default_registry();
    storage::system_files disk;
    loaded configuration_now;
    std::unique_ptr<stages::event_log> log;
    std::unique_ptr<live_configuration> live;
    std::unique_ptr<stages::workbench> bench;

    live_fixture() { files.write("key", std::string(key_one) + "\n"); }
    ~live_fixture() { close(); }

    static std::string text(const std::string& more = "",
                            const std::string& keys = R"("credentials_key":{"file":"key"})") {
        return R"({"default":{"enabled":true,"services":{"local":{"type":"directory","enabled":true,"bucket":"out"}}},
            "credentials":{"507f1f77bcf86cd799439aaa":{"username":"AKFILE","password":"canary of the file",
                           "type":"user","endpoint":"http://127.0.0.1:9"}},)" +
               more + R"("server":{"development":true)" + (keys.empty() ? "" : "," + keys) + "}}";
    }
    /// Why it did not open; empty when it did.
    std::string open(const std::string& config = text()) {
        close();
        configuration_now = files.load(config);
        BOOST_REQUIRE_MESSAGE(configuration_now.faults.empty(), pointers_of(configuration_now.faults));
        const auto& how = configuration_now.what;
        auto opened = run(stages::event_log::open(x, disk, how.data_dir, {}));
        log = std::move(opened.value());
        auto made = run(live_configuration::open(x, {disk, stores, *log}, how));
        if (made.has_error()) return made.error().context();
        live = std::move(*made);
        auto options = bench_options(how, stores);
        options.credentials = live->credentials();
        auto opened_bench = run(stages::workbench::open(x, std::move(options)));
        bench = std::move(*opened_bench);
        live->attach(*bench, nullptr);
        return {};
    }
    void close() {
        bench.reset();
        live.reset();
        log.reset();
    }
    http::response ask(bool flows, const std::string& method, const std::string& id,
                       const std::string& body = "", std::optional<std::string> if_match = {},
                       std::optional<std::string> if_none = {}) {
        admin_request r;
        r.method = method;
        r.id = id;
        r.body = body;
        r.if_match = std::move(if_match);
        r.if_none_match = std::move(if_none);
        r.user = "tester";
        flows_api f(*live, x.log);
        credentials_api c(*live, x);
        auto answered = run(flows ? f.answer(std::move(r)) : c.answer(std::move(r)));
        if (const auto* no = std::get_if<http::refusal>(&answered))
            return http::json_response(no->status, no->text);
        return std::get<http::response>(answered);
    }
    template <class... More> http::response flow(More... more) { return ask(true, more...); }
    template <class... More> http::response credential(More... more) { return ask(false, more...); }

    static std::string flow_to(const std::string& bucket, const std::string& credential) {
        return R"({"name":"Sales","firehose":{"enabled":true,"services":{"aws":{"enabled":true,"credential_id":")" +
               credential + R"(","bucket":")" + bucket + R"("}}}})";
    }
    static std::string keys(const std::string& secret) {
        return R"({"type":"user","name":"mine","username":"AKAPI","password":")" + secret +
               R"(","endpoint":"http://127.0.0.1:9"})";
    }
    std::string bucket_now(const std::string& id) {
        const auto targets = live->route(id, log->last_stamp() + 1000);
        return targets && !targets->empty() ? targets->front().to.bucket : "none";
    }
    /// Whether any file below the data directory holds it.
    bool on_disk(const std::string& what) const {
        for (const auto& entry :
             std::filesystem::recursive_directory_iterator(configuration_now.what.data_dir))
            if (entry.is_regular_file() && contract::read_file(entry.path()).find(what) != std::string::npos)
                return true;
        return false;
    }
};

bool has(const http::response& r, std::string_view text) { return r.body.find(text) != std::string::npos; }
std::string etag(const http::response& r) {
    const auto* found = http::find_header(r.headers, "ETag");
    return found ? *found : "";
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(live_configuration_of_a_server, live_fixture)

BOOST_AUTO_TEST_CASE(flows_are_saved_shown_replaced_and_deleted) {
    BOOST_REQUIRE_EQUAL(open(), "");
    BOOST_TEST(flow("GET", flow_id).status == 404);
    BOOST_TEST(flow("GET", "").body == "[]");
    const auto made = flow("PUT", flow_id, flow_to("one-bucket", file_credential));
    BOOST_TEST(made.status == 201);
    BOOST_TEST(has(made, R"("origin":"api")"));
    BOOST_TEST(bucket_now(flow_id) == "one-bucket");
    const auto shown = flow("GET", flow_id);
    BOOST_TEST(shown.status == 200);
    BOOST_TEST(shown.body == made.body);
    BOOST_TEST(etag(shown) == etag(made));
    const auto other = flow("PUT", flow_id, flow_to("two-bucket", file_credential), etag(made));
    BOOST_TEST(other.status == 200);
    BOOST_TEST(flow("PUT", flow_id, flow_to("three-bucket", file_credential), etag(made)).status == 412);
    BOOST_TEST(flow("PUT", flow_id, flow_to("three-bucket", file_credential), std::nullopt, "*").status ==
               412);
    BOOST_TEST(flow("DELETE", flow_id, "", "\"no\"").status == 412);
    BOOST_REQUIRE_EQUAL(open(), "");
    BOOST_TEST(bucket_now(flow_id) == "two-bucket");
    BOOST_TEST(flow("GET", flow_id).body == other.body);
    const auto gone = flow("DELETE", flow_id, "", etag(other));
    BOOST_TEST(gone.status == 200);
    BOOST_TEST(gone.body == other.body);
    BOOST_TEST(flow("DELETE", flow_id).status == 404);
    BOOST_TEST(bucket_now(flow_id) == "out");
}

BOOST_AUTO_TEST_CASE(every_fault_of_a_flow_is_named_with_its_place) {
    BOOST_REQUIRE_EQUAL(open(), "");
    const auto no = flow("PUT", flow_id,
                         R"({"nam":"x","id":"other","firehose":{"enabled":1,"services":{
            "aws":{"enabled":true,"bucket":"UPPER","credential_id":"507f1f77bcf86cd799439aaa"},
            "azure":{"bucket":7},
            "local":{"enabled":true,"type":"directory","bucket":"data/spool"}}}})");
    BOOST_TEST(no.status == 422);
    for (const auto* place :
         {R"("pointer":"/nam")", R"("pointer":"/id")", R"("pointer":"/firehose/enabled")",
          R"("pointer":"/firehose/services/aws")", R"("pointer":"/firehose/services/azure/enabled")",
          R"("pointer":"/firehose/services/azure/bucket")", R"("pointer":"/firehose/services/local")"})
        BOOST_TEST(has(no, place), place << " is not in " << no.body);
    BOOST_TEST(has(flow("PUT", flow_id, flow_to("bucket", credential_id)), "does not exist"));
    BOOST_TEST(has(flow("PUT", flow_id, "{}"), R"("pointer":"/firehose")"));
    BOOST_TEST(flow("PUT", flow_id, "{").status == 400);
    BOOST_TEST(flow("PUT", flow_id, "[]").status == 400);
    BOOST_TEST(flow("PUT", "a.b", flow_to("bucket", file_credential)).status == 400);
    BOOST_TEST(flow("GET", "").body == "[]");
}

BOOST_AUTO_TEST_CASE(what_the_api_saved_wins_over_the_file_until_it_is_deleted) {
    const auto config = text(R"("flows":{"5fd4371e940df5a34a3888b2":{"name":"of the file","firehose":
        {"enabled":true,"services":{"local":{"type":"directory","enabled":true,"bucket":"mine"}}}}},)");
    BOOST_REQUIRE_EQUAL(open(config), "");
    BOOST_TEST(has(flow("GET", flow_id), R"("origin":"configuration")"));
    BOOST_TEST(has(flow("GET", ""), "of the file"));
    BOOST_TEST(flow("DELETE", flow_id).status == 409);
    BOOST_TEST(bucket_now(flow_id) == "mine");
    BOOST_TEST(flow("PUT", flow_id, flow_to("saved", file_credential)).status == 200);
    BOOST_TEST(bucket_now(flow_id) == "saved");
    BOOST_REQUIRE_EQUAL(open(config), "");
    BOOST_TEST(bucket_now(flow_id) == "saved");
    BOOST_TEST(flow("DELETE", flow_id).status == 200);
    BOOST_TEST(bucket_now(flow_id) == "mine");

    BOOST_TEST(credential("DELETE", file_credential).status == 409);
    BOOST_TEST(credential("PUT", file_credential, keys("canary of the api")).status == 200);
    BOOST_TEST(bench->known_credentials().at(file_credential).username == "AKAPI");
    const auto gone = credential("DELETE", file_credential);
    BOOST_TEST(has(gone, "in force again"));
    BOOST_TEST(bench->known_credentials().at(file_credential).username == "AKFILE");
}

BOOST_AUTO_TEST_CASE(secrets_go_in_and_never_come_out) {
    BOOST_REQUIRE_EQUAL(open(), "");
    const auto made = credential("PUT", credential_id, keys("canary-secret"));
    BOOST_TEST(made.status == 201);
    BOOST_TEST(has(made, R"("username":"AKAPI")"));
    BOOST_TEST(has(made, R"("secrets":["password"])"));
    BOOST_TEST(has(made, R"("created_at":")"));
    BOOST_TEST(flow("PUT", flow_id, flow_to("one-bucket", credential_id)).status == 201);
    for (const auto& answer : {made, credential("GET", credential_id), credential("GET", ""),
                               credential("GET", file_credential), flow("GET", "")})
        BOOST_TEST(!has(answer, "canary"), answer.body);
    BOOST_TEST(!on_disk("canary"));
    BOOST_REQUIRE_EQUAL(open(), "");
    BOOST_TEST(bench->known_credentials().at(credential_id).password.reveal() == "canary-secret");
    BOOST_TEST(credential("GET", credential_id).body == made.body);
    advance(std::chrono::seconds(5));
    const auto other = credential("PUT", credential_id, keys("canary-other"), etag(made));
    BOOST_TEST(other.status == 200);
    BOOST_TEST(bench->known_credentials().at(credential_id).password.reveal() == "canary-other");
    BOOST_TEST(credential("PUT", credential_id, keys("canary-third"), etag(made)).status == 412);
    const auto gone = credential("DELETE", credential_id);
    BOOST_TEST(has(gone, R"("flows":["5fd4371e940df5a34a3888b2"])"));
    BOOST_TEST(has(gone, "nothing is lost"));
    BOOST_TEST(!has(gone, "canary"));
    BOOST_TEST(!bench->known_credentials().contains(credential_id));
    const auto lane = bench->delivery()->lane_of(live->route(flow_id, 1000)->front().to);
    BOOST_TEST(lane->unusable->context().find("credential " + credential_id + " does not exist") !=
               std::string::npos);
    BOOST_TEST((lane->unusable->what() == disposition::stop));
    BOOST_TEST(credential("PUT", credential_id, keys("canary-again")).status == 201);
    BOOST_TEST(!lane->unusable);
    BOOST_TEST(!on_disk("canary"));
    for (const auto& line : log_lines) BOOST_TEST(line.find("canary") == std::string::npos, line);
}

BOOST_AUTO_TEST_CASE(credentials_bring_their_secrets_and_all_that_they_need) {
    BOOST_REQUIRE_EQUAL(open(), "");
    const auto fault_of = [&](const std::string& body) {
        const auto no = credential("PUT", credential_id, body);
        BOOST_TEST(no.status == 422, no.body);
        BOOST_TEST(!has(no, "canary"));
        return no.body;
    };
    BOOST_TEST(
        fault_of(R"({"type":"user","username":"a","password":{"file":"/etc/passwd"}})").find("/password") !=
        std::string::npos);
    BOOST_TEST(
        fault_of(R"({"type":"user","username":{"env":"HOME"},"password":"canary"})").find("/username") !=
        std::string::npos);
    BOOST_TEST(fault_of(R"({"type":"user","provider":"instance"})").find("/provider") != std::string::npos);
    BOOST_TEST(fault_of(R"({"type":"user","provider":"web_identity","role_arn":"r",
                            "web_identity_token_file":"/etc/passwd"})")
                   .find("/web_identity_token_file") != std::string::npos);
    const auto both = fault_of(R"({"type":"user"})");
    BOOST_TEST(both.find("/username") != std::string::npos);
    BOOST_TEST(both.find("/password") != std::string::npos);
    BOOST_TEST(fault_of(R"({"type":"other","token":"canary"})").find("/type") != std::string::npos);
    BOOST_TEST(fault_of(R"({"type":"user","username":"a","pasword":"canary"})").find("/pasword") !=
               std::string::npos);
    fault_of(R"({"type":"token","token":"AccountName=x;AccountKey=canary"})");
    BOOST_TEST(fault_of(R"({"id":"other","type":"user","username":"a","password":"canary"})").find("/id") !=
               std::string::npos);
    BOOST_TEST(credential("PUT", "short", keys("canary")).status == 400);
    BOOST_TEST(credential("PUT", credential_id, "no json").status == 400);
    BOOST_TEST(
        credential(
            "PUT", credential_id,
            R"({"connection_string":"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=Y2FuYXJ5;EndpointSuffix=core.windows.net"})")
            .status == 201);
    BOOST_TEST(bench->known_credentials().at(credential_id).type == "token");
}

BOOST_AUTO_TEST_CASE(a_key_that_is_missing_wrong_or_rotated) {
    BOOST_REQUIRE_EQUAL(open(text("", "")), "");
    const auto no = credential("PUT", credential_id, keys("canary"));
    BOOST_TEST(no.status == 409);
    BOOST_TEST(has(no, "server.credentials_key"));
    BOOST_REQUIRE_EQUAL(open(), "");
    BOOST_TEST(credential("PUT", credential_id, keys("canary")).status == 201);
    auto why = open(text("", ""));
    BOOST_TEST(why.find("credential " + credential_id + " is sealed with the key ") == 0u, why);
    BOOST_TEST(why.find("server.credentials_key") != std::string::npos);
    files.write("key2", key_two);
    why = open(text("", R"("credentials_key":{"file":"key2"})"));
    BOOST_TEST(why.find("which is not configured (the current key is ") != std::string::npos, why);
    BOOST_REQUIRE_EQUAL(
        open(text("", R"("credentials_key":{"file":"key2"},"previous_credentials_keys":[{"file":"key"}])")),
        "");
    BOOST_TEST(bench->known_credentials().at(credential_id).password.reveal() == "canary");
    // Sealed anew: the old key is not needed any more, and of no use.
    BOOST_REQUIRE_EQUAL(open(text("", R"("credentials_key":{"file":"key2"})")), "");
    BOOST_TEST(bench->known_credentials().at(credential_id).password.reveal() == "canary");
    BOOST_TEST(open() != "");
    BOOST_TEST(!on_disk("canary"));
}

BOOST_AUTO_TEST_CASE(a_damaged_credential_is_missed_and_nothing_else) {
    BOOST_REQUIRE_EQUAL(open(), "");
    BOOST_TEST(credential("PUT", credential_id, keys("canary")).status == 201);
    const auto file = configuration_now.what.data_dir / "credentials" / credential_id;
    contract::write_file(file, contract::read_file(file) + " ");
    BOOST_REQUIRE_EQUAL(open(), "");
    BOOST_TEST(!bench->known_credentials().contains(credential_id));
    BOOST_TEST(bench->known_credentials().contains(file_credential));
    BOOST_TEST(credential("PUT", credential_id, keys("canary")).status == 201);
    BOOST_REQUIRE_EQUAL(open(), "");
    BOOST_TEST(bench->known_credentials().contains(credential_id));
}

BOOST_AUTO_TEST_CASE(a_reloaded_file_changes_flows_and_credentials_for_what_comes_after) {
    BOOST_REQUIRE_EQUAL(open(), "");
    const auto before = log->end();
    BOOST_TEST(bucket_now("any") == "out");
    auto changed = text();
    changed.replace(changed.find("\"out\""), 5, "\"elsewhere\"");
    changed.replace(changed.find("AKFILE"), 6, "AKNEWER");
    const auto fresh = files.load(changed);
    BOOST_REQUIRE(fresh.faults.empty());
    const auto done = run(live->reload(fresh.what));
    BOOST_TEST(done.has_value());
    BOOST_TEST(bucket_now("any") == "elsewhere");
    BOOST_TEST(live->route("any", 0)->front().to.bucket == "out");
    BOOST_TEST(bench->known_credentials().at(file_credential).username == "AKNEWER");
    BOOST_TEST(log->end() == before);
}

BOOST_AUTO_TEST_SUITE_END()
