#include "stages/account.hpp"
#include "stages/by_service.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace firehose;
using stages::account;
using stages::standing;
using namespace std::chrono_literals;

constexpr time_source::steady now{1h};

}  // namespace

BOOST_AUTO_TEST_SUITE(books)

BOOST_AUTO_TEST_CASE(every_move_keeps_the_row_in_balance) {
    account books;
    for (const auto to : {standing::delivered, standing::spooled, standing::parked, standing::lost}) {
        books.want("aws");
        BOOST_TEST(!books.closed());
        BOOST_TEST(books.targets().at("aws").balances());
        books.move("aws", standing::in_flight, to, now);
        BOOST_TEST(books.closed());
    }
    const auto& row = books.targets().at("aws");
    BOOST_TEST(row.accepted == 4);
    BOOST_TEST(row.delivered == 1);
    BOOST_TEST(row.spooled == 1);
    BOOST_TEST(row.parked == 1);
    BOOST_TEST(row.lost == 1);
    BOOST_TEST(row.in_flight == 0);
    BOOST_TEST(books.lost() == 1);
}

BOOST_AUTO_TEST_CASE(an_event_out_of_the_spool_is_in_flight_again_and_then_delivered) {
    account books;
    books.want("aws");
    books.move("aws", standing::in_flight, standing::spooled, now);
    BOOST_TEST(!books.targets().at("aws").last_delivered);
    books.move("aws", standing::spooled, standing::in_flight, now);
    BOOST_TEST(!books.closed());
    books.move("aws", standing::in_flight, standing::delivered, now + 5ms);
    BOOST_TEST(books.closed());
    BOOST_TEST(books.targets().at("aws").spooled == 0);
    BOOST_TEST((books.targets().at("aws").last_delivered == now + 5ms));
}

BOOST_AUTO_TEST_CASE(lost_is_summed_over_the_services) {
    account books;
    for (const char* service : {"aws", "azure", "aws"}) {
        books.want(service);
        books.move(service, standing::in_flight, standing::lost, now);
    }
    BOOST_TEST(books.lost() == 3);
    BOOST_TEST(books.targets().at("azure").lost == 1);
}

BOOST_AUTO_TEST_CASE(a_row_that_does_not_balance_does_not_close) {
    stages::target_account row;
    BOOST_TEST(row.balances());
    row.accepted = 1;
    BOOST_TEST(!row.balances());
    for (auto place : {&stages::target_account::delivered, &stages::target_account::spooled,
                       &stages::target_account::parked, &stages::target_account::lost,
                       &stages::target_account::in_flight}) {
        row.*place = 1;
        BOOST_TEST(row.balances());
        row.*place = 0;
    }
}

BOOST_AUTO_TEST_CASE(the_backlog_has_books_of_its_own) {
    account books;
    books.backlog_delivered("aws");
    books.backlog_delivered("aws");
    books.backlog_parked("azure");
    BOOST_TEST(books.backlog().at("aws").delivered == 2);
    BOOST_TEST(books.backlog().at("azure").parked == 1);
    BOOST_TEST(books.targets().empty());
    BOOST_TEST(books.closed());
}

BOOST_AUTO_TEST_CASE(the_branches_of_a_fan_out_cover_every_service_exactly_once) {
    const auto aws = stages::by_service("aws");
    const auto azure = stages::by_service("azure");
    const auto rest = stages::every_service_but({"aws", "azure"});
    const auto all = stages::every_service();
    for (const char* service : {"aws", "azure", "local", "unreadable", "", "AWS"}) {
        const int takers = int(aws(service)) + int(azure(service)) + int(rest(service));
        BOOST_TEST(takers == 1, service);
        BOOST_TEST(all(service));
    }
    BOOST_TEST(aws("aws"));
    BOOST_TEST(rest("AWS"));
}

BOOST_AUTO_TEST_SUITE_END()
