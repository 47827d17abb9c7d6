// GET and POST /firehose over fake clouds: what is asked for, what is written, and every way to be refused.
#include "examples/firehose/access.hpp"
#include "examples/firehose/check_answer.hpp"
#include "examples/firehose/check_api.hpp"
#include "pipeline/bytes.hpp"
#include "storage/azure_store.hpp"
#include "storage/s3_store.hpp"
#include "tests/fakes/fake_azure.hpp"
#include "tests/fakes/fake_s3.hpp"
#include "tests/support/shard_fixture.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace firehose;
using namespace firehose::app;
using namespace std::chrono_literals;

namespace {

class text_body final : public http::body_reader {
public:
    explicit text_body(std::string text) : text_(std::move(text)) {}
    task<result<bytes_view>> next() override {
        const auto piece = std::exchange(given_, true) ? bytes_view() : as_bytes(text_);
        co_return piece;
    }

private:
    std::string text_;
    bool given_ = false;
};

struct shown {
    int status = 0;
    std::string body{};
    http::header_list headers{};
};

std::string encoded(const check_fields& fields) {
    std::string out;
    for (const auto& [name, value] : fields)
        out.append(out.empty() ? "" : "&").append(name).append("=").append(http::encode_query(value));
    return out;
}

struct bench : shard_fixture {
    fakes::fake_s3 s3{x};
    fakes::fake_azure azure{x};
    storage::registry stores{};
    check_settings how{};
    check_api::admission admit = [](std::string_view) { return std::nullopt; };

    bench() {
        http::backoff once;
        once.attempts = 1;
        stores.add("s3", s3.kind(storage::s3_kind({.retries = once})));
        stores.add("azure", azure.kind(storage::azure_kind({.retries = once})));
        s3.make_bucket("events");
        s3.make_bucket("far-away", "eu-west-1");
        s3.make_bucket("with.dots");
        azure.make_container("events");
    }

    check_fields aws() {
        const auto with = s3.credential();
        return {{"access_key_id", with.username},
                {"secret_access_key", with.password.reveal()},
                {"bucket", "events"}};
    }
    check_fields of_azure() {
        return {{"service", "azure"},
                {"connection_string", azure.credential().token.reveal()},
                {"bucket", "events"}};
    }

    shown ask(const std::string& method, const std::string& query, const std::string& body = {},
              const http::header_list& headers = {{"Accept", "*/*"}, {"Content-Type", "application/json"}}) {
        check_api api(x, how, {}, stores, admit);
        http::router routes;
        api.add_to(routes);
        return run(ask_one(routes, method, query, body, headers));
    }
    shown get(const check_fields& fields) { return ask("GET", encoded(fields)); }
    shown post(const check_fields& fields) {
        boost::json::object members;
        for (const auto& [name, value] : fields) members[name] = value;
        return ask("POST", {}, boost::json::serialize(members));
    }
    static task<shown> ask_one(http::router& routes, std::string method, std::string query, std::string text,
                               http::header_list headers) {
        http::request_head head;
        head.method = method;
        head.path = "/firehose";
        head.query = std::move(query);
        head.headers = std::move(headers);
        head.user = "admin";
        text_body body(std::move(text));
        auto found = routes.find(method, head.path);
        shown out;
        if (found.found == nullptr) {
            out.status = found.why->status;
            co_return out;
        }
        BOOST_TEST(found.found->access == std::string(needs_admin));
        auto made = co_await found.found->run(head, body);
        BOOST_TEST(head.query == "");
        auto answer = std::holds_alternative<http::response>(made)
                          ? std::get<http::response>(made)
                          : http::plain_error(head, std::get<http::refusal>(made));
        out.status = answer.status;
        out.body = answer.body;
        out.headers = answer.headers;
        if (const auto* no = std::get_if<http::refusal>(&made)) out.headers = no->headers;
        co_return out;
    }
    static task<> note_status(http::router& routes, std::string query, std::vector<int>& into) {
        http::header_list accept;
        accept.emplace_back("Accept", "*/*");
        auto said = co_await ask_one(routes, "GET", std::move(query), std::string(), std::move(accept));
        into.push_back(said.status);
        const auto* later = http::find_header(said.headers, "Retry-After");
        BOOST_TEST((said.status == 503) == (later != nullptr));
    }
    /// Nothing that was asked with may be in what was said or logged.
    void expect_silence(const shown& said, const check_fields& asked) {
        for (const auto& [name, value] : asked) {
            if (value.size() < 6 || name == "service") continue;
            BOOST_TEST(said.body.find(value) == std::string::npos, name << ": " << said.body);
            for (const auto& line : log_lines)
                BOOST_TEST(line.find(value) == std::string::npos, name << ": " << line);
        }
    }
};

check_fields with(check_fields fields, const std::string& name, const std::string& value) {
    std::erase_if(fields, [&](const auto& f) { return f.first == name; });
    if (value != "-") fields.emplace_back(name, value);
    return fields;
}

constexpr const char* yes_written = R"({"validated":true,"verification_file":true})";
constexpr const char* yes_only = R"({"validated":true,"verification_file":false})";
constexpr const char* flow = "5fd4371e940df5a34a3888b2";

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(credential_check, bench)

BOOST_AUTO_TEST_CASE(a_file_is_written_under_the_documented_name) {
    time.advance(std::chrono::days(60) + 17h + 46min + 58s + 971ms);  // 2026 began with it
    const std::string stamp = "20260302174658971.txt";
    auto& objects = s3.bucket("events").objects;
    auto& blobs = azure.container("events").objects;

    const auto said = get(aws());
    BOOST_TEST(said.status == 200);
    BOOST_TEST(said.body == yes_written);
    const auto key = "leadconduit_verification_" + stamp;
    BOOST_REQUIRE(objects.count(key) == 1U);
    BOOST_TEST(objects.find(key)->second.body == std::string(verification_text));
    BOOST_TEST(s3.calls["check"] == 0U);  // a put is all that events need

    auto more = with(with(aws(), "prefix", "/a//b/"), "flow_id", flow);
    BOOST_TEST(post(more).body == yes_written);
    BOOST_TEST(objects.count("a//b/leadconduit_verification_" + std::string(flow) + "_" + stamp) == 1U);

    more = with(with(of_azure(), "prefix", "not/used"), "flow_id", flow);
    BOOST_TEST(get(more).body == yes_written);
    BOOST_TEST(blobs.count("leadconduit_verification_" + std::string(flow) + "_" + stamp) == 1U);
    BOOST_TEST(azure.calls["check"] == 1U);
    how.azure_prefix = true;
    BOOST_TEST(post(more).body == yes_written);
    BOOST_TEST(blobs.count("not/used/leadconduit_verification_" + std::string(flow) + "_" + stamp) == 1U);
}

BOOST_AUTO_TEST_CASE(without_a_file_nothing_is_written) {
    BOOST_TEST(get(with(aws(), "verification_file", "false")).body == yes_only);
    BOOST_TEST(get(with(of_azure(), "verification_file", "false")).body == yes_only);
    BOOST_TEST(ask("POST", {},
                   R"({"access_key_id":")" + s3.credential().username + R"(","bucket":"events",)" +
                       R"("verification_file":false,"secret_access_key":")" +
                       s3.credential().password.reveal() + "\"}")
                   .body == yes_only);
    BOOST_TEST(s3.calls["check"] == 2U);
    BOOST_TEST(azure.calls["check"] == 1U);
    BOOST_TEST(s3.bucket("events").objects.empty());
    BOOST_TEST(azure.container("events").objects.empty());
}

BOOST_AUTO_TEST_CASE(the_bucket_may_be_elsewhere_and_have_dots) {
    BOOST_TEST(get(with(aws(), "bucket", "far-away")).body == yes_written);
    BOOST_TEST(s3.bucket("far-away").objects.size() == 1U);
    BOOST_TEST(get(with(with(aws(), "bucket", "far-away"), "region", "eu-west-1")).body == yes_written);
    BOOST_TEST(get(with(aws(), "bucket", "with.dots")).body == yes_written);
    BOOST_TEST(get(with(aws(), "endpoint", s3.credential().endpoint)).body == yes_written);
    how.s3_endpoint = s3.credential().endpoint;
    BOOST_TEST(get(aws()).body == yes_written);
    BOOST_TEST(s3.seen.back().to.host == s3.seen[s3.seen.size() - 2].to.host);
}

BOOST_AUTO_TEST_CASE(keys_that_lost_their_plus_on_the_way_are_mended) {
    s3.users.begin()->second.secret_access_key = storage::secret("secret+with/plus+");
    azure.key_base64 = "AAAA++++/+8=";
    BOOST_TEST(ask("GET", "access_key_id=" + s3.credential().username +
                              "&secret_access_key=secret+with/plus+&bucket=events")
                   .body == yes_written);
    // The documented example: not escaped at all.
    BOOST_TEST(
        ask("GET", "service=azure&bucket=events&connection_string=" + azure.credential().token.reveal())
            .body == yes_written);
    fakes::azure_sas sas;
    const auto by_sas = azure.credential_by_sas(sas);
    BOOST_TEST(get(with(of_azure(), "connection_string", by_sas.token.reveal())).body == yes_written);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_a_request_is_said_in_a_sentence) {
    struct row {
        bool azure;
        const char* name;
        const char* value;  ///< "-": left out
        const char* sentence;
    };
    const std::string long_prefix(901, 'p');
    const std::vector<row> rows = {
        {false, "service", "gcp", R"(service must be \"aws\" or \"azure\")"},
        {false, "access_key_id", "-", "access_key_id is required"},
        {false, "access_key_id", "", "access_key_id is required"},
        {false, "access_key_id", "AKIA/EXAMPLE", "access_key_id must be an access key id"},
        {false, "access_key_id", "AKIA\r\nX: EXAMPLE", "access_key_id must be an access key id"},
        {false, "secret_access_key", "-", "secret_access_key is required"},
        {false, "bucket", "-", "{\"error\":\"bucket is required\"}"},
        {false, "bucket", "ab", "bucket must be"},
        {false, "bucket", "Upper-case", "bucket must be"},
        {false, "bucket", "../etc/passwd", "bucket must be"},
        {false, "bucket", "-begins", "bucket must be"},
        {false, "bucket", "127.0.0.1", "bucket must be"},
        {true, "bucket", "with.dots", "bucket must be a container's name"},
        {true, "bucket", "two--hyphens", "bucket must be a container's name"},
        {true, "connection_string", "-", "connection_string is required"},
        {true, "connection_string", "canary-is-no-pair", "has no '=' in part 1"},
        {true, "connection_string", "AccountName=acme", "neither AccountKey nor SharedAccessSignature"},
        {true, "connection_string", "AccountName=acme;AccountKey=%%%%%%%", "AccountKey"},
        {true, "connection_string", "UseDevelopmentStorage=true",
         "connection_string must lead to a public server by https at port 443"},
        {true, "connection_string",
         "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=https://metadata.internal:10000",
         "connection_string must lead to a public"},
        {true, "connection_string", "BlobEndpoint=http://acme.example;AccountName=a;AccountKey=AAAA",
         "connection_string must lead to a public"},
        {true, "connection_string", "BlobEndpoint=https://169.254.169.254;AccountName=a;AccountKey=AAAA",
         "connection_string must lead to a public"},
        {true, "connection_string", "BlobEndpoint=https://[::ffff:10.0.0.1]/a;AccountName=a;AccountKey=AAAA",
         "connection_string must lead to a public"},
        {true, "connection_string", "BlobEndpoint=https://2130706433;AccountName=a;AccountKey=AAAA",
         "connection_string must lead to a public"},
        {true, "connection_string", "BlobEndpoint=https://localhost.;AccountName=a;AccountKey=AAAA",
         "connection_string must lead to a public"},
        {true, "connection_string", "BlobEndpoint=https://store.example:22;AccountName=a;AccountKey=AAAA",
         "connection_string must lead to a public"},
        {true, "connection_string", "DefaultEndpointsProtocol=http;AccountName=acme;AccountKey=AAAA",
         "connection_string must lead to a public"},
        {true, "connection_string",
         "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=AAAA;EndpointSuffix=x@127.0.0.1",
         "EndpointSuffix that is no host name"},
        {true, "endpoint", "https://store.example", "endpoint is for aws only"},
        {false, "endpoint", "https://10.0.0.1", "endpoint must lead to a public server by https at port 443"},
        {false, "endpoint", "http://store.example", "endpoint must lead to a public"},
        {false, "endpoint", "https://user:password@store.example", "endpoint must be a URL"},
        {false, "endpoint", "https://store.example?x=https://y", "endpoint must be a URL"},
        {false, "endpoint", "file:///etc/passwd", "endpoint must be a URL"},
        {false, "region", "us-east-1.attacker.example/", "region may hold"},
        {false, "flow_id", "../../x", "flow_id must be 24 hexadecimal digits"},
        {false, "verification_file", "yes", R"(verification_file must be \"true\" or \"false\")"},
        {false, "prefix", long_prefix.c_str(), "prefix must not be longer than 900 bytes"},
        {true, "prefix", "line\nbreak", "prefix must not hold control characters"},
    };
    for (const auto& r : rows) {
        BOOST_TEST_CONTEXT(r.name << "=" << r.value) {
            const auto asked = with(r.azure ? of_azure() : aws(), r.name, r.value);
            for (const auto& said : {get(asked), post(asked)}) {
                BOOST_TEST(said.status == 400);
                BOOST_TEST(contains(said.body, r.sentence), said.body);
                expect_silence(said, asked);
            }
        }
    }
    BOOST_TEST(s3.calls.empty());
    BOOST_TEST(azure.calls.empty());

    BOOST_TEST(ask("GET", encoded(aws()) + "&bucket=other").body ==
               "{\"error\":\"bucket is given more than once\"}");
    BOOST_TEST(contains(ask("GET", encoded(aws()) + "&prefix=%zz").body, "malformed escape"));
    BOOST_TEST(ask("GET", encoded(aws()) + "&unknown=1&=&x").body == yes_written);
    for (const auto* body : {"", "[]", "canary", "{\"bucket\":", "\"x\"", "{} {}"})
        BOOST_TEST(ask("POST", {}, body).body == "{\"error\":\"the body must be one JSON object\"}", body);
    BOOST_TEST(ask("POST", {}, R"({"bucket":5})").body == "{\"error\":\"bucket must be a string\"}");
    BOOST_TEST(ask("POST", {}, std::string(70'000, ' ')).status == 413);
    BOOST_TEST(ask("POST", encoded(aws()), "{}").body == "{\"error\":\"access_key_id is required\"}");
    BOOST_TEST(ask("PUT", {}).status == 405);
    BOOST_TEST(ask("DELETE", {}).status == 405);
}

BOOST_AUTO_TEST_CASE(an_answer_in_json_must_be_wanted) {
    const std::string json_kind = "application/json";
    for (const auto* good : {"*/*", "application/json", "application/*", "text/html, application/json;q=0.5",
                             "APPLICATION/JSON; charset=utf-8"})
        BOOST_TEST(ask("GET", encoded(aws()), {}, {{"Accept", good}}).status == 200, good);
    for (const auto* bad :
         {"", "text/html", "application/json;q=0", "application/jsonp", "text/*", "*/* ; q = 0"})
        BOOST_TEST(ask("GET", encoded(aws()), {}, {{"Accept", bad}}).status == 403, bad);
    const auto said = ask("POST", {}, "{}", {{"Content-Type", json_kind}});
    BOOST_TEST(said.status == 403);
    BOOST_TEST(said.body == "{\"error\":\"misconfigured csrf: check Accept header is set properly\"}");
    BOOST_TEST(ask("POST", {}, "{}", {{"Accept", "*/*"}}).status == 415);
    BOOST_TEST(ask("POST", {}, "{}", {{"Accept", "*/*"}, {"Content-Type", "text/plain"}}).status == 415);
}

BOOST_AUTO_TEST_CASE(what_the_store_says_becomes_a_status_and_a_sentence) {
    struct row {
        bool azure;
        bool write;
        fakes::fault_effect what;
        int status;
        std::string words;
    };
    const auto says = [](int status, std::string code) {
        fakes::fault_effect f;
        f.status = status;
        f.code = std::move(code);
        f.message = "canary-of-the-server 10.9.8.7";
        return f;
    };
    fakes::fault_effect refuses, hangs, page;
    refuses.refuse = true;
    hangs.delay = 1h;
    page.status = 200;
    page.body = "<html>canary-of-the-server</html>";
    page.headers = {{"Content-Type", "text/html"}};
    const std::vector<row> rows = {
        {false, true, says(403, "InvalidAccessKeyId"), 422,
         "S3 answered 403 InvalidAccessKeyId: access key id (as given) is not known there"},
        {false, true, says(403, "SignatureDoesNotMatch"), 422,
         "the secret does not belong to access key id (as given)"},
        {false, true, says(403, "AccessDenied"), 422, "lacks s3:PutObject on bucket (as given)"},
        {false, true, says(404, "NoSuchBucket"), 422,
         "S3 answered 404 NoSuchBucket: bucket (as given) does not exist"},
        {false, false, says(403, ""), 422, "or lacks s3:ListBucket on bucket (as given)"},
        {false, false, says(404, ""), 422, "S3 answered 404: bucket (as given) does not exist"},
        {false, true, says(400, "KeyTooLongError"), 422, "shorten the prefix"},
        {false, true, says(403, "Made<up>Code"), 422, "S3 answered 403: "},
        {false, true, says(400, ""), 422, "S3 answered 400"},
        {false, true, says(503, "SlowDown"), 502,
         "S3 answered 503 SlowDown: it is not able to do this just now"},
        {false, true, says(429, ""), 502, "S3 answered 429: it is not able"},
        {false, true, says(500, "InternalError"), 502, "S3 answered 500 InternalError: it is not able"},
        {false, true, page, 502, "what answered at the endpoint is not S3"},
        {false, true, refuses, 502, "the store cannot be reached"},
        {false, true, hangs, 504, "the store did not answer in time"},
        {true, true, says(403, "AuthenticationFailed"), 422, "the key does not belong to the account"},
        {true, true, says(404, "ContainerNotFound"), 422,
         "Azure answered 404 ContainerNotFound: container (as given) does not exist in the account"},
        {true, false, says(403, "AuthorizationPermissionMismatch"), 422,
         "Azure answered 403 AuthorizationPermission"},
        {true, false, says(401, ""), 422,
         "Azure answered 401: the account does not take this proof of identity"},
        {true, true, says(503, "ServerBusy"), 502, "Azure answered 503 ServerBusy: it is not able"},
        {true, true, says(302, ""), 422, "the endpoint leads elsewhere"},
        {true, true, page, 502, "what answered at the endpoint is not Azure"},
        {true, true, refuses, 502, "the store cannot be reached"},
        {true, false, hangs, 504, "the store did not answer in time"},
    };
    for (const auto& r : rows) {
        BOOST_TEST_CONTEXT(r.words) {
            auto& faults = r.azure ? azure.faults : s3.faults;
            faults.clear();
            fakes::fault f;
            f.what = r.what;
            faults.add(f);
            const auto asked =
                with(r.azure ? of_azure() : aws(), "verification_file", r.write ? "true" : "false");
            for (const auto& said : {get(asked), post(asked)}) {
                BOOST_TEST(said.status == r.status);
                BOOST_TEST(contains(said.body, r.words), said.body);
                BOOST_TEST((!contains(said.body, "canary") && !contains(said.body, "10.9.8.7")), said.body);
                expect_silence(said, asked);
            }
        }
    }
    BOOST_TEST(s3.bucket("events").objects.empty());
    BOOST_TEST(azure.container("events").objects.empty());
}

BOOST_AUTO_TEST_CASE(the_container_is_looked_at_before_a_blob_is_written) {
    fakes::fault f;
    f.on.operation = "check";
    f.what.status = 404;
    f.what.code = "ContainerNotFound";
    azure.faults.add(f);
    BOOST_TEST(get(of_azure()).status == 422);
    BOOST_TEST(azure.calls["put"] == 0U);
}

BOOST_AUTO_TEST_CASE(real_refusals_of_the_fakes) {
    const auto wrong = [&](check_fields fields, int status, const char* words) {
        const auto said = get(fields);
        BOOST_TEST(said.status == status, words);
        BOOST_TEST(contains(said.body, words), said.body);
        expect_silence(said, fields);
    };
    wrong(with(aws(), "secret_access_key", "wrong-canary"), 422, "SignatureDoesNotMatch");
    wrong(with(aws(), "access_key_id", "AKIANOBODY"), 422, "InvalidAccessKeyId");
    wrong(with(aws(), "bucket", "not-there"), 422, "NoSuchBucket");
    wrong(with(of_azure(), "bucket", "not-there"), 422, "ContainerNotFound");
    fakes::azure_sas read_only;
    read_only.permissions = "r";
    wrong(with(of_azure(), "connection_string", azure.credential_by_sas(read_only).token.reveal()), 422,
          "the SAS lacks the permission write (w)");
    fakes::azure_sas expired;
    expired.end = "1969-01-01T00:00:00Z";
    wrong(with(of_azure(), "connection_string", azure.credential_by_sas(expired).token.reveal()), 422,
          "the SAS is expired");
}

BOOST_AUTO_TEST_CASE(failures_leave_at_steps_and_end_with_the_deadline) {
    s3.latency = 10ms;
    auto before = time.now();
    BOOST_TEST(get(with(aws(), "bucket", "not-there")).status == 422);
    BOOST_TEST((time.now() - before == 250ms));
    s3.latency = 260ms;
    before = time.now();
    BOOST_TEST(get(with(aws(), "bucket", "not-there")).status == 422);
    BOOST_TEST((time.now() - before == 500ms));
    s3.latency = 1h;
    before = time.now();
    BOOST_TEST(get(aws()).status == 504);
    BOOST_TEST((time.now() - before <= how.deadline + 250ms));
}

BOOST_AUTO_TEST_CASE(only_so_many_at_a_time) {
    how.at_once = 2;
    s3.latency = 1s;
    check_api api(x, how, {}, stores, admit);
    http::router routes;
    api.add_to(routes);
    std::vector<int> statuses;
    for (int i = 0; i < 2; ++i) {
        std::vector<started_task> all;
        for (int n = 0; n < 3; ++n) all.push_back(start(note_status(routes, encoded(aws()), statuses)));
        for (const auto& each : all) finish(each);
    }
    BOOST_TEST((statuses == std::vector<int>{503, 200, 200, 503, 200, 200}));
}

BOOST_AUTO_TEST_CASE(a_token_that_asks_too_often_waits_and_nothing_is_dialled) {
    std::string asked;
    admit = [&](std::string_view user) -> std::optional<std::chrono::nanoseconds> {
        asked = user;
        return 1500ms;
    };
    BOOST_TEST(get(with(aws(), "bucket", "x")).status == 400, "a mistake is not a check");
    BOOST_TEST(asked.empty());
    const auto refused = get(aws());
    BOOST_TEST(refused.status == 429);
    BOOST_TEST(contains(refused.body, "too many checks with this token"), refused.body);
    BOOST_TEST(asked == "admin");
    BOOST_TEST(count["credential_checks"] == 0U);
}

BOOST_AUTO_TEST_CASE(the_log_says_who_and_what_came_of_it) {
    get(aws());
    get(with(aws(), "bucket", "not-there"));
    BOOST_REQUIRE(log_lines.size() == 2U);
    BOOST_TEST(contains(log_lines[0], "credentials checked service=aws outcome=validated etag="),
               log_lines[0]);
    BOOST_TEST(contains(log_lines[1], "outcome=refused_by_store"), log_lines[1]);
    BOOST_TEST(contains(log_lines[1], "user=admin"), log_lines[1]);
    BOOST_TEST(count["credential_checks"] == 2U);
    BOOST_TEST(count["credential_checks_failed"] == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
