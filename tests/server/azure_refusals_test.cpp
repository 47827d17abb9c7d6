#include "tests/server/azure_container.hpp"

#include "http/digest.hpp"
#include "pipeline/bytes.hpp"
#include "storage/credential_sources.hpp"
#include "storage/refreshed_credential.hpp"

#include "tests/contract/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>

using namespace firehose;
using namespace firehose::azure_test;

namespace {

task<result<storage::object_info>> put(storage::store& store, context& x, std::string key) {
    const storage::payload body{as_bytes("hello")};
    const storage::put_options how;
    const auto deadline = x.time.now() + std::chrono::seconds(20);
    auto done = co_await store.put(key, body, how, deadline);
    co_return done;
}

bool mentions(const error& e, std::string_view words) { return e.context().find(words) != std::string::npos; }

struct on_http : azure_container_fixture {
    on_http() : azure_container_fixture(scheme::http) {}
    error refused(const storage::credential& with, const std::string& container) {
        const auto s = store_with(with, container);
        auto done = run(put(*s, shard(), "key"));
        BOOST_REQUIRE(!done.has_value());
        BOOST_TEST_MESSAGE(done.error().context());
        return done.error();
    }
};

constexpr auto far = "2099-01-01T00:00:00Z";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(azure_refusals, on_http)

BOOST_AUTO_TEST_CASE(a_wrong_key_stops_the_destination) {
    const auto& env = environment();
    credential.token = storage::secret("BlobEndpoint=" + env.at("AZURE_ENDPOINT") + ";AccountName=" +
                                       env.at("AZURE_ACCOUNT") + ";AccountKey=d3Jvbmctd3Jvbmctd3Jvbmc=");
    const auto e = refused(credential, name());
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.status() == 403);
    // Azure says AuthenticationFailed.
    BOOST_TEST(mentions(e, "PUT " + name() + "/key: 403 AuthorizationFailure, request id "));
    BOOST_TEST(mentions(e, "the key does not belong to account " + env.at("AZURE_ACCOUNT")));
    BOOST_TEST(!mentions(e, "d3Jvbmc"));
}

BOOST_AUTO_TEST_CASE(a_missing_container_stops_the_destination) {
    const auto e = refused(credential, "no-such-container");
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.provider_code() == "ContainerNotFound");
    BOOST_TEST(mentions(e, "container no-such-container does not exist"));
    const auto s = store_with(credential, "no-such-container");
    const auto head = run(s->head("key", shard().time.now() + std::chrono::seconds(20)));
    BOOST_REQUIRE(!head.has_value());
    BOOST_TEST(!storage::is_not_found(head.error()));
    BOOST_TEST((head.error().what() == disposition::stop));
}

BOOST_AUTO_TEST_CASE(a_sas_that_is_expired_or_damaged_stops_the_destination) {
    auto sas = account_sas("rwdlc", "co", "2020-01-01T00:00:00Z");
    auto e = refused(sas_credential(scheme::http, sas), name());
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.status() == 403);
    BOOST_TEST(mentions(e, "the SAS is expired, not valid yet, damaged"));
    BOOST_TEST(!mentions(e, sas.substr(sas.find("sig=") + 4)));
    sas = account_sas("rwdlc", "co", far);
    sas.replace(sas.find("sig="), 8, "sig=AAAA");
    e = refused(sas_credential(scheme::http, sas), name());
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.status() == 403);
}

BOOST_AUTO_TEST_CASE(a_sas_that_lacks_a_permission_says_which) {
    const auto e = refused(sas_credential(scheme::http, account_sas("rl", "co", far)), name());
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.provider_code() == "AuthorizationPermissionMismatch");
    BOOST_TEST(mentions(e, "the SAS lacks the permission write (w)"));
}

BOOST_AUTO_TEST_CASE(a_sas_that_may_create_only_delivers) {
    const auto s = store_with(sas_credential(scheme::http, account_sas("c", "o", far)), name());
    const auto deadline = shard().time.now() + std::chrono::seconds(20);
    const storage::payload body{as_bytes("hello")};
    storage::put_options how;
    how.only_if_absent = true;
    const auto first = run(s->put("once", body, how, deadline));
    BOOST_TEST(first.has_value(), first.error().context());
    const auto second = run(s->put("once", body, how, deadline));
    // Azure calls a repeat UnauthorizedBlobOverwrite, which is delivered; the emulator does not tell.
    const bool expected =
        second.has_value() || second.error().provider_code() == "AuthorizationPermissionMismatch";
    BOOST_TEST(expected, second.error().context());
}

BOOST_AUTO_TEST_CASE(checking_a_container_writes_nothing) {
    const auto check = [this](const storage::credential& with, const std::string& container) {
        const auto s = store_with(with, container);
        return run(s->check(shard().time.now() + std::chrono::seconds(20)));
    };
    BOOST_TEST(check(credential, name()).has_value());
    BOOST_TEST(check(sas_credential(scheme::http, account_sas("rcwl", "co", far)), name()).has_value());
    BOOST_TEST(check(sas_credential(scheme::http, container_sas(name(), "rcw", far)), name()).has_value());
    BOOST_TEST(check(sas_credential(scheme::http, container_sas(name(), "cw", far)), name()).has_value());
    const auto missing = check(credential, "no-such-container");
    BOOST_REQUIRE(!missing.has_value());
    BOOST_TEST((missing.error().what() == disposition::stop));
    BOOST_TEST(mentions(missing.error(), "container no-such-container does not exist"));
    const auto expired =
        check(sas_credential(scheme::http, container_sas(name(), "rcw", "2020-01-01T00:00:00Z")), name());
    BOOST_REQUIRE(!expired.has_value());
    BOOST_TEST((expired.error().what() == disposition::stop));
}

/// Every request is judged by the key it was signed with; what changes on disk is picked up.
BOOST_AUTO_TEST_CASE(a_key_that_is_replaced_on_disk_costs_one_refusal_and_no_delivery) {
    const contract::temporary_directory home;
    const auto file = (home.path / "connection").string();
    const auto write = [&file](const std::string& text) { std::ofstream(file) << text << "\n"; };
    const auto& env = environment();
    const auto text = [&env](const std::string& key) {
        return "BlobEndpoint=" + env.at("AZURE_ENDPOINT") + ";AccountName=" + env.at("AZURE_ACCOUNT") +
               ";AccountKey=" + key;
    };
    write(text("d3Jvbmctd3Jvbmctd3Jvbmc="));
    credential.token = storage::secret(text("d3Jvbmctd3Jvbmctd3Jvbmc="));
    credential.files.token = file;
    storage::refresh_options at_once;
    at_once.apart = std::chrono::seconds(0);
    storage::credential_sources own({shard(), client().transports(), storage::machine_without_variables()},
                                    at_once);
    sources = &own;
    const auto s = store();
    const auto refused_first = run(put(*s, shard(), "key"));
    BOOST_TEST(!refused_first.has_value());
    write(text(env.at("AZURE_KEY")));
    const auto done = run(put(*s, shard(), "key"));
    BOOST_TEST(done.has_value(), done.error().context());
}

namespace {

/// As Azure's, but signed by nobody, which this server does not mind.
std::string access_token(std::chrono::seconds life) {
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    const auto part = [](const std::string& text) {
        auto out = http::to_base64(as_bytes(text));
        while (out.ends_with('=')) out.pop_back();
        std::ranges::replace(out, '+', '-');
        std::ranges::replace(out, '/', '_');
        return out;
    };
    const auto at = [&now](std::chrono::seconds when) { return std::to_string((now + when).count()); };
    return part(R"({"alg":"RS256","typ":"JWT"})") + "." +
           part(R"({"aud":"https://storage.azure.com","iss":"https://sts.windows.net/t/","iat":)" +
                at(-life) + R"(,"nbf":)" + at(-std::chrono::hours(2)) + R"(,"exp":)" + at(life) + "}") +
           ".c2lnbmF0dXJl";
}

/// First a token that has expired but does not say so, then good ones.
class tokens final : public storage::credential_provider {
public:
    std::string describe() const override { return "the test"; }
    task<result<storage::credential_value>> fetch(time_source::steady) override {
        storage::credential_value out;
        out.bearer = storage::secret(access_token(std::chrono::hours(fetches == 0 ? -1 : 1)));
        ++fetches;
        co_return out;
    }
    int fetches = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(an_access_token_that_has_expired_is_renewed_and_nothing_is_lost) {
    azure_container_fixture container(scheme::https);
    auto at = storage::parse_connection_string(container.credential.token.reveal()).value();
    at.endpoint.to.ca_file = container.credential.ca_file;
    const auto place = std::make_shared<tokens>();
    storage::refresh_options at_once;
    at_once.apart = std::chrono::seconds(0);
    const auto source =
        std::make_shared<storage::refreshed_credential>(container.shard(), place, "credential t", at_once);
    storage::azure_store s(container.shard(), container.client().transports(), at, container.name(), source);
    for (int i = 0; i < 3; ++i) {
        const auto done = container.run(put(s, container.shard(), "by token"));
        BOOST_TEST(done.has_value(), done.error().context());
    }
    BOOST_TEST(place->fetches == 2);
    const auto checked = container.run(s.check(container.shard().time.now() + std::chrono::seconds(20)));
    BOOST_TEST(checked.has_value());
}

BOOST_AUTO_TEST_CASE(a_dead_endpoint_is_worth_a_retry) {
    credential.token = storage::secret("BlobEndpoint=http://127.0.0.1:1/a;AccountKey=bm90LWEtcmVhbC1rZXk=");
    const auto e = refused(credential, name());
    BOOST_TEST((e.what() == disposition::retry));
    BOOST_TEST(mentions(e, "http://127.0.0.1:1 cannot be reached: Connection refused"));
}

BOOST_AUTO_TEST_CASE(a_server_whose_certificate_nobody_vouches_for_is_refused) {
    auto with = working_credential(scheme::https);
    with.ca_file.clear();
    const auto e = refused(with, name());
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(mentions(e, "certificate that is not trusted"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(azure_connections)

namespace {

task<int> puts_around(storage::store& store, context& x, std::chrono::seconds idle) {
    int stored = 0;
    for (int i = 0; i < 2; ++i) {
        auto done = co_await put(store, x, "kept alive");
        if (done.has_value()) ++stored;
        if (!done.has_value()) BOOST_ERROR(done.error().context());
        if (i > 0) continue;
        const auto wake = x.time.now() + idle;
        co_await x.time.sleep_until(wake);
    }
    co_return stored;
}

}  // namespace

/// The client keeps connections longer than this server does, which ends them after five or six seconds.
BOOST_AUTO_TEST_CASE(a_connection_that_the_server_closed_meanwhile_costs_nothing) {
    http::client_options how;
    how.idle = std::chrono::seconds(60);
    azure_container_fixture container(scheme::http, how);
    const auto store = container.store();  // of one attempt: no retry would repair a failure
    BOOST_TEST(container.run(puts_around(*store, container.shard(), std::chrono::seconds(8))) == 2);
    const auto& count = container.shard().count.snapshot();
    BOOST_TEST(count.at("http_connections_opened") == 3U);  // one made the container
}

BOOST_AUTO_TEST_SUITE_END()
