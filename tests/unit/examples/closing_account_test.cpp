#include "examples/firehose/closing_account.hpp"
#include "examples/firehose/exit_codes.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

namespace {

using namespace firehose;
using namespace firehose::app;
using namespace std::chrono_literals;
using stages::standing;

struct closing_account_fixture {
    stages::account books{};
    time_source::steady begun{};

    /// One event that ends at `where` for each of `services`.
    void event(std::initializer_list<std::string_view> services, standing where) {
        books.accept();
        for (const auto service : services) {
            books.want(service);
            books.move(service, standing::in_flight, where, begun + 1500ms);
        }
    }
    static stages::backlog spooled(std::string service, std::uint64_t records) {
        stages::backlog row;
        row.to.service = std::move(service);
        row.records = records;
        return row;
    }
    closing_account close(const std::vector<stages::backlog>& left = {},
                          const std::vector<std::string>& services = {}) {
        return close_books(books, services, left, begun, begun + 35'092ms);
    }
};

BOOST_FIXTURE_TEST_SUITE(closing, closing_account_fixture)

BOOST_AUTO_TEST_CASE(the_shape_for_machines) {
    event({"aws", "local"}, standing::delivered);
    books.accept();
    books.refuse();
    books.want("aws");
    books.move("aws", standing::in_flight, standing::spooled, begun);
    const auto text = to_json(close({spooled("aws", 1)}, {"azure"}));
    BOOST_TEST(
        text ==
        R"({"accepted":2,"refused":1,"targets":{"aws":{"delivered":1,"spooled":1,"parked":0},)"
        R"("azure":{"delivered":0,"spooled":0,"parked":0},"local":{"delivered":1,"spooled":0,"parked":0}},)"
        R"("dropped":0,"seconds":35.092})");
}

BOOST_AUTO_TEST_CASE(any_name_of_a_service_is_json) {
    const std::string name("q\"\\\n\x1b\0\xe2\x80\xa8", 9);
    event({name}, standing::delivered);
    const auto text = to_json(close());
    BOOST_TEST(text.find('\n') == std::string::npos);
    BOOST_TEST(boost::json::parse(text).at("targets").as_object().contains(name));
}

BOOST_AUTO_TEST_CASE(tables_carry_no_control_bytes) {
    event({"a\x1b[2J\nb"}, standing::delivered);
    const auto table = to_table(close());
    BOOST_TEST(table.find('\x1b') == std::string::npos);
    BOOST_TEST(std::count(table.begin(), table.end(), '\n') == 3);
}

BOOST_AUTO_TEST_CASE(everything_delivered) {
    event({"aws"}, standing::delivered);
    const auto account = close();
    BOOST_TEST(exit_code_of(account) == int(all_delivered));
    BOOST_TEST(account.targets.at("aws").seconds == 1.5);
    BOOST_TEST(account.backlog.empty());
    BOOST_TEST(to_json(account).find("backlog") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(nothing_at_all) { BOOST_TEST(exit_code_of(close()) == int(all_delivered)); }

BOOST_AUTO_TEST_CASE(an_event_without_targets_is_complete) {
    event({}, standing::delivered);
    BOOST_TEST(close().accepted == 1U);
    BOOST_TEST(exit_code_of(close()) == int(all_delivered));
}

BOOST_AUTO_TEST_CASE(something_kept) {
    event({"aws"}, standing::spooled);
    BOOST_TEST(exit_code_of(close({spooled("aws", 1)})) == int(kept));
}

BOOST_AUTO_TEST_CASE(something_parked) {
    event({"aws"}, standing::parked);
    BOOST_TEST(exit_code_of(close()) == int(kept));
}

BOOST_AUTO_TEST_CASE(refused_input_counts_before_what_is_kept) {
    event({"aws"}, standing::spooled);
    books.refuse();
    BOOST_TEST(exit_code_of(close({spooled("aws", 1)})) == int(refused));
}

BOOST_AUTO_TEST_CASE(something_lost_counts_before_everything) {
    event({"aws"}, standing::lost);
    books.refuse();
    const auto account = close();
    BOOST_TEST(account.dropped == 1U);
    BOOST_TEST(exit_code_of(account) == int(internal));
}

BOOST_AUTO_TEST_CASE(books_that_do_not_balance) {
    books.accept();
    books.want("aws");  // still in flight
    const auto account = close();
    BOOST_TEST(!account.balances);
    BOOST_TEST(exit_code_of(account) == int(internal));
}

BOOST_AUTO_TEST_CASE(what_an_earlier_run_left) {
    event({"aws"}, standing::spooled);
    books.backlog_delivered("aws");
    books.backlog_delivered("aws");
    // Five are there: one of this run, four of an earlier one.
    const auto account = close({spooled("aws", 3), spooled("aws", 2)});
    BOOST_TEST(account.targets.at("aws").spooled == 1U);
    BOOST_TEST(account.backlog.at("aws").delivered == 2U);
    BOOST_TEST(account.backlog.at("aws").spooled == 4U);
    BOOST_TEST(exit_code_of(account) == int(kept));
    BOOST_TEST(to_json(account).find(R"("backlog":{"aws":{"delivered":2,"spooled":4,"parked":0}})") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_earlier_run_s_spool_alone_is_something_kept) {
    BOOST_TEST(exit_code_of(close({spooled("gone", 1)})) == int(kept));
}

BOOST_AUTO_TEST_CASE(a_queue_does_not_say_whose_its_records_are) {
    for (int i = 0; i < 3; ++i) event({"aws"}, standing::spooled);
    auto queue = spooled("sqs", 5);
    queue.to.bucket = "shared";
    queue.whole_queue = true;
    // One of our three lies on the disk, so two of the queue's five are ours.
    const auto account = close({spooled("aws", 1), queue});
    BOOST_TEST(account.targets.at("aws").spooled == 3U);
    BOOST_TEST(account.backlog.size() == 1U);
    BOOST_TEST(account.backlog.at("queue shared").spooled == 3U);
    queue.records = 2;
    BOOST_TEST(close({spooled("aws", 1), queue}).backlog.empty());
}

BOOST_AUTO_TEST_CASE(an_empty_spool_is_not) {
    books.backlog_delivered("aws");
    BOOST_TEST(exit_code_of(close()) == int(all_delivered));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
