// The verdicts of the configuration's delivery.destinations, from the file to where an event ends: the real
// clients, over S3 and Azure in memory, in front of a spool.
#include "http/client.hpp"
#include "pipeline/compose.hpp"
#include "stages/conservation.hpp"
#include "stages/delivery.hpp"
#include "stages/memory_spool.hpp"
#include "stages/upload.hpp"
#include "storage/azure_store.hpp"
#include "storage/s3_store.hpp"
#include "tests/fakes/fake_azure.hpp"
#include "tests/fakes/fake_s3.hpp"
#include "tests/support/shard_fixture.hpp"
#include "tests/unit/examples/configured.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

namespace {

using namespace firehose;
using namespace firehose::app;
using namespace std::chrono_literals;
namespace json = boost::json;

const std::string s3_id = "507f1f77bcf86cd799439011", azure_id = "507f1f77bcf86cd799439012";

/// What a service answers to every PUT, and what the configuration makes of it.
struct answer_row {
    std::string service{};
    int status = 0;
    std::string code{};
    std::string verdict{};  ///< of the override; "": there is none
    bool by_status = false;
    std::string expected{};  ///< the disposition that the kept event's record has
};

struct override_fixture : shard_fixture {
    fakes::fake_s3 s3{x};
    fakes::fake_azure azure{x};
    configured file{};
    loaded from_file{};
    http::client client{x};
    stages::memory_spool spool{time};
    std::shared_ptr<stages::account> books = std::make_shared<stages::account>();

    override_fixture() {
        s3.make_bucket("events");
        azure.make_container("events");
    }
    /// Both services get every event; the rule is for one of them.
    void configure(const answer_row& row) {
        json::object rule{{"match", {{"service", row.service}}}};
        if (!row.verdict.empty())
            rule["verdicts"] = {{row.by_status ? std::to_string(row.status) : row.code, row.verdict}};
        const auto keys = s3.credential(s3_id), token = azure.credential(azure_id);
        const json::object all{
            {"credentials",
             {{s3_id,
               {{"type", "user"},
                {"username", keys.username},
                {"password", keys.password.reveal()},
                {"endpoint", keys.endpoint}}},
              {azure_id, {{"type", "token"}, {"token", token.token.reveal()}}}}},
            {"default",
             {{"enabled", true},
              {"services",
               {{"aws", {{"enabled", true}, {"bucket", "events"}, {"credential_id", s3_id}}},
                {"azure", {{"enabled", true}, {"bucket", "events"}, {"credential_id", azure_id}}}}}}},
            {"delivery", {{"attempts", 1}, {"destinations", json::array{std::move(rule)}}}}};
        from_file = file.load(json::serialize(all));
        BOOST_REQUIRE_EQUAL(pointers_of(from_file.faults), "");
    }
    template <class Cloud> static void answer_every_put(Cloud& cloud, const answer_row& row) {
        fakes::fault f;
        f.on.operation = "put";
        f.what.status = row.status;
        f.what.code = row.code;
        cloud.faults.add(std::move(f));
    }
    void deliver(const std::string& id) {
        const auto& how = from_file.what;
        storage::registry stores;
        http::backoff once;
        once.attempts = 1;
        stores.add("s3", s3.kind(storage::s3_kind({.retries = once})));
        stores.add("azure", azure.kind(storage::azure_kind({.retries = once})));
        storage::store_environment environment{x, client, {}};
        environment.settings = [&how](const storage::destination& to) {
            return storage::find_settings(how.destinations, to);
        };
        const stages::delivery::parts parts{stores, how.credentials, environment, spool, books};
        auto shared = std::make_shared<stages::delivery>(x, parts, how.delivery);
        const std::string body = "{\"id\":\"" + id + "\"}";
        stages::event one;
        one.raw = as_bytes(body);
        one.id = id;
        one.group = "g";
        one.targets = how.routing.otherwise;
        std::vector<stages::event> events(1, one);
        batch<stages::event> all(std::move(events), body.size(), ack_token([](outcome) {}), {});
        auto in = make_edge<stages::event>(x);
        BOOST_REQUIRE(in->try_send(all, 1));
        in->close();
        stages::upload stage(shared, stages::every_service());
        run(stage.run(receiver<stages::event>(in), x));
    }
};

/// "retry": as it was left waiting in the spool; "park": among the dead letters.
std::string where(const stages::memory_spool& spool, const std::string& service) {
    std::string out;
    for (const auto& one : spool.records())
        if (one.header.to.service == service) out += one.header.last_error.disposition;
    for (const auto& one : spool.dead_letters())
        if (one.header.to.service == service) out += "dead letter: " + one.header.last_error.disposition;
    return out;
}

const std::vector<answer_row> rows = {
    {"aws", 503, "SlowDown", "", false, "slow_down"},
    {"aws", 503, "SlowDown", "park", false, "dead letter: park"},
    {"aws", 503, "SlowDown", "stop", true, "stop"},
    {"aws", 403, "AccessDenied", "", false, "stop"},
    {"aws", 403, "AccessDenied", "retry", false, "retry"},
    {"aws", 403, "AccessDenied", "park", true, "dead letter: park"},
    {"aws", 400, "EntityTooLarge", "", false, "dead letter: park"},
    {"aws", 400, "EntityTooLarge", "retry", false, "retry"},
    {"aws", 404, "NoSuchBucket", "slow_down", false, "slow_down"},
    {"azure", 503, "ServerBusy", "", false, "slow_down"},
    {"azure", 503, "ServerBusy", "park", false, "dead letter: park"},
    {"azure", 403, "AuthorizationPermissionMismatch", "", false, "stop"},
    {"azure", 403, "AuthorizationPermissionMismatch", "retry", false, "retry"},
    {"azure", 403, "AuthorizationPermissionMismatch", "park", true, "dead letter: park"},
    {"azure", 413, "RequestBodyTooLarge", "", false, "dead letter: park"},
    {"azure", 413, "RequestBodyTooLarge", "stop", true, "stop"},
    {"azure", 404, "ContainerNotFound", "retry", false, "retry"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(verdict_overrides)

BOOST_AUTO_TEST_CASE(decide_where_an_event_ends_and_only_at_the_destination_they_are_for) {
    for (const auto& row : rows) {
        BOOST_TEST_CONTEXT(row.service << " " << row.status << " " << row.code << " as " << row.verdict) {
            override_fixture rig;
            rig.configure(row);
            const bool at_s3 = row.service == "aws";
            if (at_s3)
                rig.answer_every_put(rig.s3, row);
            else
                rig.answer_every_put(rig.azure, row);
            rig.deliver("e1");
            BOOST_TEST(where(rig.spool, row.service) == row.expected);
            const std::string other = at_s3 ? "azure" : "aws";
            BOOST_TEST(where(rig.spool, other) == "");
            BOOST_TEST(rig.s3.bucket("events").objects.contains("g/e1.json") == !at_s3);
            BOOST_TEST(rig.azure.container("events").objects.contains("g/e1.json") == at_s3);
            BOOST_TEST(rig.books->targets().at(other).delivered == 1u);
            BOOST_TEST(rig.books->closed());
            for (const auto& fault : stages::conservation_faults(*rig.books, {}, rig.spool.contents()))
                BOOST_ERROR(fault);
        }
    }
}

BOOST_AUTO_TEST_CASE(of_one_service_say_nothing_of_the_same_answer_at_the_other) {
    answer_row row{"aws", 403, "AccessDenied", "park", true, ""};
    override_fixture rig;
    rig.configure(row);
    rig.answer_every_put(rig.s3, row);
    row.code = "AuthorizationFailure";
    rig.answer_every_put(rig.azure, row);
    rig.deliver("e1");
    BOOST_TEST(where(rig.spool, "aws") == "dead letter: park");
    BOOST_TEST(where(rig.spool, "azure") == "stop");
}

BOOST_AUTO_TEST_SUITE_END()
