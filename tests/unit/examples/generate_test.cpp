#include "examples/firehose/verbs.hpp"
#include "tests/contract/temporary_directory.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

namespace {

using namespace firehose::app;

/// What the verb writes to standard output.
std::string generated(const generate_arguments& how) {
    const firehose::contract::temporary_directory scratch;
    const auto path = scratch.path / "out";
    std::fflush(stdout);
    const int before = ::dup(STDOUT_FILENO);
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ::dup2(file, STDOUT_FILENO);
    ::close(file);
    const int code = generate_verb(how);
    ::dup2(before, STDOUT_FILENO);
    ::close(before);
    BOOST_TEST(code == 0);
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<boost::json::value> events_of(const std::string& text) {
    std::vector<boost::json::value> all;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) all.push_back(boost::json::parse(line));
    return all;
}

std::string at(const boost::json::value& event, std::string_view pointer) {
    return std::string(event.at_pointer(pointer).as_string());
}

BOOST_AUTO_TEST_SUITE(generate)

BOOST_AUTO_TEST_CASE(the_same_seed_the_same_bytes) {
    for (const std::string kind : {"lead", "crm"}) {
        const auto once = generated({.count = 500, .seed = 9, .kind = kind, .flows = 3});
        BOOST_TEST(once == generated({.count = 500, .seed = 9, .kind = kind, .flows = 3}));
        BOOST_TEST(once != generated({.count = 500, .seed = 10, .kind = kind, .flows = 3}));
    }
}

BOOST_AUTO_TEST_CASE(fewer_events_are_the_first_of_more) {
    const auto many = generated({.count = 2000});
    BOOST_TEST(many.starts_with(generated({.count = 1999})));
    BOOST_TEST(std::count(many.begin(), many.end(), '\n') == 2000);
    BOOST_TEST(many.size() > (1U << 20));  // more than one block
}

BOOST_AUTO_TEST_CASE(lead_events_have_ids_of_their_own) {
    std::set<std::string> ids, leads, flows;
    for (const auto& e : events_of(generated({.count = 300, .flows = 4}))) {
        ids.insert(at(e, "/id"));
        leads.insert(at(e, "/vars/lead/id"));
        flows.insert(at(e, "/vars/flow/id"));
        BOOST_TEST(e.at("end_timestamp").as_int64() >= e.at("start_timestamp").as_int64());
    }
    BOOST_TEST(ids.size() == 300U);
    BOOST_TEST(leads.size() == 100U);  // several events each
    BOOST_TEST(flows.size() == 4U);
    for (const auto& id : ids) BOOST_TEST(id.size() == 24U);
}

BOOST_AUTO_TEST_CASE(crm_events_have_the_shape_of_a_stream) {
    std::set<std::string> ids;
    for (const auto& e : events_of(generated({.count = 300, .kind = "crm"}))) {
        ids.insert(at(e, "/meta/event_id"));
        BOOST_TEST(e.at_pointer("/data/id").is_int64());
        const bool has_previous = e.at("meta").as_object().contains("previous");
        BOOST_TEST(has_previous == (at(e, "/meta/event_type") == "updated"));
    }
    BOOST_TEST(ids.size() == 300U);
}

BOOST_AUTO_TEST_CASE(none_is_nothing) { BOOST_TEST(generated({.count = 0}).empty()); }

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
