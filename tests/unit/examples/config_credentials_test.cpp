#include "storage/credential_rules.hpp"
#include "tests/unit/examples/configured.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace firehose;
using namespace firehose::app;

struct config_credentials_fixture {
    configured file{};

    loaded load(std::string_view credential) {
        return file.load(R"({"credentials":{"c":)" + std::string(credential) + "}}");
    }
    std::string faults(std::string_view credential) { return pointers_of(load(credential).faults); }
    const storage::credential& good(loaded& out) {
        BOOST_TEST(pointers_of(out.faults) == "");
        return out.what.credentials.at("c");
    }
};

BOOST_FIXTURE_TEST_SUITE(config_credentials, config_credentials_fixture)

BOOST_AUTO_TEST_CASE(every_provider_of_aws) {
    for (const auto* provider : {"environment", "container", "instance", "default"}) {
        auto out =
            load(R"({"type":"user","region":"eu-central-1","provider":")" + std::string(provider) + "\"}");
        BOOST_TEST(good(out).provider == provider);
        BOOST_TEST(!storage::is_static(good(out)));
    }
    auto out = load(R"({"type":"user","provider":"profile","profile":"prod"})");
    BOOST_TEST(good(out).profile == "prod");
    out = load(R"({"type":"user","provider":"web_identity","role_arn":"arn:aws:iam::1:role/r",
                   "web_identity_token_file":"token","sts_endpoint":"https://sts.example"})");
    BOOST_TEST(good(out).role_arn == "arn:aws:iam::1:role/r");
    BOOST_TEST(good(out).web_identity_token_file == (file.directory() / "token").string());
    BOOST_TEST(good(out).sts_endpoint == "https://sts.example");
}

BOOST_AUTO_TEST_CASE(every_provider_of_azure) {
    auto out = load(R"({"type":"token","provider":"managed_identity","account":"acme","client_id":"x-1"})");
    BOOST_TEST(good(out).account == "acme");
    BOOST_TEST(good(out).client_id == "x-1");
    file.write("secret", "HUSH\n");
    out = load(R"({"type":"token","provider":"client_secret","account":"acme","client_id":"x","tenant_id":"t",
                   "client_secret":{"file":"secret"},"authority_host":"https://login.microsoftonline.us"})");
    BOOST_TEST(good(out).client_secret.reveal() == "HUSH");
    BOOST_TEST(good(out).files.client_secret == (file.directory() / "secret").string());
}

BOOST_AUTO_TEST_CASE(faults_have_their_place) {
    BOOST_TEST(faults(R"({"type":"user","provider":"imds"})") == "/credentials/c/provider");
    BOOST_TEST(faults(R"({"type":"token","provider":"instance"})") == "/credentials/c/provider");
    BOOST_TEST(faults(R"({"type":"user","provider":7})") == "/credentials/c/provider");
    BOOST_TEST(faults(R"({"provider":"instance"})") == "/credentials/c/type");
    BOOST_TEST(faults(R"({"type":"user","provider":"instance","username":"A","profile":"p"})") ==
               "/credentials/c/username /credentials/c/profile");
    BOOST_TEST(
        faults(
            R"({"type":"user","provider":"web_identity","role_arn":"r","sts_endpoint":"http://a.example"})") ==
        "/credentials/c/role_arn /credentials/c/sts_endpoint");
    BOOST_TEST(faults(R"({"type":"token","provider":"client_secret"})") ==
               "/credentials/c/account /credentials/c/client_id /credentials/c/tenant_id "
               "/credentials/c/client_secret");
    BOOST_TEST(faults(R"({"type":"user","profil":"p"})") == "/credentials/c/profil");
    const auto out = load(R"({"type":"user","provider":"instance","password":{"env":"UNSET_BY_ALL"}})");
    BOOST_TEST(pointers_of(out.faults) == "/credentials/c/password/env");
}

BOOST_AUTO_TEST_CASE(files_are_remembered_to_be_read_again) {
    file.write("id", "AKIA1\n");
    file.write("secret", "HUSH\n");
    auto out = load(R"({"type":"user","username":{"file":"id"},"password":{"file":"secret"}})");
    BOOST_TEST(good(out).username == "AKIA1");
    BOOST_TEST(good(out).files.username == (file.directory() / "id").string());
    BOOST_TEST(good(out).files.password == (file.directory() / "secret").string());
    out = load(R"({"type":"user","username":"AKIA1","password":"HUSH"})");
    BOOST_TEST(good(out).files.none());
    BOOST_TEST(faults(R"({"type":"user","username":{"file":"absent"},"password":"HUSH"})") ==
               "/credentials/c/username/file");
}

BOOST_AUTO_TEST_CASE(a_client_secret_does_not_go_on_a_command_line) {
    const auto out = file.load("{}", {{"/credentials/c/client_secret", "HUSH"}});
    BOOST_TEST(message_at(out.faults, "/credentials/c/client_secret").find("command line") !=
               std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
