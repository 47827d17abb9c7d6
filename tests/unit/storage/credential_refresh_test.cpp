#include "storage/credential_sources.hpp"
#include "storage/iso_time.hpp"
#include "storage/refreshed_credential.hpp"
#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <map>
#include <new>
#include <type_traits>

using namespace firehose;
using namespace firehose::storage;
using namespace std::chrono_literals;

namespace {

/// Gives what it was told to give, after a while.
class scripted final : public credential_provider {
public:
    explicit scripted(time_source& time) : time_(time) {}
    std::string describe() const override { return "the test"; }
    task<result<credential_value>> fetch(time_source::steady deadline) override {
        ++fetches;
        const auto wake = std::min(deadline, time_.now() + takes);
        co_await time_.sleep_until(wake);
        if (wake == deadline && takes > 0ms) co_return error(disposition::retry, "no answer");
        if (script.empty()) co_return error(disposition::retry, "the script has ended");
        auto next = script.front();
        if (script.size() > 1) script.pop_front();
        co_return next;
    }
    std::chrono::seconds believe() const override { return believed; }

    std::deque<result<credential_value>> script{};  ///< the last one goes on
    std::chrono::milliseconds takes{0};
    std::chrono::seconds believed{0};
    int fetches = 0;

private:
    time_source& time_;
};

struct refresh_fixture : shard_fixture {
    std::shared_ptr<scripted> place = std::make_shared<scripted>(time);
    refreshed_credential source{x, place, "credential c"};

    credential_value keys(const std::string& id, std::chrono::seconds life) const {
        credential_value out;
        out.access_key_id = id;
        out.secret_access_key = secret("s-" + id);
        if (life != 0s) out.expires = time.wall_now() + life;
        return out;
    }
    result<> ready(std::chrono::milliseconds within = 30s) { return run(source.ready(time.now() + within)); }
    std::string id() const { return source.current() ? source.current()->access_key_id : "none"; }
};

task<> count_ready(refreshed_credential& source, time_source::steady deadline, int& good, int& bad) {
    auto done = co_await source.ready(deadline);
    ++(done.has_value() ? good : bad);
}

task<> count_renewed(refreshed_credential& source, credential_ptr refused, time_source::steady deadline,
                     int& good) {
    const bool other = co_await source.renew(refused, deadline);
    if (other) ++good;
}

const error out_of_order(disposition::retry, "the place is out of order");

}  // namespace

BOOST_FIXTURE_TEST_SUITE(credential_refresh, refresh_fixture)

BOOST_AUTO_TEST_CASE(nothing_is_fetched_twice_that_does_not_expire) {
    place->script = {keys("A", 0s)};
    BOOST_TEST(source.due());
    BOOST_TEST((source.current() == nullptr));
    BOOST_TEST(ready().has_value());
    BOOST_TEST(id() == "A");
    advance(1000h);
    BOOST_TEST(!source.due());
    BOOST_TEST(ready().has_value());
    BOOST_TEST(place->fetches == 1);
    BOOST_TEST(!source.expires_in().has_value());
}

BOOST_AUTO_TEST_CASE(it_is_renewed_ahead_of_its_end_each_process_at_its_own_time) {
    place->script = {keys("A", 3600s), keys("B", 7200s)};
    BOOST_TEST(ready().has_value());
    BOOST_TEST((source.expires_in() == 3600s));
    advance(3600s - 601s);  // twice five minutes ahead at the earliest
    BOOST_TEST(!source.due());
    std::chrono::seconds waited{0};
    while (!source.due()) {
        advance(1s);
        waited += 1s;
    }
    BOOST_TEST((waited > 1s && waited <= 301s));  // and once at the latest
    BOOST_TEST(ready().has_value());
    BOOST_TEST(id() == "B");
    BOOST_TEST(place->fetches == 2);
    BOOST_TEST((source.expires_in() > 3600s));
}

BOOST_AUTO_TEST_CASE(a_short_life_is_renewed_within_its_last_half) {
    place->script = {keys("A", 60s), keys("B", 120s)};
    BOOST_TEST(ready().has_value());
    advance(29s);
    BOOST_TEST(!source.due());
    advance(16s);
    BOOST_TEST(source.due());
}

BOOST_AUTO_TEST_CASE(a_hundred_that_wait_ask_once) {
    place->script = {keys("A", 3600s)};
    place->takes = 200ms;
    int good = 0;
    int bad = 0;
    std::vector<started_task> all;
    for (int i = 0; i < 100; ++i) all.push_back(start(count_ready(source, time.now() + 10s, good, bad)));
    for (auto& one : all) finish(one);
    BOOST_TEST(good == 100);
    BOOST_TEST(place->fetches == 1);
    const auto used = source.current();
    place->script = {keys("B", 3600s)};
    advance(10s);
    good = 0;
    all.clear();
    for (int i = 0; i < 100; ++i) all.push_back(start(count_renewed(source, used, time.now() + 10s, good)));
    for (auto& one : all) finish(one);
    BOOST_TEST(good == 100);  // and when a server refused all of them
    BOOST_TEST(place->fetches == 2);
    BOOST_TEST(id() == "B");
}

BOOST_AUTO_TEST_CASE(the_old_value_serves_while_a_new_one_is_on_its_way) {
    place->script = {keys("A", 3600s), keys("B", 7200s)};
    BOOST_TEST(ready().has_value());
    advance(3500s);
    place->takes = 500ms;
    int good = 0;
    int bad = 0;
    auto leader = start(count_ready(source, time.now() + 10s, good, bad));
    settle();
    BOOST_TEST(place->fetches == 2);
    BOOST_TEST(!source.due());
    BOOST_TEST(id() == "A");
    finish(start(count_ready(source, time.now() + 10s, good, bad)));
    BOOST_TEST(good == 1);  // without waiting
    BOOST_TEST(id() == "A");
    finish(leader);
    BOOST_TEST(id() == "B");
}

BOOST_AUTO_TEST_CASE(a_failure_rests_and_the_old_value_serves_until_its_end) {
    place->script = {keys("A", 3600s), out_of_order};
    BOOST_TEST(ready().has_value());
    advance(3590s);
    for (int i = 0; i < 50; ++i) BOOST_TEST(ready().has_value());
    BOOST_TEST(place->fetches == 2);  // one failure, then rest
    advance(20s);
    const auto done = ready();
    BOOST_REQUIRE(!done.has_value());  // its end has come
    BOOST_TEST(done.error().context() == "credential c: the place is out of order");
    int asked = place->fetches;
    const auto again = ready();
    BOOST_REQUIRE(!again.has_value());
    BOOST_TEST(place->fetches == asked);
    BOOST_TEST(again.error().retry_after().has_value());
    for (int i = 0; i < 3600; ++i) {
        advance(1s);
        BOOST_TEST(!ready().has_value());
    }
    BOOST_TEST(place->fetches - asked < 300);  // an hour of trouble: once in half a minute, in the end
    place->script = {keys("C", 3600s)};
    advance(60s);
    BOOST_TEST(ready().has_value());
    BOOST_TEST(id() == "C");
}

BOOST_AUTO_TEST_CASE(whoever_waits_takes_over_from_a_cancelled_one) {
    place->script = {keys("A", 3600s)};
    place->takes = 1s;
    int good = 0;
    int bad = 0;
    auto leader = start(count_ready(source, time.now() + 10s, good, bad));
    auto other = start(count_ready(source, time.now() + 10s, good, bad));
    settle();
    BOOST_TEST(place->fetches == 1);
    leader.cancel();
    settle();
    BOOST_TEST(leader.was_cancelled());
    finish(other);
    BOOST_TEST(good == 1);
    BOOST_TEST(place->fetches == 2);
    BOOST_TEST(id() == "A");
}

BOOST_AUTO_TEST_CASE(whoever_is_in_a_hurry_goes_and_the_fetch_goes_on) {
    place->script = {keys("A", 3600s)};
    place->takes = 1s;
    int good = 0;
    int bad = 0;
    auto leader = start(count_ready(source, time.now() + 10s, good, bad));
    settle();
    const auto began = time.now();
    const auto hasty = ready(100ms);
    BOOST_REQUIRE(!hasty.has_value());
    BOOST_TEST((hasty.error().what() == disposition::retry));
    BOOST_TEST((time.now() - began == 100ms));
    finish(leader);
    BOOST_TEST(good == 1);
    BOOST_TEST(place->fetches == 1);
}

BOOST_AUTO_TEST_CASE(a_hasty_leader_says_nothing_about_the_place) {
    place->script = {keys("A", 3600s)};
    place->takes = 1s;
    BOOST_TEST(!ready(100ms).has_value());
    BOOST_TEST(ready().has_value());  // at once: no rest was earned
    BOOST_TEST(place->fetches == 2);
}

BOOST_AUTO_TEST_CASE(a_refused_value_that_comes_again_is_not_tried_again) {
    place->script = {keys("A", 3600s)};
    BOOST_TEST(ready().has_value());
    const auto used = source.current();
    advance(10s);
    BOOST_TEST(!run(source.renew(used, time.now() + 10s)));
    BOOST_TEST(place->fetches == 2);
    for (int i = 0; i < 20; ++i) BOOST_TEST(!run(source.renew(used, time.now() + 10s)));
    BOOST_TEST(place->fetches == 2);  // not within a second
    advance(1s);
    place->script = {keys("B", 3600s)};
    BOOST_TEST(run(source.renew(used, time.now() + 10s)));
    BOOST_TEST(run(source.renew(used, time.now() + 10s)));  // somebody else's was older
    BOOST_TEST(place->fetches == 3);
}

BOOST_AUTO_TEST_CASE(a_value_that_is_late_by_our_clock_is_tried_all_the_same) {
    place->script = {keys("A", -600s)};
    BOOST_TEST(ready().has_value());
    BOOST_TEST(id() == "A");
    for (int i = 0; i < 29; ++i) {
        BOOST_TEST(ready().has_value());
        advance(1s);
    }
    BOOST_TEST(place->fetches == 1);  // and not asked for every second
    BOOST_TEST((source.expires_in() == -629s));
    advance(1s);
    BOOST_TEST(ready().has_value());
    BOOST_TEST(place->fetches == 2);
}

BOOST_AUTO_TEST_CASE(what_may_change_on_disk_is_read_again) {
    place->believed = 30s;
    place->script = {keys("A", 0s), keys("B", 0s)};
    BOOST_TEST(ready().has_value());
    advance(29s);
    BOOST_TEST(!source.due());
    advance(1s);
    BOOST_TEST(ready().has_value());
    BOOST_TEST(id() == "B");
    BOOST_TEST(log_lines.size() == 2U);
    advance(30s);
    BOOST_TEST(ready().has_value());
    BOOST_TEST(place->fetches == 3);
    BOOST_TEST(log_lines.size() == 2U);  // nothing new is no news
    for (const auto& line : log_lines) BOOST_TEST(line.find("s-") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(secrets_are_kept)

template <class T>
concept printable = requires(std::ostream& out, const T& value) { out << value; };

BOOST_AUTO_TEST_CASE(a_secret_cannot_be_printed_converted_or_compared) {
    static_assert(!printable<secret> && !printable<credential_value> && !printable<credential>);
    static_assert(!std::is_convertible_v<secret, std::string>);
    static_assert(!std::is_convertible_v<secret, std::string_view>);
    static_assert(!std::is_convertible_v<std::string, secret>);
    static_assert(!std::equality_comparable<secret>);
    BOOST_TEST(equal(secret("a"), secret("a")));
    BOOST_TEST(!equal(secret("a"), secret("b")));
    BOOST_TEST(!equal(secret("a"), secret("ab")));
}

BOOST_AUTO_TEST_CASE(its_memory_is_overwritten) {
    alignas(secret) unsigned char memory[sizeof(secret)];
    const auto holds = [&memory] {
        const std::string_view all(reinterpret_cast<const char*>(memory), sizeof memory);
        return all.find("HUSH") != std::string_view::npos;
    };
    auto* s = new (memory) secret(std::string("HUSH-hush"));
    BOOST_TEST(holds());
    s->~secret();
    BOOST_TEST(!holds());
    s = new (memory) secret(std::string("HUSH-hush"));
    secret other(std::move(*s));
    BOOST_TEST(!holds());
    BOOST_TEST(other.reveal() == "HUSH-hush");
    *s = other;
    BOOST_TEST(holds());
    *s = secret("new");
    BOOST_TEST(!holds());
    BOOST_TEST(s->reveal() == "new");
    s->~secret();
}

BOOST_AUTO_TEST_CASE(times_of_clouds) {
    const auto at = [](const char* text) { return parse_iso_time(text); };
    const time_source::wall new_year = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
    BOOST_TEST((at("2026-01-01T00:00:00Z") == new_year));
    BOOST_TEST((at("2026-01-01T00:00:07.1234567Z") == new_year + 7s));
    BOOST_TEST((at("2026-01-01T01:02:03+00:00") == new_year + 1h + 2min + 3s));
    for (const auto* wrong :
         {"", "2026-01-01", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z",
          "2026-01-01T00:00:00+01:00", "2026-01-01T00:00:00.Zx", "x026-01-01T00:00:00Z"})
        BOOST_TEST(!at(wrong).has_value(), wrong);
}

BOOST_AUTO_TEST_SUITE_END()
