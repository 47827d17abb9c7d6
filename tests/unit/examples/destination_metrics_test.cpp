#include "examples/firehose/destination_metrics.hpp"
#include "examples/firehose/metrics_page.hpp"
#include "stages/conservation.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace firehose;
using namespace firehose::app;
using namespace std::chrono_literals;

storage::destination to(const std::string& bucket) {
    storage::destination d;
    d.service = "aws";
    d.type = "s3";
    d.bucket = bucket;
    return d;
}

std::string page_of(const destination_metrics& of) {
    metrics_page page;
    of.render(page, time_source::wall(100s));
    return page.text();
}

bool has(const std::string& page, std::string_view line) {
    return page.find("\n" + std::string(line) + "\n") != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(destination_metrics_of_a_server)

BOOST_AUTO_TEST_CASE(count_named_ones_apart_and_all_others_together) {
    destination_metrics all(2);
    all.name({to("a"), to("b"), to("c")});
    all.count(to("a"), 20ms, true);
    all.count(to("b"), 2s, false);
    all.count(to("c"), 1ms, true);
    for (int i = 0; i < 1000; ++i) all.count(to("of an event " + std::to_string(i)), 1ms, true);
    auto page = page_of(all);
    const std::string puts = "firehose_destination_puts_total";
    BOOST_TEST(has(page, puts + R"({service="aws",bucket="a",prefix="",result="stored"} 1)"), page);
    BOOST_TEST(has(page, puts + R"({service="aws",bucket="b",prefix="",result="failed"} 1)"));
    BOOST_TEST(has(page, puts + R"({service="other",bucket="",prefix="",result="stored"} 1001)"));
    BOOST_TEST(page.find("of an event") == std::string::npos);
    BOOST_TEST(has(
        page, R"(firehose_destination_put_seconds_bucket{service="aws",bucket="a",prefix="",le="0.025"} 1)"));
    BOOST_TEST(has(page, R"(firehose_destination_put_seconds_count{service="aws",bucket="b",prefix=""} 1)"));
    // One that is no longer named keeps counting among the others.
    all.name({to("b"), to("c")});
    page = page_of(all);
    BOOST_TEST(page.find("bucket=\"a\"") == std::string::npos);
    BOOST_TEST(has(page, puts + R"({service="other",bucket="",prefix="",result="stored"} 1002)"));
    BOOST_TEST(has(page, puts + R"({service="aws",bucket="b",prefix="",result="failed"} 1)"));
}

BOOST_AUTO_TEST_CASE(books_that_do_not_balance_show) {
    stages::account books;
    books.want("aws", 5);
    books.move("aws", stages::standing::in_flight, stages::standing::delivered, {}, 2);
    books.move("aws", stages::standing::in_flight, stages::standing::spooled, {}, 1);
    books.want("made up by an event", 1);
    books.backlog_delivered("aws");
    stages::backlog kept;
    kept.to = to("a");
    kept.records = 3;
    latency_histogram settled;
    shard_numbers shards;
    metrics_view v{.shards = shards, .settled = settled};
    v.services = {"aws"};
    v.books = &books;
    v.spool_at_start = {kept};
    kept.records = 4;  // three, of which one was delivered since, and one came: that makes three
    v.spool = {kept};
    v.expiries.emplace_back("507f1f77bcf86cd799439011", -5s);
    auto page = render_metrics(v);
    const std::string term = R"(firehose_conservation{service="aws",term=)";
    BOOST_TEST(has(page, term + "\"accepted\"} 5"), page);
    BOOST_TEST(has(page, term + "\"delivered\"} 2"));
    BOOST_TEST(has(page, term + "\"in_flight\"} 2"));
    BOOST_TEST(has(page, term + "\"found_at_start\"} 3"));
    BOOST_TEST(has(page, term + "\"backlog_delivered\"} 1"));
    BOOST_TEST(has(page, R"(firehose_conservation_difference{service="aws",of="books"} 0)"));
    BOOST_TEST(has(page, R"(firehose_conservation{service="other",term="accepted"} 1)"));
    BOOST_TEST(page.find("made up") == std::string::npos);
    BOOST_TEST(has(page, R"(firehose_credential_expires_seconds{credential="507f1f77bcf86cd799439011"} -5)"));
    BOOST_TEST(has(page, R"(firehose_conservation_difference{service="aws",of="spool"} 1)"));
}

BOOST_AUTO_TEST_SUITE_END()
