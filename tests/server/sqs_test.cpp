#include "stages/memory_spool.hpp"
#include "stages/sqs_spool.hpp"
#include "tests/contract/spool_contract.hpp"
#include "tests/server/sqs_queues.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace firehose;
using namespace firehose::server_test;
using namespace std::chrono_literals;

namespace {

using storage::outgoing_message;
using storage::received_message;
using storage::sqs_queue;

outgoing_message message(std::string body) {
    outgoing_message m;
    m.body = std::move(body);
    return m;
}

/// The calls of a queue as plain functions.
struct on_server : sqs_queues {
    time_source::steady soon() { return shard().time.now() + 60s; }

    task<std::vector<result<std::string>>> send_task(sqs_queue& q, std::vector<outgoing_message> all) {
        auto done = co_await q.send(all, soon());
        co_return done;
    }
    std::vector<result<std::string>> send(sqs_queue& q, std::vector<outgoing_message> all) {
        return run(send_task(q, std::move(all)));
    }
    task<result<std::vector<received_message>>> receive_task(sqs_queue& q, storage::receive_options how) {
        auto got = co_await q.receive(how, soon());
        co_return got;
    }
    std::vector<received_message> receive(sqs_queue& q, std::chrono::seconds visibility = 30s,
                                          std::chrono::seconds wait = 0s) {
        storage::receive_options how;
        how.visibility = visibility;
        how.wait = wait;
        auto got = run(receive_task(q, how));
        BOOST_REQUIRE_MESSAGE(got.has_value(), got.error().context());
        return std::move(*got);
    }
    task<std::vector<result<>>> remove_task(sqs_queue& q, std::vector<std::string> receipts) {
        auto done = co_await q.remove(receipts, soon());
        co_return done;
    }
    std::vector<result<>> remove(sqs_queue& q, std::vector<std::string> receipts) {
        return run(remove_task(q, std::move(receipts)));
    }
    task<std::vector<result<>>> hide_task(sqs_queue& q, std::vector<storage::visibility_change> all) {
        auto done = co_await q.hide(all, soon());
        co_return done;
    }
    std::vector<result<>> hide(sqs_queue& q, std::vector<storage::visibility_change> all) {
        return run(hide_task(q, std::move(all)));
    }
    task<result<storage::queue_attributes>> attributes_task(sqs_queue& q) {
        auto got = co_await q.attributes(soon());
        co_return got;
    }
    storage::queue_attributes attributes(sqs_queue& q) { return run(attributes_task(q)).value(); }
    task<result<std::string>> url_task(sqs_queue& q, std::string name) {
        auto got = co_await q.url_of(name, soon());
        co_return got;
    }
    task<bool> sleep_task(std::chrono::milliseconds how_long) {
        co_await shard().time.sleep_until(shard().time.now() + how_long);
        co_return true;
    }
    void sleep(std::chrono::milliseconds how_long) { run(sleep_task(how_long)); }

    error refused(const std::string& url, const storage::credential& with) {
        const auto q = at(url, with);
        const auto done = send(*q, {message("x")});
        BOOST_REQUIRE(done.at(0).has_error());
        BOOST_TEST_MESSAGE(done[0].error().context());
        return done[0].error();
    }
};

bool mentions(const error& e, std::string_view words) { return e.context().find(words) != std::string::npos; }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(sqs_server, on_server)

BOOST_AUTO_TEST_CASE(messages_go_in_and_come_out_byte_by_byte) {
    const auto url = make();
    const auto q = at(url);
    auto m = message("{\"a\":\"\xc3\xa9 \\\" \n\t\xf0\x9f\x98\x80\"}");
    m.attributes = {{"kind", "String", "\xc3\xa9"},
                    {"bytes", "Binary", std::string("\0\xff\n", 3)},
                    {"n", "Number", "7"}};
    const auto sent = send(*q, {m});
    BOOST_REQUIRE_MESSAGE(sent.at(0).has_value(), sent[0].error().context());
    const auto about = attributes(*q);
    BOOST_TEST(about.visible == 1u);
    BOOST_TEST(about.retention.count() > 0);
    auto got = receive(*q);
    BOOST_REQUIRE(got.size() == 1u);
    BOOST_TEST(got[0].id == *sent[0]);
    BOOST_TEST(got[0].body == m.body);
    std::ranges::sort(got[0].attributes, {}, &storage::message_attribute::name);
    std::ranges::sort(m.attributes, {}, &storage::message_attribute::name);
    BOOST_TEST((got[0].attributes == m.attributes));
    BOOST_TEST(got[0].receives == 1u);
    BOOST_TEST((std::chrono::abs(got[0].sent_at - shard().time.wall_now()) < 60s));
    BOOST_TEST(attributes(*q).in_flight == 1u);
    BOOST_TEST(remove(*q, {got[0].receipt}).at(0).has_value());
    BOOST_TEST(attributes(*q).records() == 0u);
    BOOST_TEST(run(url_task(*q, q->name())).value() == url);
}

BOOST_AUTO_TEST_CASE(many_messages_go_in_batches) {
    const auto q = at(make());
    std::vector<outgoing_message> all;
    for (int i = 0; i < 57; ++i) all.push_back(message("message " + std::to_string(i)));
    for (const auto& one : send(*q, all)) BOOST_TEST(one.has_value());
    BOOST_TEST(attributes(*q).visible == 57u);
    std::vector<std::string> receipts;
    for (auto got = receive(*q); !got.empty(); got = receive(*q))
        for (const auto& one : got) receipts.push_back(one.receipt);
    BOOST_TEST(receipts.size() == 57u);
    std::vector<storage::visibility_change> back;
    for (const auto& one : receipts) back.push_back({one, 0s});
    for (const auto& one : hide(*q, back)) BOOST_TEST(one.has_value());
    BOOST_TEST(attributes(*q).visible == 57u);
    receipts.clear();
    for (auto got = receive(*q); !got.empty(); got = receive(*q)) {
        for (const auto& one : got) receipts.push_back(one.receipt);
        BOOST_TEST(got.front().receives == 2u);
    }
    for (const auto& one : remove(*q, receipts)) BOOST_TEST(one.has_value());
    BOOST_TEST(attributes(*q).records() == 0u);
}

BOOST_AUTO_TEST_CASE(of_a_batch_one_may_fail) {
    const auto q = at(make());
    send(*q, {message("a"), message("b")});
    const auto got = receive(*q);
    BOOST_REQUIRE(got.size() == 2u);
    const auto gone = remove(*q, {got[0].receipt, "no such receipt", got[1].receipt});
    BOOST_TEST(gone.at(0).has_value());
    BOOST_TEST(gone.at(2).has_value());
    BOOST_REQUIRE(gone.at(1).has_error());
    BOOST_TEST(gone[1].error().provider_code() == "ReceiptHandleIsInvalid");
    BOOST_TEST((gone[1].error().what() == disposition::park));
    BOOST_TEST(attributes(*q).records() == 0u);
    send(*q, {message("c")});
    const auto one = receive(*q);
    const auto hidden = hide(*q, {{"no such receipt", 5s}, {one.at(0).receipt, 5s}});
    BOOST_TEST(hidden.at(0).has_error());
    BOOST_TEST(hidden.at(1).has_value());
    // Sends: one of them longer than the queue takes, though not longer than we believe.
    const auto small = at(make("\"MaximumMessageSize\":\"2048\""));
    const auto sent = send(*small, {message("x"), message(std::string(3000, 'y'))});
    BOOST_TEST(std::ranges::any_of(sent, [](const auto& r) { return r.has_error(); }));
}

BOOST_AUTO_TEST_CASE(the_visibility_is_extended_and_ends) {
    const auto q = at(make());
    send(*q, {message("a")});
    const auto first = receive(*q, 2s);
    BOOST_REQUIRE(first.size() == 1u);
    for (int i = 0; i < 3; ++i) {
        sleep(1s);
        BOOST_TEST(hide(*q, {{first[0].receipt, 2s}}).at(0).has_value());
        BOOST_TEST(receive(*q).empty());
    }
    const auto again = receive(*q, 30s, 5s);  // wakes when it ends
    BOOST_REQUIRE(again.size() == 1u);
    BOOST_TEST(again[0].receives == 2u);
}

BOOST_AUTO_TEST_CASE(a_long_poll_waits_and_wakes) {
    const auto q = at(make());
    auto began = shard().time.now();
    BOOST_TEST(receive(*q, 30s, 2s).empty());
    BOOST_TEST((shard().time.now() - began >= 1900ms));
    auto late = message("late");
    late.delay = 1s;
    send(*q, {late});
    began = shard().time.now();
    BOOST_TEST(receive(*q, 30s, 20s).size() == 1u);
    BOOST_TEST((shard().time.now() - began < 15s));
}

BOOST_AUTO_TEST_CASE(a_fifo_queue_keeps_order_and_drops_repeats) {
    const auto q = at(make({}, true));
    BOOST_TEST(q->fifo());
    std::vector<outgoing_message> all;
    for (int i = 0; i < 6; ++i) {
        auto m = message("m" + std::to_string(i));
        m.group_id = i % 2 == 0 ? "even" : "odd";
        m.deduplication_id = "d" + std::to_string(i);
        all.push_back(m);
    }
    for (const auto& one : send(*q, all)) BOOST_REQUIRE_MESSAGE(one.has_value(), one.error().context());
    for (const auto& one : send(*q, all)) BOOST_TEST(one.has_value());  // the same again
    std::vector<std::string> even, odd;
    for (auto got = receive(*q); !got.empty(); got = receive(*q)) {
        std::vector<std::string> receipts;
        for (const auto& one : got) {
            (one.group_id == "even" ? even : odd).push_back(one.body);
            receipts.push_back(one.receipt);
        }
        remove(*q, receipts);
    }
    BOOST_TEST((even == std::vector<std::string>{"m0", "m2", "m4"}));
    BOOST_TEST((odd == std::vector<std::string>{"m1", "m3", "m5"}));
}

BOOST_AUTO_TEST_CASE(messages_up_to_the_limit) {
    storage::sqs_options how;
    const auto q = at(make(), how);
    const auto sent = send(
        *q, {message(std::string(how.message_bytes, 'x')), message(std::string(how.message_bytes + 1, 'y'))});
    BOOST_REQUIRE_MESSAGE(sent.at(0).has_value(), sent[0].error().context());
    BOOST_REQUIRE(sent.at(1).has_error());
    BOOST_TEST((sent[1].error().what() == disposition::park));
    const auto got = receive(*q);
    BOOST_REQUIRE(got.size() == 1u);
    BOOST_TEST(got[0].body.size() == how.message_bytes);
    // An older queue: the server refuses, and the reason says what to do.
    const auto old = at(make("\"MaximumMessageSize\":\"262144\""), how);
    BOOST_TEST(attributes(*old).maximum_message_bytes == 262'144u);
    const auto refused = send(*old, {message(std::string(262'145, 'z'))});
    BOOST_REQUIRE(refused.at(0).has_error());
    BOOST_TEST((refused[0].error().what() == disposition::park));
    BOOST_TEST(mentions(refused[0].error(), "set message_bytes to the queue's MaximumMessageSize"));
}

BOOST_AUTO_TEST_CASE(refusals) {
    const auto url = make();
    auto wrong = credential;
    wrong.password = storage::secret("wrong");
    auto e = refused(url, wrong);
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.status() == 403);
    BOOST_TEST(mentions(e, credential.username));
    BOOST_TEST(!mentions(e, "wrong"));
    wrong = credential;
    wrong.username = "NOBODYKNOWSTHISKEY00";
    e = refused(url, wrong);
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(mentions(e, "NOBODYKNOWSTHISKEY00 is not known there"));
    wrong = credential;
    wrong.username = sqs_environment().at("SQS_POWERLESS_KEY");
    e = refused(url, wrong);
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(mentions(e, "lacks sqs:SendMessage"));
    wrong = credential;
    wrong.region = "eu-west-1";
    e = refused(url, wrong);
    BOOST_TEST((e.what() == disposition::stop));
    e = refused(url + "-that-is-not-there", credential);
    BOOST_TEST((e.what() == disposition::stop));
    BOOST_TEST(e.provider_code() == "QueueDoesNotExist");
    BOOST_TEST(mentions(e, "does not exist there; create it"));
    e = refused("http://127.0.0.1:1/0/q", credential);
    BOOST_TEST((e.what() == disposition::retry));
    BOOST_TEST(mentions(e, "Connection refused"));
}

namespace {

/// Twenty minutes off; the server refuses from fifteen.
class skewed_time final : public time_source {
public:
    explicit skewed_time(std::chrono::minutes off) : off_(off) {}
    steady now() const override { return real_.now(); }
    wall wall_now() const override { return real_.wall_now() + off_; }
    task<> sleep_until(steady when) override { return real_.sleep_until(when); }

private:
    std::chrono::minutes off_;
    real_time real_;
};

task<bool> sends_through_skew(sqs_queue& q, context& x, http::client& through) {
    bool all = true;
    for (int i = 0; i < 3; ++i) {
        const std::vector<outgoing_message> one(1, message("skewed"));
        const auto done = co_await q.send(one, x.time.now() + 30s);
        all = all && done.front().has_value();
    }
    through.close_idle();
    co_return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_wrong_clock_is_learned_from_the_first_answer) {
    const auto url = make();
    for (const auto off : {20min, -20min}) {
        skewed_time time(off);
        int warnings = 0;
        const logger log([&warnings](log_level, std::string_view) { ++warnings; });
        context x{shard().ex, time, shard().random, shard().stop, shard().count, shard().blocking, log};
        http::client skewed(x);
        sqs_queue q(x, skewed.transports(), credential, storage::locate_sqs(credential, url).value());
        BOOST_TEST(run(sends_through_skew(q, x, skewed)));
        BOOST_TEST(warnings == 1);  // one request was refused, the others were right at once
    }
}

// What a death leaves behind takes waiting for: the unit tests show it in virtual time, the end-to-end tests
// with real kills.
BOOST_AUTO_TEST_CASE(the_spool_keeps_the_contract) {
    const auto url = make();
    const auto check = [](on_server& servers, std::string at) -> task<std::vector<std::string>> {
        stages::sqs_spool_options how;
        how.wait = 1s;
        stages::sqs_spool::parts with;
        with.queue = servers.at(at);
        with.disk = std::make_unique<stages::memory_spool>(servers.shard().time);
        auto opened = co_await stages::sqs_spool::open(servers.shard(), std::move(with), how);
        if (opened.has_error()) throw std::runtime_error(opened.error().context());
        contract::spool_options options;
        options.skips_destinations = false;
        options.tells_destinations_apart = false;
        options.hides_until_due = true;
        options.later = 15s;
        auto broken = co_await contract::check_spool(**opened, servers.shard(), std::move(options));
        co_return broken;
    };
    const auto broken = run(check(*this, url));
    for (const auto& sentence : broken) BOOST_ERROR(sentence);
}

BOOST_AUTO_TEST_SUITE_END()
