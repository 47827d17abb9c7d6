#include "storage/sqs_queue.hpp"

#include "http/date.hpp"
#include "tests/support/shard_fixture.hpp"
#include "tests/unit/storage/fake_transport.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <vector>

using namespace firehose;
using namespace firehose::storage;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

std::string refusal_document(const std::string& code, const std::string& message = "no") {
    return R"({"__type":"com.amazonaws.sqs#)" + code + R"(","message":")" + message + "\"}";
}

std::string sent(const std::string& id, const std::string& body, const std::string& more = "") {
    return R"({"Id":")" + id + R"(","MessageId":"m)" + id + R"(","MD5OfMessageBody":")" + sqs::md5_of(body) +
           "\"" + more + "}";
}

struct sqs_client_fixture : shard_fixture {
    fake_server server;
    credential with;
    sqs_options how;
    std::string url = "https://sqs.eu-west-1.amazonaws.com/123456789012/spool";
    std::unique_ptr<sqs_queue> queue;

    sqs_client_fixture() {
        with.id = "507f1f77bcf86cd799439011";
        with.type = "user";
        with.username = "AKIA1";
        with.password = secret("hunter2");
        make();
    }
    void make() {
        auto connect = [this](const http::authority& to, http::signer* by) {
            return std::make_shared<fake_transport>(server, time, to, by);
        };
        queue = std::make_unique<sqs_queue>(x, connect, with, locate_sqs(with, url).value(), how);
    }
    void say(int status, std::string body, http::header_list headers = {}) {
        server.answers.emplace_back(answer(status, std::move(body), std::move(headers)));
    }
    static outgoing_message message(std::string body) {
        outgoing_message m;
        m.body = std::move(body);
        return m;
    }
    task<std::vector<result<std::string>>> send_task(std::vector<outgoing_message> all) {
        const auto deadline = time.now() + 1h;
        auto done = co_await queue->send(all, deadline);
        co_return done;
    }
    std::vector<result<std::string>> send(std::vector<outgoing_message> all) {
        return run(send_task(std::move(all)));
    }
    task<std::vector<result<>>> remove_task(std::vector<std::string> all) {
        const auto deadline = time.now() + 1h;
        auto done = co_await queue->remove(all, deadline);
        co_return done;
    }
    task<result<std::vector<received_message>>> receive_task() {
        receive_options options;
        options.wait = 20s;
        options.visibility = 30s;
        const auto deadline = time.now() + 1h;
        auto got = co_await queue->receive(options, deadline);
        co_return got;
    }
    task<result<queue_attributes>> attributes_task() {
        const auto deadline = time.now() + 1h;
        auto got = co_await queue->attributes(deadline);
        co_return got;
    }
    json::object asked(std::size_t n) { return json::parse(server.seen.at(n).body).as_object(); }
    std::string action(std::size_t n) { return server.seen.at(n).header("x-amz-target"); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(sqs_client, sqs_client_fixture)

BOOST_AUTO_TEST_CASE(a_message_as_it_goes_over_the_wire) {
    with.session_token = secret("token");
    make();
    auto m = message("{\"a\":\"\xc3\xa9\n\"}\t");
    m.attributes = {{"number", "Number", "1"}, {"bytes", "Binary", std::string("\0\xff", 2)}};
    m.delay = 7s;
    say(200, R"({"MessageId":"m1","MD5OfMessageBody":")" + sqs::md5_of(m.body) +
                 R"(","MD5OfMessageAttributes":")" + sqs::md5_of(m.attributes) + "\"}");
    const auto done = send({m});
    BOOST_REQUIRE(done.at(0).has_value());
    BOOST_TEST(*done[0] == "m1");
    const auto& r = server.seen.at(0);
    BOOST_TEST(r.method == "POST");
    BOOST_TEST(r.target == "/");
    BOOST_TEST(r.host == "sqs.eu-west-1.amazonaws.com");
    BOOST_TEST(r.header("content-type") == "application/x-amz-json-1.0");
    BOOST_TEST(r.header("x-amz-target") == "AmazonSQS.SendMessage");
    BOOST_TEST(r.header("x-amz-security-token") == "token");
    BOOST_TEST(r.header("authorization").find("Credential=AKIA1/20260101/eu-west-1/sqs/aws4_request") !=
               std::string::npos);
    const auto body = asked(0);
    BOOST_TEST(body.at("QueueUrl").as_string() == url);
    BOOST_TEST(std::string_view(body.at("MessageBody").as_string()) == m.body);
    BOOST_TEST(body.at("DelaySeconds").as_int64() == 7);
    const auto& attributes = body.at("MessageAttributes").as_object();
    BOOST_TEST(attributes.at("number").at("StringValue").as_string() == "1");
    BOOST_TEST(attributes.at("bytes").at("BinaryValue").as_string() == "AP8=");
}

BOOST_AUTO_TEST_CASE(checksums_are_those_of_the_developer_guide) {
    BOOST_TEST(sqs::md5_of("This is a test message") == "fafb00f5732ab283681e124bf8747ed1");
    // Computed by botocore's and moto's rule from the same attribute.
    BOOST_TEST(sqs::md5_of(std::vector<message_attribute>{{"timestamp", "Number", "1493147359900"}}) ==
               "235c5c510d26fb653d073faed50ae77c");
}

BOOST_AUTO_TEST_CASE(other_bytes_in_the_queue_are_no_success) {
    how.retries.attempts = 2;
    make();
    for (int i = 0; i < 2; ++i) say(200, R"({"MessageId":"m","MD5OfMessageBody":"00"})");
    const auto done = send({message("x")});
    BOOST_REQUIRE(done.at(0).has_error());
    BOOST_TEST(done[0].error().context().find("other bytes") != std::string::npos);
    BOOST_TEST(server.seen.size() == 2u);
    auto m = message("x");
    m.attributes = {{"a", "String", "b"}};
    say(200, sent("0", "x", R"(,"MD5OfMessageAttributes":"00")"));
    say(200, sent("0", "x", R"(,"MD5OfMessageAttributes":")" + sqs::md5_of(m.attributes) + "\""));
    BOOST_TEST(send({m}).at(0).has_value());
}

BOOST_AUTO_TEST_CASE(batches_have_ten_entries_and_a_limit_of_bytes) {
    how.requests = 1;
    how.message_bytes = 1000;
    make();
    std::vector<outgoing_message> all;
    for (int i = 0; i < 12; ++i) all.push_back(message("x"));
    for (int i = 0; i < 3; ++i) all.push_back(message(std::string(600, 'y')));
    all.push_back(message(std::string(1001, 'z')));
    all.push_back(message(""));
    all.push_back(message("\x01"));
    say(503, "");
    const auto done = send(all);
    std::vector<std::size_t> sizes;
    for (std::size_t n = 1; n < server.seen.size(); ++n) {
        const auto body = asked(n);
        sizes.push_back(body.contains("Entries") ? body.at("Entries").as_array().size() : 1);
    }
    // The answers are no answers, so all is tried again; what matters is how.
    BOOST_REQUIRE(sizes.size() >= 4u);
    BOOST_TEST(sizes[0] == 10u);
    BOOST_TEST(sizes[1] == 3u);  // by entries there is room, by bytes there is not
    BOOST_TEST(sizes[2] == 1u);
    for (std::size_t i = 15; i < 18; ++i) {
        BOOST_REQUIRE(done[i].has_error());
        BOOST_TEST((done[i].error().what() == disposition::park), done[i].error().context());
    }
    for (std::size_t n = 0; n < server.seen.size(); ++n) {
        std::size_t bytes = 0;
        const auto body = asked(n);
        if (body.contains("Entries"))
            for (const auto& e : body.at("Entries").as_array())
                bytes += e.at("MessageBody").as_string().size();
        BOOST_TEST(bytes <= 1000u);
    }
}

BOOST_AUTO_TEST_CASE(of_a_batch_only_what_failed_is_sent_again) {
    const auto failed = [](const std::string& id, const std::string& code, bool ours) {
        return R"({"Id":")" + id + R"(","Code":")" + code + R"(","SenderFault":)" +
               (ours ? "true" : "false") + R"(,"Message":"because"})";
    };
    say(200, R"({"Successful":[)" + sent("0", "a") + "," + sent("2", "c") + R"(],"Failed":[)" +
                 failed("1", "InternalError", false) + "," + failed("3", "InvalidMessageContents", true) +
                 "]}");
    say(200, sent("0", "b"));
    const auto done = send({message("a"), message("b"), message("c"), message("d")});
    BOOST_TEST(server.seen.size() == 2u);
    BOOST_TEST(action(0) == "AmazonSQS.SendMessageBatch");
    BOOST_TEST(action(1) == "AmazonSQS.SendMessage");
    BOOST_TEST(asked(1).at("MessageBody").as_string() == "b");
    BOOST_TEST(*done.at(0) == "m0");
    BOOST_TEST(*done.at(2) == "m2");
    BOOST_TEST(done.at(1).has_value());
    BOOST_REQUIRE(done.at(3).has_error());
    BOOST_TEST((done[3].error().what() == disposition::park));
    BOOST_TEST(done[3].error().provider_code() == "InvalidMessageContents");
}

BOOST_AUTO_TEST_CASE(an_entry_of_which_nothing_is_said_has_failed) {
    how.retries.attempts = 1;
    make();
    say(200, R"({"Successful":[)" + sent("0", "a") + "]}");
    const auto done = send({message("a"), message("b")});
    BOOST_TEST(done.at(0).has_value());
    BOOST_TEST(done.at(1).has_error());
}

BOOST_AUTO_TEST_CASE(a_receive_says_what_came_and_leaves_out_what_is_damaged) {
    const std::string good =
        R"({"MessageId":"m1","ReceiptHandle":"r1","Body":"x","MD5OfBody":")" + sqs::md5_of("x") +
        R"(","Attributes":{"ApproximateReceiveCount":"3","SentTimestamp":"1767225600000",)"
        R"("MessageGroupId":"g"}})";
    const std::string bad = R"({"MessageId":"m2","ReceiptHandle":"r2","Body":"y","MD5OfBody":"00"})";
    say(200, R"({"Messages":[)" + good + "," + bad + "]}");
    const auto got = run(receive_task());
    BOOST_REQUIRE(got.has_value());
    BOOST_REQUIRE(got->size() == 1u);
    BOOST_TEST(got->front().receipt == "r1");
    BOOST_TEST(got->front().receives == 3u);
    BOOST_TEST(got->front().group_id == "g");
    BOOST_TEST((got->front().sent_at == time_source::wall(1'767'225'600s)));
    BOOST_TEST(count["sqs_damaged_messages"] == 1u);
    BOOST_TEST(asked(0).at("WaitTimeSeconds").as_int64() == 20);
    BOOST_TEST(asked(0).at("VisibilityTimeout").as_int64() == 30);
    say(200, "{}");
    BOOST_TEST(run(receive_task())->empty());
    how.retries.attempts = 1;
    make();
    say(200, "<html>");
    BOOST_TEST(run(receive_task()).has_error());
}

BOOST_AUTO_TEST_CASE(attributes_are_numbers_in_strings) {
    say(200, R"({"Attributes":{"ApproximateNumberOfMessages":"5","ApproximateNumberOfMessagesDelayed":"2",)"
             R"("ApproximateNumberOfMessagesNotVisible":"1","MessageRetentionPeriod":"345600",)"
             R"("MaximumMessageSize":"262144","RedrivePolicy":"{\"maxReceiveCount\":3}"}})");
    const auto got = run(attributes_task());
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(got->records() == 8u);
    BOOST_TEST(got->retention.count() == 345'600);
    BOOST_TEST(got->maximum_message_bytes == 262'144u);
    BOOST_TEST(got->redrive_policy == R"({"maxReceiveCount":3})");
}

BOOST_AUTO_TEST_CASE(deletes_go_alone_or_together) {
    say(200, "");
    BOOST_TEST(run(remove_task({"r1"})).at(0).has_value());
    BOOST_TEST(action(0) == "AmazonSQS.DeleteMessage");
    say(200, R"({"Successful":[{"Id":"0"}],"Failed":[{"Id":"1","Code":"ReceiptHandleIsInvalid",)"
             R"("SenderFault":true,"Message":"x"}]})");
    const auto done = run(remove_task({"r1", "r2"}));
    BOOST_TEST(action(1) == "AmazonSQS.DeleteMessageBatch");
    BOOST_TEST(done.at(0).has_value());
    BOOST_REQUIRE(done.at(1).has_error());
    BOOST_TEST(done[1].error().provider_code() == "ReceiptHandleIsInvalid");
    BOOST_TEST(done[1].error().context().find("lengthen the visibility") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(refusals_speak) {
    how.retries.attempts = 1;
    make();
    const auto refused = [this](int status, const std::string& code) {
        say(status, refusal_document(code), {{"x-amzn-RequestId", "R7"}});
        return send({message("x")}).at(0).error();
    };
    auto e = refused(400, "QueueDoesNotExist");
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.context() ==
               "SendMessage to spool: 400 QueueDoesNotExist, request id R7: no; queue spool does "
               "not exist there; create it or correct queue_url, region and account");
    e = refused(403, "AccessDenied");
    BOOST_TEST(e.context().find("AKIA1 lacks sqs:SendMessage on queue spool") != std::string::npos);
    e = refused(400, "RequestThrottled");
    BOOST_TEST((e.what() == disposition::slow_down));
    e = refused(403, "InvalidClientTokenId");
    BOOST_TEST(e.context().find("AKIA1 is not known there") != std::string::npos);
    BOOST_TEST(e.context().find("hunter2") == std::string::npos);
    say(400, "<html>", {{"x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender"}});
    e = send({message("x")}).at(0).error();
    BOOST_TEST(e.provider_code() == "QueueDoesNotExist");
    say(200, "<html>", {{"Content-Type", "text/html"}});
    e = send({message("x")}).at(0).error();
    BOOST_TEST((e.what() == disposition::retry));
    BOOST_TEST(e.context().find("a web page came back") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_wrong_clock_is_learned_once_and_a_wrong_secret_is_not_one) {
    say(403, refusal_document("InvalidSignatureException", "Signature expired"),
        {{"Date", http::format_date(time.wall_now() + 20min)}});
    say(200, sent("0", "x"));
    say(200, sent("0", "x"));
    BOOST_TEST(send({message("x")}).at(0).has_value());
    BOOST_TEST(send({message("x")}).at(0).has_value());
    BOOST_TEST(server.seen.size() == 3u);
    BOOST_TEST(server.seen.at(2).header("x-amz-date") == "20260101T002000Z");
    say(403, refusal_document("InvalidSignatureException", "does not match"),
        {{"Date", http::format_date(time.wall_now() + 20min)}});
    const auto e = send({message("x")}).at(0).error();
    BOOST_TEST(server.seen.size() == 4u);
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.context().find("the secret does not belong") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_may_pass_is_tried_again_within_the_deadline) {
    say(500, refusal_document("InternalFailure"));
    say(400, refusal_document("RequestThrottled"));
    say(200, sent("0", "x"));
    BOOST_TEST(send({message("x")}).at(0).has_value());
    BOOST_TEST(server.seen.size() == 3u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(sqs_locations)

BOOST_AUTO_TEST_CASE(the_region_is_the_host_s_or_the_credential_s) {
    credential with;
    with.region = "eu-central-1";
    const auto region = [&with](const std::string& url) { return locate_sqs(with, url).value().region; };
    BOOST_TEST(region("https://sqs.us-west-2.amazonaws.com/1/q") == "us-west-2");
    BOOST_TEST(region("https://sqs-fips.us-gov-west-1.amazonaws.com/1/q") == "us-gov-west-1");
    BOOST_TEST(region("https://sqs.cn-north-1.amazonaws.com.cn/1/q") == "cn-north-1");
    BOOST_TEST(region("https://us-west-1.queue.amazonaws.com/1/q") == "us-west-1");
    BOOST_TEST(region("https://vpce-1-x.sqs.us-east-2.vpce.amazonaws.com/1/q") == "us-east-2");
    BOOST_TEST(region("http://127.0.0.1:9324/000000000000/q") == "eu-central-1");
    with.region.clear();
    BOOST_TEST(region("http://localhost:9324/000000000000/q") == "us-east-1");
}

BOOST_AUTO_TEST_CASE(names_and_faults) {
    credential with;
    with.type = "user";
    with.username = "AKIA";
    with.password = secret("hunter2");
    const auto at = locate_sqs(with, "https://sqs.us-west-2.amazonaws.com/1/events.fifo").value();
    BOOST_TEST(at.name == "events.fifo");
    BOOST_TEST(at.fifo);
    BOOST_TEST(sqs_problem("https://sqs.us-west-2.amazonaws.com/", "c", &with).find("must name a queue") !=
               std::string::npos);
    BOOST_TEST(sqs_problem("spool", "c", &with).find("queue_url") != std::string::npos);
    BOOST_TEST(sqs_problem("https://h/1/q", "c", nullptr) == "credential c does not exist");
    BOOST_TEST(sqs_problem("https://h/1/q", "c", &with).empty());
    with.password = {};
    BOOST_TEST(sqs_problem("https://h/1/q", "c", &with).find("no password") != std::string::npos);
    with.username.clear();
    with.provider = "instance";
    BOOST_TEST(sqs_problem("https://h/1/q", "c", &with).empty());
    with.type = "token";
    BOOST_TEST(sqs_problem("https://h/1/q", "c", &with).find("must be of type \"user\"") !=
               std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(sqs_verdicts)

BOOST_AUTO_TEST_CASE(one_row_per_answer) {
    struct row {
        int status;
        const char* code;
        disposition what;
    };
    const std::vector<row> rows = {
        {400, "QueueDoesNotExist", disposition::stop},
        {403, "AccessDenied", disposition::stop},
        {400, "OverLimit", disposition::slow_down},
        {400, "RequestThrottled", disposition::slow_down},
        {400, "ThrottlingException", disposition::slow_down},
        {400, "KmsThrottled", disposition::slow_down},
        {400, "KmsAccessDenied", disposition::stop},
        {400, "KmsSomethingNew", disposition::stop},
        {400, "ReceiptHandleIsInvalid", disposition::park},
        {400, "InvalidMessageContents", disposition::park},
        {400, "BatchRequestTooLong", disposition::park},
        {400, "UnsupportedOperation", disposition::stop},
        {403, "InvalidSignatureException", disposition::stop},
        {403, "ExpiredTokenException", disposition::stop},
        {500, "InternalFailure", disposition::retry},
        {503, "ServiceUnavailable", disposition::retry},
        {503, "", disposition::retry},
        {500, "", disposition::retry},
        {429, "", disposition::slow_down},
        {403, "", disposition::stop},
        {404, "", disposition::stop},
        {400, "SomethingNobodyKnows", disposition::park},
        {301, "", disposition::stop},
        {200, "", disposition::retry},
    };
    for (const auto& r : rows)
        BOOST_TEST((judge_sqs(r.status, r.code).what == r.what), r.status << " " << r.code);
    BOOST_TEST((judge_sqs(403, "RequestExpired").remedy == sqs_remedy::adjust_clock));
    BOOST_TEST((judge_sqs(403, "ExpiredToken").remedy == sqs_remedy::refresh_credentials));
    BOOST_TEST(sqs_code("AWS.SimpleQueueService.NonExistentQueue") == "QueueDoesNotExist");
    BOOST_TEST(sqs_code("com.amazonaws.sqs#OverLimit") == "OverLimit");
    BOOST_TEST(sqs_code("OverLimit:http://x/") == "OverLimit");
    BOOST_TEST(sqs_code("") == "");
}

BOOST_AUTO_TEST_CASE(text_that_sqs_takes) {
    BOOST_TEST(sqs::is_valid_text("a\t\r\n\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd"));
    for (const char* bad : {"\x01", "\xff", "\xef\xbf\xbe", "\xef\xbf\xbf", "\xed\xa0\x80", "\xc3"})
        BOOST_TEST(!sqs::is_valid_text(bad));
}

BOOST_AUTO_TEST_SUITE_END()
