#include "tests/fakes/fault_script.hpp"

#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace firehose::fakes;
using namespace std::chrono_literals;

namespace {

/// Which of the first `count` requests are hit.
std::string pattern(fault_script& script, int count, const char* operation = "put", const char* key = "k") {
    std::string out;
    for (int i = 0; i < count; ++i) out += script.next(operation, key, 0ms) != nullptr ? 'x' : '.';
    return out;
}

fault_script with(std::uint64_t from, std::uint64_t every, std::uint64_t times) {
    fault f;
    f.on.from = from;
    f.on.every = every;
    f.on.times = times;
    fault_script script;
    script.add(f);
    return script;
}

std::string problem(const char* text) {
    fault_script script;
    const auto added = script.add_json(text);
    return added.has_value() ? "" : added.error().context();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fault_scripts)

BOOST_AUTO_TEST_CASE(the_nth_every_kth_and_no_more_than_so_many) {
    auto third = with(3, 1, 1);
    BOOST_TEST(pattern(third, 6) == "..x...");
    auto every_second = with(2, 2, 99);
    BOOST_TEST(pattern(every_second, 7) == ".x.x.x.");
    auto twice = with(1, 3, 2);
    BOOST_TEST(pattern(twice, 9) == "x..x.....");
    BOOST_TEST(twice.hits() == 2U);
}

BOOST_AUTO_TEST_CASE(by_operation_key_and_time) {
    fault f;
    f.on.operation = "head";
    f.on.key = "lead/";
    f.on.after = 100ms;
    f.on.until = 200ms;
    fault_script script;
    script.add(f);
    BOOST_TEST(script.next("put", "lead/1", 150ms) == nullptr);
    BOOST_TEST(script.next("head", "crm/1", 150ms) == nullptr);
    BOOST_TEST(script.next("head", "lead/1", 99ms) == nullptr);
    BOOST_TEST(script.next("head", "lead/1", 200ms) == nullptr);
    BOOST_TEST(script.next("head", "lead/1", 100ms) != nullptr);
}

BOOST_AUTO_TEST_CASE(the_first_of_two_counts_and_both_count_requests) {
    fault_script script;
    fault first;
    first.on.times = 1;
    first.what.status = 500;
    fault second;
    second.on.from = 2;
    second.what.status = 503;
    script.add(first);
    script.add(second);
    BOOST_TEST(script.next("put", "", 0ms)->status == 500);
    BOOST_TEST(script.next("put", "", 0ms)->status == 503);
}

BOOST_AUTO_TEST_CASE(json_says_the_same) {
    fault_script script;
    const auto added = script.add_json(R"({"faults": [
        {"on": {"operation": "put", "key": "a", "from": 2, "every": 1, "times": 1, "after_ms": 0, "until_ms": 1000},
         "do": {"status": 503, "code": "SlowDown", "message": "m", "body": "b", "headers": {"Retry-After": "1"},
                "delay_ms": 20, "cut": 17, "refuse": false, "carried_out": true, "lie": false,
                "expired_token": false, "region": ""}}]})");
    BOOST_REQUIRE_MESSAGE(added.has_value(), added.error().context());
    BOOST_TEST(script.next("put", "a", 0ms) == nullptr);
    const auto* hit = script.next("put", "ab", 999ms);
    BOOST_REQUIRE(hit != nullptr);
    BOOST_TEST(hit->status == 503);
    BOOST_TEST(hit->code == "SlowDown");
    BOOST_TEST(hit->body.value() == "b");
    BOOST_TEST(hit->headers.at(0).second == "1");
    BOOST_TEST((hit->delay == 20ms));
    BOOST_TEST(hit->cut.value() == 17U);
    BOOST_TEST(hit->carried_out);
    BOOST_TEST(script.next("put", "ab", 0ms) == nullptr);
}

BOOST_AUTO_TEST_CASE(a_wrong_script_says_where) {
    BOOST_TEST(problem("{").find("not JSON") != std::string::npos);
    BOOST_TEST(problem("[]").find("must be") != std::string::npos);
    BOOST_TEST(problem(R"({"faults": [{"on": {"opertion": "put"}}]})") ==
               "fault script: /faults/0/on/opertion is not known");
    BOOST_TEST(problem(R"({"faults": [{"do": {"status": "503"}}]})") ==
               "fault script: /faults/0/do/status must be a whole number");
    BOOST_TEST(problem(R"({"faults": [{"on": {"every": 0}}]})") ==
               "fault script: /faults/0/on/every must be 1 or more");
    BOOST_TEST(problem(R"({"faults": [{"when": {}}]})").find("nothing else") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_scripts_that_come_along_can_be_read) {
    for (const auto* name : {"slow_down_every_third", "outage_of_a_minute", "answers_get_lost",
                             "region_moved", "token_expires", "lying_success"}) {
        fault_script script;
        const auto added =
            script.add_file(std::filesystem::path(FIREHOSE_FAULTS) / (std::string(name) + ".json"));
        BOOST_TEST(added.has_value(), added.error().context());
    }
    fault_script none;
    BOOST_TEST(!none.add_file("/nonexistent/script.json").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
