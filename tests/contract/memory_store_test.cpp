#include "storage/memory_store.hpp"
#include "tests/contract/real_shard.hpp"
#include "tests/contract/store_contract.hpp"

#include <boost/test/unit_test.hpp>

#include <string_view>

using namespace firehose;

namespace {

contract::store_options reading_from(storage::memory_bucket& bucket) {
    contract::store_options how;
    how.read = [&bucket](std::string key) -> task<result<std::string>> {
        co_return bucket.objects.at(key).body;
    };
    return how;
}

/// A store that keeps its promises but for one: what the suite must notice.
class liar final : public storage::store {
public:
    enum class lie {
        none,
        short_put,
        replaces,
        invents,
        throws,
        forgets,
        loses_pages,
        keeps_removed,
        mixes,
        shifts,
        unreachable,
        starts_anew,
        early
    };

    explicit liar(lie what) : what_(what) {}
    storage::memory_bucket& bucket() { return honest_.bucket(); }

    const storage::capabilities& can() const noexcept override { return honest_.can(); }
    task<result<storage::object_info>> put(const std::string& key, const storage::payload& body,
                                           const storage::put_options& how,
                                           time_source::steady deadline) override {
        auto told = how;
        auto bytes = body;
        auto where = key;
        if (what_ == lie::replaces) told.only_if_absent = false;
        if (what_ == lie::short_put && bytes.size() > 2) bytes.pop_back();
        if (what_ == lie::throws && body.empty()) throw std::runtime_error("no body");
        if (what_ == lie::mixes && key.find("awkward/upper") != std::string::npos)
            where.replace(where.find("upper"), 5, "Upper");
        auto done = co_await honest_.put(where, bytes, told, deadline);
        if (done) done->key = key;
        co_return done;
    }
    task<result<storage::object_info>> head(const std::string& key, time_source::steady deadline) override {
        auto found = co_await honest_.head(key, deadline);
        if (what_ == lie::invents && !found) co_return storage::object_info{key, 0, {}};
        if (what_ == lie::forgets && !found) co_return error(disposition::retry, "who knows");
        co_return found;
    }
    task<result<storage::page>> list(const std::string& prefix, const std::string& from,
                                     time_source::steady deadline) override {
        auto found = co_await honest_.list(prefix, from, deadline);
        if (what_ == lie::loses_pages && found) found->next.clear();
        co_return found;
    }
    task<result<>> remove(const std::string& key, time_source::steady deadline) override {
        if (what_ == lie::keeps_removed) co_return result<>();
        auto done = co_await honest_.remove(key, deadline);
        co_return done;
    }
    task<result<storage::object_body>> get(const std::string& key, storage::byte_range which,
                                           time_source::steady deadline) override {
        if (what_ == lie::shifts && which.first > 0) --which.first;
        auto found = co_await honest_.get(key, which, deadline);
        co_return found;
    }
    task<result<>> check(time_source::steady deadline) override {
        if (what_ == lie::unreachable) co_return error(disposition::stop, "not there");
        auto done = co_await honest_.check(deadline);
        co_return done;
    }
    task<result<std::unique_ptr<storage::multipart>>>
    resume_multipart(const std::string& key, const std::string& token, const storage::put_options& how,
                     time_source::steady deadline) override {
        if (what_ == lie::starts_anew) return honest_.start_multipart(key, how, deadline);
        return honest_.resume_multipart(key, token, how, deadline);
    }
    task<result<std::unique_ptr<storage::multipart>>> start_multipart(const std::string& key,
                                                                      const storage::put_options& how,
                                                                      time_source::steady deadline) override {
        if (what_ == lie::early) bucket().objects[key];
        return honest_.start_multipart(key, how, deadline);
    }

private:
    lie what_;
    storage::memory_store honest_;
};

std::vector<std::string> check(liar& s) {
    contract::real_shard shard;
    s.bucket().page_size = 5;
    auto how = reading_from(s.bucket());
    return shard.run(contract::check_store(s, shard.x, how));
}

bool mentions(const std::vector<std::string>& broken, std::string_view words) {
    for (const auto& sentence : broken)
        if (sentence.find(words) != std::string::npos) return true;
    return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(memory_store)

BOOST_AUTO_TEST_CASE(keeps_the_contract) {
    contract::real_shard shard;
    storage::memory_store s;
    s.bucket().page_size = 5;
    auto how = reading_from(s.bucket());
    const auto broken = shard.run(contract::check_store(s, shard.x, how));
    for (const auto& sentence : broken) BOOST_ERROR(sentence);
    BOOST_TEST(s.bucket().objects.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(the_contract_suite_notices)

BOOST_AUTO_TEST_CASE(nothing_wrong_with_an_honest_store) {
    liar s(liar::lie::none);
    BOOST_TEST(check(s).empty());
}
BOOST_AUTO_TEST_CASE(a_body_that_is_cut) {
    liar s(liar::lie::short_put);
    BOOST_TEST(mentions(check(s), "scattered bodies: "));
}
BOOST_AUTO_TEST_CASE(only_if_absent_that_replaces) {
    liar s(liar::lie::replaces);
    BOOST_TEST(mentions(check(s), "only_if_absent: "));
}
BOOST_AUTO_TEST_CASE(objects_that_were_never_put) {
    liar s(liar::lie::invents);
    BOOST_TEST(mentions(check(s), "finds an object that was never put"));
}
BOOST_AUTO_TEST_CASE(a_wrong_error_for_an_absent_key) {
    liar s(liar::lie::forgets);
    BOOST_TEST(mentions(check(s), "an absent key: "));
}
BOOST_AUTO_TEST_CASE(an_exception) {
    liar s(liar::lie::throws);
    BOOST_TEST(mentions(check(s), "sizes: an exception came out: no body"));
}
BOOST_AUTO_TEST_CASE(a_listing_without_its_second_page) {
    liar s(liar::lie::loses_pages);
    BOOST_TEST(mentions(check(s), "list() leaves out"));
}
BOOST_AUTO_TEST_CASE(an_object_that_stays_after_remove) {
    liar s(liar::lie::keeps_removed);
    BOOST_TEST(mentions(check(s), "after remove()"));
}
BOOST_AUTO_TEST_CASE(a_range_that_begins_too_early) {
    liar s(liar::lie::shifts);
    BOOST_TEST(mentions(check(s), "gives other bytes than were put"));
}
BOOST_AUTO_TEST_CASE(an_upload_that_shows_before_it_is_complete) {
    liar s(liar::lie::early);
    const auto broken = check(s);
    BOOST_TEST(mentions(broken, "is there before complete()"));
    BOOST_TEST(mentions(broken, "is there after abort()"));
}
BOOST_AUTO_TEST_CASE(an_upload_that_is_gone_and_gone_on_with) {
    liar s(liar::lie::starts_anew);
    BOOST_TEST(mentions(check(s), "an upload gone on with: "));
}
BOOST_AUTO_TEST_CASE(a_check_that_fails) {
    liar s(liar::lie::unreachable);
    BOOST_TEST(mentions(check(s), "checking: "));
}
BOOST_AUTO_TEST_CASE(two_keys_that_share_a_place) {
    liar s(liar::lie::mixes);
    BOOST_TEST(mentions(check(s), "awkward keys: "));
}

BOOST_AUTO_TEST_SUITE_END()
