#include "stages/normalize_config.hpp"

#include "tests/support/shard_fixture.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace {

using namespace firehose;
using stages::event;
using stages::normalize_config;
using stages::routing_fault;
using stages::target;
using storage::destination;

/// As a registry would: buckets and credentials that begin with "bad" do not exist, nor do types but these.
std::string check(const destination& to) {
    if (to.type != "s3" && to.type != "azure" && to.type != "directory") return "nobody knows " + to.type;
    if (to.bucket.starts_with("bad")) return "no such bucket";
    if (to.credential_id.starts_with("bad")) return "no such credential";
    return {};
}

std::vector<target> targets(std::string_view text) {
    return stages::targets_of(boost::json::parse(text), check);
}

std::vector<routing_fault> faults(std::string_view text) {
    return stages::check_routing(boost::json::parse(text), check);
}

/// "service:type bucket/prefix@credential" of each target, or "service!" when it has a problem; sorted.
std::vector<std::string> brief(const std::vector<target>& all) {
    std::vector<std::string> out;
    for (const auto& t : all) {
        const auto& to = t.to;
        out.push_back(!t.problem.empty() ? to.service + "!"
                                         : to.service + ":" + to.type + " " + to.bucket + "/" + to.prefix +
                                               "@" + to.credential_id);
    }
    std::ranges::sort(out);
    return out;
}

void expect(std::string_view firehose, std::vector<std::string> expected) {
    const auto got = brief(targets(firehose));
    BOOST_TEST_CONTEXT(firehose) {
        BOOST_CHECK_EQUAL_COLLECTIONS(got.begin(), got.end(), expected.begin(), expected.end());
    }
}

/// The pointers at which check_routing() finds fault, sorted.
void expect_faults(std::string_view firehose, std::vector<std::string> expected) {
    std::vector<std::string> got;
    for (const auto& f : faults(firehose)) {
        got.push_back(f.pointer);
        BOOST_TEST(!f.message.empty());
    }
    std::ranges::sort(got);
    std::ranges::sort(expected);
    BOOST_TEST_CONTEXT(firehose) {
        BOOST_CHECK_EQUAL_COLLECTIONS(got.begin(), got.end(), expected.begin(), expected.end());
    }
}

std::string message_at(std::string_view firehose, std::string_view pointer) {
    for (const auto& f : faults(firehose))
        if (f.pointer == pointer) return f.message;
    return "(no fault)";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(routing_on_the_event_path)

BOOST_AUTO_TEST_CASE(nothing_and_off_is_no_target) {
    expect("null", {});
    expect("{}", {});
    expect(R"({"enabled":true})", {});
    for (const char* enabled : {"false", "null", "1", "\"true\"", "[]", "{}"}) {
        const auto e = std::string(enabled);
        expect(R"({"enabled":)" + e + R"(,"credential_id":"c","bucket":"b"})", {});
        expect(R"({"enabled":)" + e +
                   R"(,"services":{"aws":{"enabled":true,"credential_id":"c","bucket":"b"}}})",
               {});
    }
    expect(R"({"credential_id":"c","bucket":"b"})", {});
}

BOOST_AUTO_TEST_CASE(legacy_is_one_aws_target) {
    expect(R"({"enabled":true,"credential_id":"c","bucket":"b"})", {"aws:s3 b/@c"});
    expect(R"({"enabled":true,"credential_id":"c","bucket":"b","prefix":"p/q"})", {"aws:s3 b/p/q@c"});
    expect(R"({"enabled":true,"credential_id":"c","bucket":"b","prefix":null})", {"aws:s3 b/@c"});
}

BOOST_AUTO_TEST_CASE(half_a_legacy_form_is_none) {
    expect(R"({"enabled":true,"bucket":"b"})", {});
    expect(R"({"enabled":true,"credential_id":"c"})", {});
    expect(R"({"enabled":true,"credential_id":"c","bucket":null})", {});
}

BOOST_AUTO_TEST_CASE(services_name_any_number_of_targets) {
    expect(R"({"enabled":true,"services":{
        "aws":{"enabled":true,"credential_id":"c1","bucket":"b1","prefix":"p1"},
        "azure":{"enabled":true,"credential_id":"c2","bucket":"b2"},
        "archive":{"enabled":true,"type":"directory","bucket":"b3"}}})",
           {"archive:directory b3/@", "aws:s3 b1/p1@c1", "azure:azure b2/@c2"});
    expect(R"({"enabled":true,"services":{}})", {});
    expect(R"({"enabled":true,"services":null,"credential_id":"c","bucket":"b"})", {"aws:s3 b/@c"});
}

BOOST_AUTO_TEST_CASE(legacy_beside_azure_is_two_targets_and_beside_aws_one) {
    expect(R"({"enabled":true,"credential_id":"old","bucket":"old",
        "services":{"azure":{"enabled":true,"credential_id":"new","bucket":"new"}}})",
           {"aws:s3 old/@old", "azure:azure new/@new"});
    expect(R"({"enabled":true,"credential_id":"old","bucket":"old",
        "services":{"aws":{"enabled":true,"credential_id":"new","bucket":"new"}}})",
           {"aws:s3 new/@new"});
    // Switched off or broken, services.aws still takes the legacy form's place.
    expect(R"({"enabled":true,"credential_id":"old","bucket":"old",
        "services":{"aws":{"enabled":false,"credential_id":"new","bucket":"new"}}})",
           {});
    expect(R"({"enabled":true,"credential_id":"old","bucket":"old","services":{"aws":"x"}})", {"aws!"});
    // Null is absent.
    expect(R"({"enabled":true,"credential_id":"old","bucket":"old","services":{"aws":null}})",
           {"aws:s3 old/@old"});
}

BOOST_AUTO_TEST_CASE(a_service_not_switched_on_is_dropped_and_the_others_go_on) {
    for (const char* enabled : {R"("enabled":false,)", R"("enabled":"true",)", R"("enabled":null,)", ""}) {
        expect(
            R"({"enabled":true,"services":{"aws":{)" + std::string(enabled) +
                R"("credential_id":"c","bucket":"b"},"azure":{"enabled":true,"credential_id":"c","bucket":"b"}}})",
            {"azure:azure b/@c"});
    }
}

BOOST_AUTO_TEST_CASE(a_type_of_ones_own) {
    expect(R"({"enabled":true,"services":{"x":{"enabled":true,"type":"aws","bucket":"b"}}})", {"x:s3 b/@"});
    expect(R"({"enabled":true,"services":{"aws":{"enabled":true,"type":"directory","bucket":"b"}}})",
           {"aws:directory b/@"});
    expect(R"({"enabled":true,"services":{"x":{"enabled":true,"type":"kafka","bucket":"b"}}})", {"x!"});
    const auto untyped = targets(R"({"enabled":true,"services":{"gcs":{"enabled":true,"bucket":"b"}}})");
    BOOST_REQUIRE_EQUAL(untyped.size(), 1);
    BOOST_TEST(untyped[0].problem ==
               "nobody knows the service \"gcs\": give it a \"type\", or name it aws or azure");
}

BOOST_AUTO_TEST_CASE(an_invalid_target_has_a_problem_and_the_others_go_on) {
    const std::string well = R"("azure":{"enabled":true,"credential_id":"c","bucket":"b"}}})";
    for (const char* broken :
         {R"("bucket":"bad")", R"("bucket":"b","credential_id":"bad")", R"("bucket":"")", R"("prefix":"p")",
          R"("bucket":5)", R"("bucket":["b"])", R"("bucket":"b","prefix":{})", R"("bucket":"b","type":true)",
          R"("bucket":"b","credential_id":7)", R"("bucket":null)"}) {
        expect(R"({"enabled":true,"services":{"aws":{"enabled":true,)" + std::string(broken) + "}," + well,
               {"aws!", "azure:azure b/@c"});
    }
    for (const char* entry : {"5", "\"b\"", "[]", "true"})
        expect(R"({"enabled":true,"services":{"aws":)" + std::string(entry) + "," + well,
               {"aws!", "azure:azure b/@c"});
    const auto got = targets(R"({"enabled":true,"services":{"aws":{"enabled":true,"bucket":"bad"}}})");
    BOOST_REQUIRE_EQUAL(got.size(), 1);
    BOOST_TEST(got[0].problem == "no such bucket");
    BOOST_TEST(got[0].to.bucket == "bad");
}

BOOST_AUTO_TEST_CASE(an_invalid_legacy_target_has_a_problem) {
    expect(R"({"enabled":true,"credential_id":"c","bucket":"bad"})", {"aws!"});
    expect(R"({"enabled":true,"credential_id":5,"bucket":"b"})", {"aws!"});
    expect(R"({"enabled":true,"credential_id":"c","bucket":{}})", {"aws!"});
    expect(R"({"enabled":true,"credential_id":"c","bucket":"b","prefix":1})", {"aws!"});
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_at_all_is_one_target_with_a_problem) {
    for (const char* kind : {"5", "1.5", "true", "false", "\"text\"", "[]", "18446744073709551615"})
        expect(kind, {"unreadable!"});
    for (const char* kind : {"5", "true", "\"text\"", "[]"}) {
        expect(R"({"enabled":true,"services":)" + std::string(kind) + "}", {"unreadable!"});
        expect(R"({"enabled":true,"credential_id":"c","bucket":"b","services":)" + std::string(kind) + "}",
               {"aws:s3 b/@c", "unreadable!"});
        expect(R"({"enabled":false,"services":)" + std::string(kind) + "}", {});
    }
}

BOOST_AUTO_TEST_CASE(prefixes_lose_their_outer_slashes_and_keep_the_inner) {
    const auto prefix_of = [](const std::string& prefix) {
        const auto all =
            targets(R"({"enabled":true,"credential_id":"c","bucket":"b","prefix":")" + prefix + "\"}");
        BOOST_REQUIRE_EQUAL(all.size(), 1);
        return all[0].to.prefix;
    };
    BOOST_TEST(prefix_of("") == "");
    BOOST_TEST(prefix_of("/") == "");
    BOOST_TEST(prefix_of("///") == "");
    BOOST_TEST(prefix_of("/a/") == "a");
    BOOST_TEST(prefix_of("//a//b//") == "a//b");
    BOOST_TEST(prefix_of(" a ") == " a ");
}

BOOST_AUTO_TEST_CASE(the_check_may_be_left_out) {
    const auto all = stages::targets_of(
        boost::json::parse(R"({"enabled":true,"credential_id":"bad","bucket":"bad"})"), {});
    BOOST_REQUIRE_EQUAL(all.size(), 1);
    BOOST_TEST(all[0].problem == "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(routing_that_is_saved)

BOOST_AUTO_TEST_CASE(good_configurations_have_no_fault) {
    expect_faults(R"({"enabled":true,"credential_id":"c","bucket":"b"})", {});
    expect_faults(R"({"enabled":true,"credential_id":"c","bucket":"b","prefix":"p","services":
        {"azure":{"enabled":true,"credential_id":"c","bucket":"b","prefix":"p"}}})",
                  {});
    expect_faults(R"({"enabled":true,"services":{"x":{"enabled":true,"type":"directory","bucket":"b"}}})",
                  {});
    expect_faults(R"({"enabled":false})", {});
    expect_faults(R"({"enabled":false,"credential_id":"c","bucket":"bad"})", {});
    expect_faults(
        R"({"enabled":true,"credential_id":"c","bucket":"b","services":{"azure":{"enabled":false}}})", {});
}

BOOST_AUTO_TEST_CASE(wrong_kinds_are_faults) {
    for (const char* kind : {"null", "5", "[]", "\"x\"", "true"}) expect_faults(kind, {""});
    expect_faults(R"({"enabled":true,"credential_id":"c","bucket":"b","services":[]})", {"/services"});
    expect_faults(R"({"enabled":1,"credential_id":"c","bucket":"b"})", {"/enabled"});
    expect_faults(R"({"enabled":null,"credential_id":"c","bucket":"b"})", {"/enabled"});
    expect_faults(R"({"enabled":true,"services":{"aws":null}})", {"/services/aws"});
    expect_faults(R"({"enabled":true,"services":{"aws":[]}})", {"/services/aws"});
}

BOOST_AUTO_TEST_CASE(enabled_must_be_there_at_the_top_and_in_every_service) {
    expect_faults(R"({"credential_id":"c","bucket":"b"})", {"/enabled"});
    expect_faults(R"({"enabled":true,"services":{"aws":{"credential_id":"c","bucket":"b"}}})",
                  {"/services/aws/enabled"});
    expect_faults(R"({"enabled":true,"services":{"aws":{"enabled":"yes","credential_id":"c","bucket":"b"}}})",
                  {"/services/aws/enabled"});
}

BOOST_AUTO_TEST_CASE(half_a_legacy_form_is_a_fault_at_the_missing_half) {
    expect_faults(R"({"enabled":true,"bucket":"b"})", {"/credential_id"});
    expect_faults(R"({"enabled":true,"credential_id":"c"})", {"/bucket"});
}

BOOST_AUTO_TEST_CASE(enabled_without_any_target_is_a_fault) {
    expect_faults(R"({"enabled":true})", {""});
    expect_faults(R"({"enabled":true,"services":null})", {""});
    expect_faults(R"({"enabled":true,"services":{}})", {""});
    expect_faults(R"({"enabled":false,"services":{}})", {});
}

BOOST_AUTO_TEST_CASE(unknown_members_are_faults_and_the_known_ones_named) {
    const auto text = R"({"enabled":true,"credential_id":"c","bucket":"b","buckets":1,
        "services":{"azure":{"enabled":true,"credential_id":"c","bucket":"b","path":"p"}}})";
    expect_faults(text, {"/buckets", "/services/azure/path"});
    BOOST_TEST(message_at(text, "/buckets").find("bucket") != std::string::npos);
    expect_faults(R"({"enabled":true,"credential_id":"c","bucket":"b","type":"s3"})", {"/type"});
}

BOOST_AUTO_TEST_CASE(invalid_targets_are_faults_at_the_member_or_the_service) {
    const auto in_service = [](const std::string& rest) {
        return R"({"enabled":true,"services":{"aws":{"enabled":true,)" + rest + "}}}";
    };
    expect_faults(in_service(R"("bucket":"bad")"), {"/services/aws"});
    expect_faults(in_service(R"("credential_id":"c")"), {"/services/aws/bucket"});
    expect_faults(in_service(R"("bucket":5)"), {"/services/aws/bucket"});
    expect_faults(in_service(R"("bucket":"b","prefix":[])"), {"/services/aws/prefix"});
    expect_faults(in_service(R"("bucket":"b","credential_id":[])"), {"/services/aws/credential_id"});
    expect_faults(in_service(R"("bucket":"b","type":"kafka")"), {"/services/aws"});
    expect_faults(R"({"enabled":true,"services":{"gcs":{"enabled":true,"bucket":"b"}}})", {"/services/gcs"});
    expect_faults(R"({"enabled":true,"credential_id":"c","bucket":"bad"})", {""});
    expect_faults(R"({"enabled":true,"credential_id":5,"bucket":"b"})", {"/credential_id"});
}

BOOST_AUTO_TEST_CASE(every_fault_is_reported_at_once) {
    expect_faults(R"({"enabled":"on","extra":1,"bucket":"b","services":{
        "aws":{"bucket":5,"prefix":6,"credential_id":7,"type":8,"color":"red"},
        "gcs":{"enabled":true},
        "azure":[],
        "x":{"enabled":true,"type":"directory","bucket":"bad"}}})",
                  {"/enabled", "/extra", "/credential_id", "/services/aws/enabled", "/services/aws/bucket",
                   "/services/aws/prefix", "/services/aws/credential_id", "/services/aws/type",
                   "/services/aws/color", "/services/gcs", "/services/gcs/bucket", "/services/azure",
                   "/services/x"});
}

BOOST_AUTO_TEST_CASE(pointers_are_escaped) {
    expect_faults(R"({"enabled":true,"credential_id":"c","bucket":"b","a/b~c":1})", {"/a~1b~0c"});
    expect_faults(R"({"enabled":true,"services":{"a/b":{"bucket":"b","type":"directory"}}})",
                  {"/services/a~1b/enabled"});
}

BOOST_AUTO_TEST_CASE(what_is_accepted_here_has_no_problem_on_the_event_path) {
    for (
        const char* text :
        {R"({"enabled":true,"credential_id":"c","bucket":"b"})",
         R"({"enabled":true,"services":{"aws":{"enabled":true,"credential_id":"c","bucket":"b"}}})",
         R"({"enabled":true,"services":{"aws":{"enabled":false},"x":{"enabled":true,"type":"s3","bucket":"b"}}})"}) {
        expect_faults(text, {});
        for (const auto& t : targets(text)) BOOST_TEST(t.problem == "");
    }
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

constexpr std::string_view own = R"({"enabled":true,"credential_id":"c","bucket":"own"})";

stages::target_list one_target(std::string bucket) {
    target t;
    t.to.service = "aws";
    t.to.type = "s3";
    t.to.bucket = std::move(bucket);
    return std::make_shared<const std::vector<target>>(1, t);
}

struct router {
    std::shared_ptr<stages::account> books = std::make_shared<stages::account>();
    std::vector<stages::refusal> refused{};
    normalize_config stage;

    explicit router(bool with_table = true)
        : stage({.routing = with_table ? table() : nullptr,
                 .check = check,
                 .books = books,
                 .refused = [this](const stages::refusal& r) { refused.push_back(r); }}) {}

    static std::shared_ptr<const stages::routing_table> table() {
        auto t = std::make_shared<stages::routing_table>();
        t->flows["f"] = one_target("flow");
        t->otherwise = one_target("default");
        return t;
    }
    /// The buckets an event goes to.
    std::string route(const std::string& members) {
        const auto text = R"({"id":"e","data":{"id":1})" + members + "}";
        slab_ = copy_to_slab(text + std::string(stages::event_reader::padding, ' '));
        event e;
        BOOST_TEST(stage.normalize({{slab_.get(), text.size()}, 1, 0}, e));
        std::string buckets;
        if (e.targets)
            for (const auto& t : *e.targets) buckets += (buckets.empty() ? "" : " ") + t.to.bucket;
        return buckets;
    }
    slab slab_{};
};

std::string firehose_member(std::string_view value) { return ",\"firehose\":" + std::string(value); }

const std::string in_flow = R"(,"vars":{"flow":{"id":"f"}})";
const std::string in_other_flow = R"(,"vars":{"flow":{"id":"g"}})";

}  // namespace

BOOST_AUTO_TEST_SUITE(who_routes_an_event)

BOOST_AUTO_TEST_CASE(its_own_object_then_its_flow_then_the_default) {
    router r;
    BOOST_TEST(r.route(in_flow + firehose_member(own)) == "own");
    BOOST_TEST(r.route(in_flow) == "flow");
    BOOST_TEST(r.route(in_other_flow) == "default");
    BOOST_TEST(r.route("") == "default");
    BOOST_TEST(r.route(in_flow + firehose_member("null")) == "flow");
}

BOOST_AUTO_TEST_CASE(an_own_object_that_is_off_or_empty_wins_too) {
    router r;
    BOOST_TEST(r.route(in_flow + firehose_member("{}")) == "");
    BOOST_TEST(r.route(in_flow + firehose_member(R"({"enabled":false,"credential_id":"c","bucket":"b"})")) ==
               "");
}

BOOST_AUTO_TEST_CASE(without_a_table_only_the_own_object_counts) {
    router r(false);
    BOOST_TEST(r.route(in_flow) == "");
    BOOST_TEST(r.route(firehose_member(own)) == "own");
}

BOOST_AUTO_TEST_CASE(unreadable_routing_is_parked_not_defaulted) {
    router r;
    const std::string deep = std::string(200, '[') + std::string(200, ']');
    for (const auto& value : {std::string("5"), std::string("\"x\""), deep}) {
        const auto text = R"({"id":"e","data":{"id":1},"firehose":)" + value + "}";
        const auto memory = copy_to_slab(text + std::string(stages::event_reader::padding, ' '));
        event e;
        BOOST_TEST(r.stage.normalize({{memory.get(), text.size()}, 1, 0}, e));
        BOOST_REQUIRE(e.targets);
        BOOST_REQUIRE_EQUAL(e.targets->size(), 1);
        BOOST_TEST(e.targets->front().to.service == stages::unreadable_service);
        BOOST_TEST(!e.targets->front().problem.empty());
    }
}

BOOST_AUTO_TEST_CASE(remembered_objects_are_shared_and_never_mixed_up) {
    router r;
    const auto with = [](const std::string& bucket) {
        return firehose_member(R"({"enabled":true,"credential_id":"c","bucket":")" + bucket + "\"}");
    };
    for (int round = 0; round < 2; ++round) {
        // More than are remembered, so that forgetting is passed as well.
        for (int i = 0; i < 5000; ++i) {
            const auto bucket = "b" + std::to_string(i);
            if (r.route(with(bucket)) != bucket) BOOST_FAIL("mixed up at " << bucket);
        }
    }
    event first, second;
    const std::string text = R"({"id":"e","data":{"id":1})" + with("same") + "}";
    const auto memory = copy_to_slab(text + std::string(stages::event_reader::padding, ' '));
    BOOST_TEST(r.stage.normalize({{memory.get(), text.size()}, 1, 0}, first));
    BOOST_TEST(r.stage.normalize({{memory.get(), text.size()}, 2, 0}, second));
    BOOST_TEST((first.targets == second.targets));
}

BOOST_AUTO_TEST_CASE(refused_lines_are_counted_and_named_and_do_not_disturb_the_others) {
    shard_fixture shard;
    router r;
    const std::string lines[] = {R"({"id":"e1","data":{"id":1}})", "nonsense", "[]",
                                 R"({"id":"e2","data":{"id":1}})"};
    std::string text;
    for (const auto& l : lines) text += l;
    const auto memory = copy_to_slab(text + std::string(stages::event_reader::padding, ' '));
    std::vector<stages::raw_event> items;
    std::size_t at = 0;
    for (const auto& l : lines) {
        items.push_back({{memory.get() + at, l.size()}, items.size() + 1, at});
        at += l.size();
    }
    int verdicts = 0;
    batch<stages::raw_event> b(std::move(items), text.size(), ack_token([&](outcome) { ++verdicts; }),
                               {memory});
    auto in = make_edge<stages::raw_event>(shard.x);
    auto out = make_edge<event>(shard.x);
    BOOST_TEST(in->try_send(b, 1));
    in->close();
    shard.run(r.stage.run(receiver<stages::raw_event>(in), sender<event>(out), shard.x));
    auto routed = out->try_receive();
    BOOST_REQUIRE(routed);
    BOOST_TEST(out->ended());
    BOOST_REQUIRE_EQUAL(routed->items().size(), 2);
    BOOST_TEST(routed->items()[0].id == "e1");
    BOOST_TEST(routed->items()[1].id == "e2");
    BOOST_TEST((routed->items()[1].raw.data() == memory.get() + at - lines[3].size()));
    BOOST_TEST(routed->slabs().size() == 1);
    BOOST_TEST(routed->bytes() == text.size());
    BOOST_TEST(verdicts == 0);
    routed->take_ack().resolve(outcome::stored);
    BOOST_TEST(verdicts == 1);
    BOOST_TEST(r.books->accepted() == 2);
    BOOST_TEST(r.books->refused() == 2);
    BOOST_REQUIRE_EQUAL(r.refused.size(), 2);
    BOOST_TEST(r.refused[0].line == 2);
    BOOST_TEST(r.refused[0].offset == lines[0].size());
    BOOST_TEST(r.refused[0].reason.starts_with("not JSON: "));
    BOOST_TEST(r.refused[1].line == 3);
    BOOST_TEST(r.refused[1].reason == "not a JSON object");
}

BOOST_AUTO_TEST_CASE(a_receiver_that_is_gone_ends_the_stage_and_the_batch_is_lost) {
    shard_fixture shard;
    router r;
    std::vector<outcome> verdicts;
    batch<stages::raw_event> b({}, 1, ack_token([&](outcome o) { verdicts.push_back(o); }));
    auto in = make_edge<stages::raw_event>(shard.x);
    auto out = make_edge<event>(shard.x);
    BOOST_TEST(in->try_send(b, 1));
    out->abandon();
    shard.run(r.stage.run(receiver<stages::raw_event>(in), sender<event>(out), shard.x));
    BOOST_TEST((verdicts == std::vector{outcome::lost}));
}

BOOST_AUTO_TEST_SUITE_END()
