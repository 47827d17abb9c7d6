#include "storage/aws_chain.hpp"
#include "storage/aws_container.hpp"
#include "storage/aws_instance.hpp"
#include "storage/aws_keys.hpp"
#include "storage/aws_profile.hpp"
#include "storage/aws_web_identity.hpp"
#include "storage/azure_identity.hpp"
#include "storage/credential_rules.hpp"
#include "storage/credential_sources.hpp"
#include "storage/near_address.hpp"
#include "storage/static_credential.hpp"
#include "storage/sts_call.hpp"
#include "tests/support/shard_fixture.hpp"
#include "tests/unit/storage/fake_transport.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <map>

using namespace firehose;
using namespace firehose::storage;
using namespace std::chrono_literals;

namespace {

constexpr auto good_keys = R"({"Code":"Success","LastUpdated":"2025-12-31T23:00:00Z","Type":"AWS-HMAC",
    "AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"HUSH-secret","Token":"HUSH-token",
    "Expiration":"2026-01-01T06:00:00Z"})";

struct provider_fixture : shard_fixture {
    fake_server server;
    std::vector<http::authority> dialled;
    std::map<std::string, std::string> variables;
    std::map<std::string, std::string> files;

    provider_parts parts() {
        machine on;
        on.variable = [this](const std::string& name) {
            const auto found = variables.find(name);
            return found == variables.end() ? std::nullopt : std::optional(found->second);
        };
        on.read = [this](const std::string& path) -> result<std::string> {
            const auto found = files.find(path);
            if (found == files.end()) return system_call_error(disposition::stop, "open", path, ENOENT);
            return found->second;
        };
        return {x,
                [this](const http::authority& to, http::signer* by) {
                    dialled.push_back(to);
                    return std::make_shared<fake_transport>(server, time, to, by);
                },
                on};
    }
    result<credential_value> fetch(credential_provider& from) { return run(from.fetch(time.now() + 10s)); }
    /// No secret of any answer is in an error or a log line.
    error refused(credential_provider& from) {
        const auto got = fetch(from);
        BOOST_REQUIRE(!got.has_value());
        BOOST_TEST(got.error().context().find("HUSH") == std::string::npos, got.error().context());
        return got.error();
    }
    static bool says(const error& e, std::string_view words) {
        const bool found = e.context().find(words) != std::string::npos;
        if (!found) BOOST_TEST_MESSAGE(e.context());
        return found;
    }
};

std::string sts_answer(const std::string& action, const std::string& key_id) {
    return "<" + action + "Response><" + action + "Result><Credentials><SessionToken>HUSH-t</SessionToken>" +
           "<SecretAccessKey>HUSH-s</SecretAccessKey><Expiration>2026-01-01T01:00:00Z</Expiration>" +
           "<AccessKeyId>" + key_id + "</AccessKeyId></Credentials></" + action + "Result></" + action +
           "Response>";
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(aws_providers, provider_fixture)

BOOST_AUTO_TEST_CASE(keys_of_the_environment) {
    aws_environment place(parts());
    BOOST_TEST(is_not_configured(refused(place)));
    variables["AWS_ACCESS_KEY_ID"] = "AKIA1";
    auto e = refused(place);
    BOOST_TEST(!is_not_configured(e));
    BOOST_TEST(says(e, "both are needed"));
    variables["AWS_SECRET_ACCESS_KEY"] = "HUSH";
    variables["AWS_SESSION_TOKEN"] = "HUSH-token";
    const auto got = fetch(place);
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(got->access_key_id == "AKIA1");
    BOOST_TEST(got->secret_access_key.reveal() == "HUSH");
    BOOST_TEST(got->session_token.reveal() == "HUSH-token");
    BOOST_TEST(!got->expires.has_value());
    variables["AWS_ACCESS_KEY_ID"] = "AKIA 1\n";
    refused(place);
}

BOOST_AUTO_TEST_CASE(an_instance_is_asked_in_three_steps) {
    aws_instance place(parts());
    server.answers = {answer(200, "HUSH-session"), answer(200, "my-role\n"), answer(200, good_keys)};
    const auto got = fetch(place);
    BOOST_REQUIRE_MESSAGE(got.has_value(), got.error().context());
    BOOST_TEST(got->access_key_id == "ASIAEXAMPLE");
    BOOST_TEST(got->secret_access_key.reveal() == "HUSH-secret");
    BOOST_TEST(got->session_token.reveal() == "HUSH-token");
    BOOST_TEST((got->expires == time.wall_now() + 6h));
    BOOST_REQUIRE(server.seen.size() == 3U);
    BOOST_TEST(server.seen[0].method == "PUT");
    BOOST_TEST(server.seen[0].host == "169.254.169.254");
    BOOST_TEST(server.seen[0].target == "/latest/api/token");
    BOOST_TEST(server.seen[0].header("X-aws-ec2-metadata-token-ttl-seconds") == "21600");
    BOOST_TEST(server.seen[1].target == "/latest/meta-data/iam/security-credentials/");
    BOOST_TEST(server.seen[1].header("X-aws-ec2-metadata-token") == "HUSH-session");
    BOOST_TEST(server.seen[2].target == "/latest/meta-data/iam/security-credentials/my-role");
    BOOST_TEST(server.seen[2].header("X-aws-ec2-metadata-token") == "HUSH-session");

    server.answers = {answer(200, "my-role"), answer(200, good_keys)};  // the session goes on
    BOOST_TEST(fetch(place).has_value());
    BOOST_TEST(server.seen.size() == 5U);
    server.answers = {answer(401), answer(200, "HUSH-2"), answer(200, "my-role"), answer(200, good_keys)};
    BOOST_TEST(fetch(place).has_value());  // until it is refused
    BOOST_TEST(server.seen.back().header("X-aws-ec2-metadata-token") == "HUSH-2");
    server.answers = {answer(401), answer(200, "HUSH-3"), answer(401)};
    BOOST_TEST(refused(place).status() == 401);  // but not for ever
}

BOOST_AUTO_TEST_CASE(an_instance_without_a_role_or_that_answers_nonsense) {
    aws_instance place(parts());
    server.answers = {answer(200, "HUSH"), answer(404, "<html>HUSH</html>")};
    auto e = refused(place);
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(says(e, "no role is attached to the instance"));
    for (const auto* role : {"", "../../user-data", "a b", "<html>"}) {
        server.answers = {answer(200, role)};
        const auto asked = server.seen.size();
        BOOST_TEST(says(refused(place), "names no role"), role);
        BOOST_TEST(server.seen.size() == asked + 1);
    }
    for (const auto* keys :
         {"", "{", "[]", R"({"Code":"AssumeRoleUnauthorizedAccess","Message":"HUSH"})",
          R"({"Code":"Success","AccessKeyId":"A","SecretAccessKey":""})",
          R"({"AccessKeyId":"A","SecretAccessKey":"HUSH","Token":"HUSH","Expiration":"soon"})"}) {
        server.answers = {answer(200, "role"), answer(200, keys)};
        e = refused(place);
        BOOST_TEST((e.what() == disposition::retry), keys);
        BOOST_TEST(says(e, "the answer holds no keys"));
    }
    server.answers = {answer(302, "", {{"Location", "http://evil.example/"}})};
    BOOST_TEST((refused(place).what() == disposition::stop));
    for (const auto& to : dialled) BOOST_TEST(to.host == "169.254.169.254");
}

BOOST_AUTO_TEST_CASE(an_instance_that_does_not_answer_costs_little_time) {
    aws_instance place(parts());
    server.answers.assign(3, error(disposition::retry, "http://169.254.169.254: no answer"));
    const auto began = time.now();
    const auto e = refused(place);
    BOOST_TEST(says(e, "hop limit must be 2"));
    BOOST_TEST((time.now() - began < 4s));
    BOOST_TEST(server.seen.size() == 3U);
    server.answers = {answer(503), answer(200, "HUSH"), answer(200, "role"), answer(200, good_keys)};
    BOOST_TEST(fetch(place).has_value());  // a hiccup is none of the caller's business
}

BOOST_AUTO_TEST_CASE(places_that_must_not_be_asked) {
    aws_instance place(parts());
    for (const auto* wrong :
         {"http://metadata.example", "http://10.0.0.1", "http://169.253.169.254", "http://[fe80::1]",
          "http://0x7f.1", "http://2852039166", "ftp://169.254.169.254", "nonsense"}) {
        variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = wrong;
        BOOST_TEST((refused(place).what() == disposition::stop), wrong);
    }
    for (const auto* wrong : {"http://metadata.example/x", "http://10.0.0.1/x", "http://169.254.170.3/x",
                              "http://[::ffff:10.0.0.1]/", "nonsense"}) {
        const auto found = find_container("", wrong);
        BOOST_TEST(!found.has_value(), wrong);
    }
    BOOST_TEST(!find_container("169.254.170.2@evil.example/", "").has_value());
    BOOST_TEST(!find_container("/a b", "").has_value());
    variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/t";
    files["/t"] = "HUSH";
    for (const auto* wrong : {"http://sts.example", "nonsense"}) {
        web_identity how;
        how.role_arn = "arn:aws:iam::1:role/r";
        how.endpoint = wrong;
        aws_web_identity sts(parts(), how);
        BOOST_TEST((refused(sts).what() == disposition::stop), wrong);
    }
    variables["IDENTITY_HEADER"] = "HUSH";
    azure_managed_identity identity(parts(), "");
    for (const auto* wrong : {"http://identity.example/token", "http://8.8.8.8/", "nonsense"}) {
        variables["IDENTITY_ENDPOINT"] = wrong;
        BOOST_TEST((refused(identity).what() == disposition::stop), wrong);
    }
    azure_application who;
    who.authority_host = "http://login.example";
    azure_client_secret secret_way(parts(), who);
    BOOST_TEST((refused(secret_way).what() == disposition::stop));
    BOOST_TEST(dialled.empty());
    BOOST_TEST(server.seen.empty());
    for (const auto* right : {"127.0.0.1", "127.1.2.3", "::1", "localhost", "::ffff:127.0.0.1"})
        BOOST_TEST(is_loopback(right), right);
    for (const auto* right : {"169.254.169.254", "169.254.129.2", "fd00:ec2::254", "::ffff:169.254.0.1"})
        BOOST_TEST(is_link_local(right), right);
}

BOOST_AUTO_TEST_CASE(where_an_instance_may_be_asked_instead) {
    aws_instance place(parts());
    server.usual = answer(503);
    variables["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] = "IPv6";
    refused(place);
    BOOST_TEST(dialled.back().host == "fd00:ec2::254");
    variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1338/base";
    refused(place);
    BOOST_TEST(dialled.back().port == 1338);
    BOOST_TEST(server.seen.back().target == "/base/latest/api/token");
    variables["AWS_EC2_METADATA_DISABLED"] = "TRUE";
    const auto asked = server.seen.size();
    BOOST_TEST(is_not_configured(refused(place)));
    BOOST_TEST(server.seen.size() == asked);
}

BOOST_AUTO_TEST_CASE(keys_of_a_container) {
    aws_container place(parts());
    BOOST_TEST(is_not_configured(refused(place)));
    variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/id?x=1";
    server.answers = {answer(200, good_keys)};
    BOOST_TEST(fetch(place).has_value());
    BOOST_TEST(server.seen.back().host == "169.254.170.2");
    BOOST_TEST(server.seen.back().target == "/v2/credentials/id?x=1");
    BOOST_TEST(server.seen.back().header("Authorization") == "");

    variables.erase("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://169.254.170.23/v1/credentials";
    variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "HUSH-plain";
    server.answers = {answer(200, good_keys)};
    BOOST_TEST(fetch(place).has_value());
    BOOST_TEST(server.seen.back().header("Authorization") == "HUSH-plain");
    variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "/token";
    for (const auto* token : {"HUSH-1", "HUSH-2"}) {  // read anew each time
        files["/token"] = token;
        server.answers = {answer(200, good_keys)};
        BOOST_TEST(fetch(place).has_value());
        BOOST_TEST(server.seen.back().header("Authorization") == token);
    }
    files["/token"] = "HUSH\r\nX: y";
    const auto asked = server.seen.size();
    refused(place);
    BOOST_TEST(server.seen.size() == asked);
    files.clear();
    BOOST_TEST(says(refused(place), "/token"));
    variables.erase("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    server.answers = {answer(403, R"({"code":"AccessDenied","message":"no"})")};
    const auto e = refused(place);
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.context() == "GET http://169.254.170.23/v1/credentials: 403 AccessDenied: no");
    server.answers.assign(3, answer(500, "oops"));
    BOOST_TEST((refused(place).what() == disposition::retry));
    for (const auto* right : {"https://anywhere.example/x", "http://localhost:8080/x",
                              "http://[fd00:ec2::23]/v1", "http://127.9.9.9/", "http://[::1]:7/"})
        BOOST_TEST(find_container("", right).has_value(), right);
}

BOOST_AUTO_TEST_CASE(keys_for_a_web_identity) {
    variables = {{"AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/my role"},
                 {"AWS_WEB_IDENTITY_TOKEN_FILE", "/token"},
                 {"AWS_REGION", "eu-central-1"}};
    aws_web_identity place(parts(), {});
    BOOST_TEST(says(refused(place), "/token"));
    const auto good = sts_answer("AssumeRoleWithWebIdentity", "ASIA1");
    for (const auto* token : {"HUSH.a", "HUSH.b+/="}) {
        files["/token"] = token;
        server.answers = {answer(200, good)};
        const auto got = fetch(place);
        BOOST_REQUIRE_MESSAGE(got.has_value(), got.error().context());
        BOOST_TEST(got->access_key_id == "ASIA1");
        BOOST_TEST(got->session_token.reveal() == "HUSH-t");
        BOOST_TEST((got->expires == time.wall_now() + 1h));
    }
    const auto& r = server.seen.back();
    BOOST_TEST(r.method == "POST");
    BOOST_TEST(r.host == "sts.eu-central-1.amazonaws.com");
    BOOST_TEST(dialled.back().tls);
    BOOST_TEST(r.target == "/");
    BOOST_TEST(r.header("Authorization") == "");
    BOOST_TEST(r.body ==
               "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A"
               "123456789012%3Arole%2Fmy%20role&RoleSessionName=firehose&WebIdentityToken=HUSH.b%2B%2F%3D");
    BOOST_TEST(sts_endpoint("cn-north-1") == "https://sts.cn-north-1.amazonaws.com.cn");

    struct row {
        int status;
        const char* code;
        disposition what;
    };
    for (const auto& one :
         {row{400, "ExpiredTokenException", disposition::retry},
          row{400, "InvalidIdentityToken", disposition::stop},
          row{400, "IDPCommunicationError", disposition::retry}, row{403, "AccessDenied", disposition::stop},
          row{403, "IDPRejectedClaim", disposition::stop}, row{429, "Throttling", disposition::retry},
          row{500, "InternalFailure", disposition::retry}}) {
        server.answers.assign(
            3, answer(one.status, "<ErrorResponse><Error><Type>Sender</Type><Code>" + std::string(one.code) +
                                      "</Code><Message>why</Message></Error></ErrorResponse>"));
        const auto e = refused(place);
        BOOST_TEST((e.what() == one.what), one.code);
        BOOST_TEST(says(e, std::string(one.code) + ": why"));
        BOOST_TEST(says(e, "https://sts.eu-central-1.amazonaws.com"));
        server.answers.clear();
    }
    for (const auto* nonsense : {"", "<html/>", "<AssumeRoleWithWebIdentityResponse/>"}) {
        server.answers = {answer(200, nonsense)};
        BOOST_TEST((refused(place).what() == disposition::retry), nonsense);
    }
    variables["AWS_REGION"] = "evil.example/";
    BOOST_TEST((refused(place).what() == disposition::stop));
    variables.erase("AWS_ROLE_ARN");
    BOOST_TEST(says(refused(place), "no role is named"));
    variables.erase("AWS_WEB_IDENTITY_TOKEN_FILE");
    BOOST_TEST(is_not_configured(refused(place)));
}

BOOST_AUTO_TEST_CASE(files_of_profiles) {
    const auto keys = parse_profiles("; comment\n[default]\naws_access_key_id = A1  # mine\n"
                                     "aws_secret_access_key=HU#SH;x\n\n[ other ]\r\nAWS_ACCESS_KEY_ID=A2\r\n"
                                     "s3 =\n  nested = 1\n[broken\nx=y\nno equals\n",
                                     profile_file::credentials);
    BOOST_TEST(keys.at("default").at("aws_access_key_id") == "A1");
    BOOST_TEST(keys.at("default").at("aws_secret_access_key") == "HU#SH;x");
    BOOST_TEST(keys.at("other").at("aws_access_key_id") == "A2");
    BOOST_TEST(!keys.at("other").contains("nested"));
    const auto config =
        parse_profiles("[default]\nregion=r1\n[profile \"two words\"]\nregion=r2\n[profile\tx]\nregion=r3\n"
                       "[sso-session s]\nregion=r4\n[plain]\nregion=r5\n",
                       profile_file::config);
    BOOST_TEST(config.size() == 3U);
    BOOST_TEST(config.at("two words").at("region") == "r2");
    BOOST_TEST(config.at("x").at("region") == "r3");
}

BOOST_AUTO_TEST_CASE(keys_of_a_profile) {
    variables["HOME"] = "/home/me";
    aws_profile place(parts(), "", "");
    BOOST_TEST(is_not_configured(refused(place)));
    files["/home/me/.aws/credentials"] = "[default]\naws_access_key_id=A1\naws_secret_access_key=HUSH\n"
                                         "[half]\naws_access_key_id=A2\n";
    files["/home/me/.aws/config"] =
        "[default]\nregion=r\n"
        "[profile program]\ncredential_process=/bin/HUSH\n"
        "[profile sso]\nsso_session=s\n[profile empty]\nregion=r\n"
        "[profile irsa]\nrole_arn=arn:aws:iam::1:role/r\nweb_identity_token_file=/t\n"
        "region=ap-south-1\n[profile config-keys]\naws_access_key_id=A3\n"
        "aws_secret_access_key=HUSH\naws_session_token=HUSH\n";
    auto got = fetch(place);
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(got->access_key_id == "A1");
    BOOST_TEST((place.believe() == 30s));
    files["/home/me/.aws/credentials"] = "[default]\naws_access_key_id=B1\naws_secret_access_key=HUSH\n";
    BOOST_TEST(fetch(place)->access_key_id == "B1");
    files["/home/me/.aws/credentials"] += "[half]\naws_access_key_id=A2\n";

    const auto of = [this](const char* name) { return aws_profile(parts(), name, ""); };
    auto keyed = of("config-keys");
    got = fetch(keyed);
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(got->access_key_id == "A3");
    BOOST_TEST(got->session_token.reveal() == "HUSH");
    struct row {
        const char* profile;
        const char* words;
    };
    for (const auto& one :
         {row{"half", "there is no secret access key"}, row{"program", "credential_process"},
          row{"sso", "sso_session"}, row{"absent", "is in neither"}, row{"empty", "holds no keys"}}) {
        auto p = of(one.profile);
        BOOST_TEST(says(refused(p), one.words), one.profile);
    }
    BOOST_TEST(server.seen.empty());
    auto irsa = of("irsa");
    files["/t"] = "HUSH";
    server.usual = answer(403);
    refused(irsa);
    BOOST_TEST(server.seen.back().host == "sts.ap-south-1.amazonaws.com");

    variables["AWS_PROFILE"] = "config-keys";
    BOOST_TEST(fetch(place)->access_key_id == "A3");
    BOOST_TEST(place.describe() == "AWS profile config-keys");
    variables["AWS_SHARED_CREDENTIALS_FILE"] = "/elsewhere";
    variables["AWS_CONFIG_FILE"] = "/nowhere";
    files["/elsewhere"] = "[config-keys]\naws_access_key_id=E1\naws_secret_access_key=HUSH";
    BOOST_TEST(fetch(place)->access_key_id == "E1");
}

BOOST_AUTO_TEST_CASE(a_profile_assumes_roles_one_after_another) {
    variables["AWS_CONFIG_FILE"] = "/config";
    variables["AWS_SHARED_CREDENTIALS_FILE"] = "/keys";
    files["/keys"] = "[base]\naws_access_key_id=AKIDEXAMPLE\naws_secret_access_key=HUSH-base\n";
    files["/config"] =
        "[profile one]\nrole_arn=arn:aws:iam::1:role/one\nsource_profile=base\nregion=eu-central-1\n"
        "external_id=a b\nduration_seconds=900\nrole_session_name=me\n"
        "[profile two]\nrole_arn=arn:aws:iam::2:role/two\nsource_profile=one\nregion=us-west-2\n";
    aws_profile place(parts(), "two", "");
    server.answers = {answer(200, sts_answer("AssumeRole", "ASIA1")),
                      answer(200, sts_answer("AssumeRole", "ASIA2"))};
    const auto got = fetch(place);
    BOOST_REQUIRE_MESSAGE(got.has_value(), got.error().context());
    BOOST_TEST(got->access_key_id == "ASIA2");
    BOOST_TEST((got->expires == time.wall_now() + 1h));
    BOOST_REQUIRE(server.seen.size() == 2U);
    const auto& first = server.seen.front();
    BOOST_TEST(first.host == "sts.eu-central-1.amazonaws.com");
    BOOST_TEST(first.body ==
               "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fone"
               "&RoleSessionName=me&ExternalId=a%20b&DurationSeconds=900");
    BOOST_TEST(first.header("X-Amz-Date") == "20260101T000000Z");
    BOOST_TEST(first.header("X-Amz-Security-Token") == "");
    // Computed with botocore 1.43 from the same request.
    BOOST_TEST(first.header("Authorization") ==
               "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-central-1/sts/aws4_request, "
               "SignedHeaders=accept;content-type;host;x-amz-date, Signature="
               "961c83ac6e4e605454facc3333b0fa02ca2b7635c4ce6021754083f53a1ce998");
    const auto& second = server.seen.back();
    BOOST_TEST(second.host == "sts.us-west-2.amazonaws.com");
    BOOST_TEST(second.header("X-Amz-Security-Token") == "HUSH-t");
    BOOST_TEST(second.header("Authorization").find("Credential=ASIA1/") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_profile_assumes_a_role_with_keys_from_elsewhere_or_says_what_is_wrong) {
    variables["AWS_CONFIG_FILE"] = "/config";
    const auto ask_with = [this](const std::string& settings) {
        files["/config"] = "[profile p]\nrole_arn=arn:aws:iam::1:role/r\n" + settings;
        return aws_profile(parts(), "p", "");
    };
    server.usual = answer(200, sts_answer("AssumeRole", "ASIA1"));
    variables["AWS_ACCESS_KEY_ID"] = "AKIA1";
    variables["AWS_SECRET_ACCESS_KEY"] = "HUSH";
    auto by_environment = ask_with("credential_source=Environment\n");
    const auto got = fetch(by_environment);
    BOOST_REQUIRE_MESSAGE(got.has_value(), got.error().context());
    BOOST_TEST(got->access_key_id == "ASIA1");
    // Its own keys.
    auto by_itself = ask_with("source_profile=p\naws_access_key_id=A1\naws_secret_access_key=HUSH\n");
    BOOST_TEST(fetch(by_itself).has_value());
    BOOST_TEST(server.seen.back().header("Authorization").find("Credential=A1/") != std::string::npos);

    const auto asked = server.seen.size();
    struct row {
        const char* settings;
        const char* words;
    };
    for (const auto& one :
         {row{"", "names nothing to do it with"},
          row{"source_profile=a\ncredential_source=Environment\n", "names both"},
          row{"credential_source=Elsewhere\n", "has a credential_source that is not"},
          row{"credential_source=EcsContainer\n", "takes its keys from the container's metadata"},
          row{"source_profile=absent\n", "profile absent is in neither"},
          row{"source_profile=p\n", "they go round in a circle"},
          row{"source_profile=q\n[profile q]\nregion=r\n", "profile q holds no keys"},
          row{"source_profile=p\nmfa_serial=m\n", "mfa_serial"},
          row{"credential_source=Environment\nduration_seconds=60\n", "duration_seconds"}}) {
        auto place = ask_with(one.settings);
        const auto why = refused(place);
        BOOST_TEST(says(why, one.words), one.settings);
        BOOST_TEST((why.what() == disposition::stop), one.settings);
    }
    BOOST_TEST(server.seen.size() == asked);
    server.usual = answer(403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
                               "</ErrorResponse>");
    auto denied = ask_with("credential_source=Environment\n");
    BOOST_TEST(says(refused(denied), "AccessDenied: no"));
}

BOOST_AUTO_TEST_CASE(the_default_chain_takes_the_first_that_is_there_and_stays_with_it) {
    variables["AWS_EC2_METADATA_DISABLED"] = "true";
    auto chain = default_aws_chain(parts(), "");
    const auto e = refused(*chain);
    for (const auto* place : {"AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "profile default",
                              "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_DISABLED"})
        BOOST_TEST(says(e, place));
    variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/c";
    server.answers = {answer(200, good_keys)};
    BOOST_TEST(fetch(*chain)->access_key_id == "ASIAEXAMPLE");
    BOOST_TEST(chain->describe() == "the container's metadata");
    variables["AWS_ACCESS_KEY_ID"] = "AKIA1";
    variables["AWS_SECRET_ACCESS_KEY"] = "HUSH";
    server.answers = {answer(200, good_keys)};
    BOOST_TEST(fetch(*chain)->access_key_id == "ASIAEXAMPLE");
    auto fresh = default_aws_chain(parts(), "");
    BOOST_TEST(fetch(*fresh)->access_key_id == "AKIA1");
    variables.erase("AWS_ACCESS_KEY_ID");
    auto third = default_aws_chain(parts(), "");
    const auto asked = server.seen.size();
    BOOST_TEST(says(refused(*third), "both are needed"));  // what is there must work
    BOOST_TEST(server.seen.size() == asked);
}

BOOST_AUTO_TEST_CASE(keys_in_files_of_the_configuration) {
    credential with;
    with.id = "507f1f77bcf86cd799439011";
    with.type = "user";
    with.username = "AKIA1";
    with.password = secret("HUSH-old");
    const auto fixed = make_source(with, parts());
    BOOST_REQUIRE(fixed.has_value());
    BOOST_TEST(!(*fixed)->due());
    BOOST_TEST((*fixed)->current()->access_key_id == "AKIA1");

    with.files.username = "/id";
    with.files.password = "/secret";
    files = {{"/id", "AKIA2"}, {"/secret", "HUSH-2"}};
    credential_sources all(parts());
    auto source = all.get(with).value();
    BOOST_TEST((all.get(with).value() == source));
    BOOST_TEST(run(source->ready(time.now() + 10s)).has_value());
    BOOST_TEST(source->current()->access_key_id == "AKIA2");
    files = {{"/id", "AKIA3"}, {"/secret", "HUSH-3"}};
    advance(30s);
    BOOST_TEST(source->due());
    BOOST_TEST(run(source->ready(time.now() + 10s)).has_value());
    BOOST_TEST(source->current()->access_key_id == "AKIA3");
    BOOST_TEST(source->current()->secret_access_key.reveal() == "HUSH-3");
    files["/secret"] = "";  // being written
    advance(30s);
    BOOST_TEST(run(source->ready(time.now() + 10s)).has_value());
    BOOST_TEST(source->current()->access_key_id == "AKIA3");
    BOOST_TEST(all.all().size() == 1U);
    BOOST_TEST(all.all().front().source->describe() == "files that the configuration names");

    credential token;
    token.type = "token";
    token.files.token = "/connection";
    files["/connection"] = "AccountName=acme;AccountKey=SFVTSA==";
    auto azure = make_source(token, parts()).value();
    BOOST_TEST(run(azure->ready(time.now() + 10s)).has_value());
    BOOST_TEST(azure->current()->account_key.reveal() == "SFVTSA==");
    files["/connection"] = "AccountName=acme;SharedAccessSignature=sp=c&sig=HUSH";
    advance(30s);
    BOOST_TEST(run(azure->ready(time.now() + 10s)).has_value());
    BOOST_TEST(azure->current()->sas.reveal() == "sp=c&sig=HUSH");
    BOOST_TEST(azure->current()->account_key.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(azure_providers, provider_fixture)

BOOST_AUTO_TEST_CASE(a_managed_identity_of_a_machine) {
    azure_managed_identity place(parts(), "app 1");
    server.answers = {answer(200, R"({"access_token":"HUSH.jwt","client_id":"c","expires_in":"3599",
        "expires_on":"1767229200","ext_expires_in":"3599","resource":"https://storage.azure.com/",
        "token_type":"Bearer"})")};
    const auto got = fetch(place);
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(got->bearer.reveal() == "HUSH.jwt");
    BOOST_TEST((got->expires == time.wall_now() + 3599s));
    const auto& r = server.seen.back();
    BOOST_TEST(r.host == "169.254.169.254");
    BOOST_TEST(r.method == "GET");
    BOOST_TEST(r.target == "/metadata/identity/oauth2/token?api-version=2018-02-01&resource="
                           "https%3A%2F%2Fstorage.azure.com%2F&client_id=app%201");
    BOOST_TEST(r.header("Metadata") == "true");

    server.answers = {answer(410), answer(404),
                      answer(200, R"({"access_token":"HUSH","expires_on":1767229200})")};
    const auto later = fetch(place);  // while the service is updated
    BOOST_REQUIRE(later.has_value());
    BOOST_TEST((later->expires == time_source::wall(1767229200s)));
    server.answers = {
        answer(400, R"({"error":"invalid_request","error_description":"Identity not found\r\nTrace: x"})")};
    const auto e = refused(place);
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.context() ==
               "GET http://169.254.169.254/metadata/identity/oauth2/token: 400 invalid_request: "
               "Identity not found");
    for (const auto* nonsense :
         {"", "{}", R"({"access_token":"HUSH"})", R"({"access_token":"HU SH","expires_in":1})",
          R"({"access_token":"HUSH","expires_in":"soon"})"}) {
        server.answers = {answer(200, nonsense)};
        BOOST_TEST((refused(place).what() == disposition::retry), nonsense);
    }
}

BOOST_AUTO_TEST_CASE(a_managed_identity_of_an_app) {
    variables = {{"IDENTITY_ENDPOINT", "http://169.254.129.2:8081/msi/token"},
                 {"IDENTITY_HEADER", "HUSH-header"}};
    azure_managed_identity place(parts(), "");
    server.answers = {
        answer(200, R"({"access_token":"HUSH","expires_on":"1767229200","token_type":"Bearer"})")};
    BOOST_TEST(fetch(place).has_value());
    const auto& r = server.seen.back();
    BOOST_TEST(r.host == "169.254.129.2:8081");
    BOOST_TEST(r.target == "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com%2F");
    BOOST_TEST(r.header("X-IDENTITY-HEADER") == "HUSH-header");
    BOOST_TEST(r.header("Metadata") == "");
    server.answers = {answer(404, R"({"error":"x"})")};
    BOOST_TEST((refused(place).what() == disposition::stop));
    variables["IDENTITY_HEADER"] = "HUSH\r\nX: y";
    refused(place);
}

BOOST_AUTO_TEST_CASE(an_application_with_a_secret) {
    azure_application who;
    who.tenant_id = "contoso.onmicrosoft.com";
    who.client_id = "00001111-aaaa-2222-bbbb-3333cccc4444";
    who.client_secret = secret("HUSH~&=+");
    azure_client_secret place(parts(), who);
    server.answers = {answer(200, R"({"token_type":"Bearer","expires_in":3599,"access_token":"HUSH.jwt"})")};
    const auto got = fetch(place);
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(got->bearer.reveal() == "HUSH.jwt");
    const auto& r = server.seen.back();
    BOOST_TEST(r.method == "POST");
    BOOST_TEST(r.host == "login.microsoftonline.com");
    BOOST_TEST(dialled.back().tls);
    BOOST_TEST(r.target == "/contoso.onmicrosoft.com/oauth2/v2.0/token");
    BOOST_TEST(r.body ==
               "grant_type=client_credentials&client_id=00001111-aaaa-2222-bbbb-3333cccc4444&client_secret="
               "HUSH~%26%3D%2B&scope=https%3A%2F%2Fstorage.azure.com%2F.default");
    server.answers = {
        answer(401, R"({"error":"invalid_client","error_description":"AADSTS7000215: Invalid client )"
                    R"(secret provided.\r\nTrace ID: x","error_codes":[7000215]})")};
    auto e = refused(place);
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(says(e, "401 invalid_client: AADSTS7000215: Invalid client secret provided."));
    BOOST_TEST(!says(e, "Trace"));
    server.answers.assign(3, answer(503, R"({"error":"temporarily_unavailable"})"));
    BOOST_TEST((refused(place).what() == disposition::retry));
    who.client_secret_file = "/client-secret";
    files["/client-secret"] = "HUSH2";
    azure_client_secret rotated(parts(), who);
    server.usual = answer(200, R"({"expires_in":3599,"access_token":"HUSH"})");
    BOOST_TEST(fetch(rotated).has_value());
    BOOST_TEST(server.seen.back().body.find("client_secret=HUSH2&") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(credential_faults_in_words)

namespace {

std::string members_at_fault(const credential& c) {
    std::string all;
    for (const auto& f : credential_faults(c)) all.append(all.empty() ? "" : " ").append(f.member);
    return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_provider_takes_what_it_needs_and_nothing_else) {
    credential c;
    c.type = "user";
    for (const auto* provider :
         {"", "static", "environment", "profile", "container", "instance", "web_identity", "default"}) {
        c.provider = provider;
        BOOST_TEST(members_at_fault(c) == "", provider);
    }
    for (const auto* provider : {"managed_identity", "Static", "imds", "credential_process"}) {
        c.provider = provider;
        BOOST_TEST(members_at_fault(c) == "provider", provider);
    }
    c.provider = "instance";
    c.password = secret("HUSH");
    c.profile = "p";
    BOOST_TEST(members_at_fault(c) == "password profile");
    c.password = secret();
    c.profile = "";
    c.provider = "web_identity";
    c.role_arn = "role";
    c.sts_endpoint = "http://sts.example";
    BOOST_TEST(members_at_fault(c) == "role_arn sts_endpoint");
    c.role_arn = "arn:aws:iam::1:role/r";
    c.sts_endpoint = "https://sts.example";
    c.web_identity_token_file = "/t";
    BOOST_TEST(members_at_fault(c) == "");

    credential a;
    a.type = "token";
    a.provider = "managed_identity";
    BOOST_TEST(members_at_fault(a) == "account");
    a.account = "acme";
    BOOST_TEST(members_at_fault(a) == "");
    BOOST_TEST(azure_endpoint(a) == "https://acme.blob.core.windows.net");
    a.endpoint = "https://acme.blob.example";
    BOOST_TEST(members_at_fault(a) == "account");
    a.account = "";
    BOOST_TEST(members_at_fault(a) == "");
    a.endpoint = "http://acme.blob.example";
    BOOST_TEST(members_at_fault(a) == "endpoint");
    a.endpoint = "http://127.0.0.1:10000/acme";
    BOOST_TEST(members_at_fault(a) == "");
    a.provider = "client_secret";
    BOOST_TEST(members_at_fault(a) == "client_id tenant_id client_secret");
    a.tenant_id = "t";
    a.client_id = "c/../x";
    a.client_secret = secret("HUSH");
    BOOST_TEST(members_at_fault(a) == "client_id");
    a.client_id = "c";
    a.authority_host = "http://login.example";
    BOOST_TEST(members_at_fault(a) == "authority_host");
}

BOOST_AUTO_TEST_SUITE_END()
