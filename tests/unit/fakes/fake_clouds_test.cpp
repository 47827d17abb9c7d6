#include "tests/contract/store_contract.hpp"
#include "tests/unit/fakes/rig.hpp"

using namespace firehose;
using namespace firehose::fakes;
using namespace std::chrono_literals;

namespace {

template <class Cloud> std::vector<std::string> keeps_the_contract(rig<Cloud>& r) {
    r.cloud.page_size = 5;
    r.attempts = 3;
    const auto store = r.open();
    contract::store_options how;
    auto& objects = r.objects;
    how.read = [&objects](std::string key) -> task<result<std::string>> {
        const auto found = objects.find(key);
        if (found == objects.end()) co_return error(disposition::park, "no " + key);
        co_return found->second.body;
    };
    auto broken = r.run(contract::check_store(*store, r.x, how));
    if (!objects.empty()) broken.push_back("objects are left");
    return broken;
}

using s3 = rig<fake_s3>;
using azure = rig<fake_azure>;

/// A request past the store, whose answer is seen whole.
template <class Cloud>
http::response ask(rig<Cloud>& r, const std::string& host, http::request req, http::signer* by = nullptr) {
    http::authority to;
    to.host = host;
    const auto line = r.cloud.transports()(to, by);
    return r.run(line->send(req, r.time.now() + 1h)).value();
}

std::string code_of(const http::response& r) {
    const auto from = r.body.find("<Code>");
    if (from == std::string::npos) return {};
    return r.body.substr(from + 6, r.body.find("</Code>") - from - 6);
}

/// Changes what was signed.
class meddler final : public http::signer {
public:
    explicit meddler(storage::sigv4::identity who, std::string region = "us-east-1")
        : below(std::move(who), std::move(region)) {}
    result<> sign(http::request& req, time_source::wall now) override {
        auto done = below.sign(req, now);
        if (done.has_value() && after) after(req);
        return done;
    }
    storage::s3_signer below;
    std::function<void(http::request&)> after{};
};

std::string s3_verdict_of(s3& r, const std::function<void(http::request&)>& before,
                          std::function<void(http::request&)> after = {}) {
    meddler by({r.with.username, r.with.password, {}});
    by.after = std::move(after);
    const std::string text = "hello";
    http::request req;
    req.method = "PUT";
    req.target = "/events/k";
    req.headers = {{"x-amz-content-sha256", http::to_hex(http::sha256(text))}};
    req.body.emplace_back(as_bytes(text));
    if (before) before(req);
    const auto answer = ask(r, "s3.fake.invalid", req, &by);
    return std::to_string(answer.status) + " " + code_of(answer);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fake_s3_clouds)

BOOST_FIXTURE_TEST_CASE(a_store_over_it_keeps_the_contract, s3) {
    for (const auto& sentence : keeps_the_contract(*this)) BOOST_ERROR(sentence);
}

BOOST_FIXTURE_TEST_CASE(virtual_hosts_of_amazon_too, s3) {
    with.endpoint.clear();
    BOOST_TEST(put("a key", "text").has_value());
    BOOST_TEST(cloud.seen.back().host == "events.s3.us-east-1.amazonaws.com");
    BOOST_TEST(objects.at("a key").body == "text");
}

BOOST_FIXTURE_TEST_CASE(signatures_are_computed_anew, s3) {
    const auto verdict = [this](auto before, std::function<void(http::request&)> after = {}) {
        return s3_verdict_of(*this, before, std::move(after));
    };
    const auto nothing = [](http::request&) {};
    BOOST_TEST(verdict(nothing) == "200 ");
    BOOST_TEST(verdict(nothing, [](auto& r) { r.target = "/events/other"; }) == "403 SignatureDoesNotMatch");
    BOOST_TEST(verdict(nothing, [](auto& r) { r.headers.emplace_back("x-amz-acl", "public-read"); }) ==
               "403 AccessDenied");
    BOOST_TEST(verdict(nothing, [](auto& r) {
                   std::erase_if(r.headers, [](auto& h) { return h.first == "Authorization"; });
               }) == "403 AccessDenied");
    BOOST_TEST(verdict([](auto& r) { r.headers[0].second = http::to_hex(http::sha256("other")); }) ==
               "400 XAmzContentSHA256Mismatch");
    BOOST_TEST(verdict([](auto& r) { r.headers.emplace_back("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="); }) ==
               "400 BadDigest");
    BOOST_TEST(verdict([](auto& r) { r.headers.emplace_back("x-amz-checksum-crc32c", "AAAAAA=="); }) ==
               "400 BadDigest");
    BOOST_TEST(verdict([](auto& r) { r.headers.emplace_back("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="); }) ==
               "400 BadDigest");
    BOOST_TEST(objects.size() == 1U);  // the first one's
    with.password = storage::secret("wrong");
    BOOST_TEST(verdict(nothing) == "403 SignatureDoesNotMatch");
    with.username = "AKIANOBODY";
    BOOST_TEST(verdict(nothing) == "403 InvalidAccessKeyId");
}

BOOST_FIXTURE_TEST_CASE(a_presigned_query_is_good_until_it_expires, s3) {
    BOOST_REQUIRE(put("k", "text").has_value());
    const http::header_list headers{{"Host", "s3.fake.invalid"}};
    const storage::sigv4::identity who{with.username, with.password, {}};
    storage::sigv4::key_cache keys;
    const storage::sigv4::subject what{"GET", "/events/k", "", headers, storage::sigv4::unsigned_payload};
    const auto stamp = storage::sigv4::format_stamp(time.wall_now());
    const auto done = storage::sigv4::presign(what, who, "us-east-1", "s3", stamp, 60s,
                                              storage::sigv4::path_rules::s3, keys);
    http::request req;
    req.method = "GET";
    req.target = "/events/k?" + done.query;
    const auto good = ask(*this, "s3.fake.invalid", req);
    BOOST_TEST(good.status == 200);
    BOOST_TEST(good.body == "text");
    advance(61s);
    BOOST_TEST(ask(*this, "s3.fake.invalid", req).status == 403);
    req.target.back() = req.target.back() == '0' ? '1' : '0';
    BOOST_TEST(code_of(ask(*this, "s3.fake.invalid", req)) == "AccessDenied");
}

BOOST_FIXTURE_TEST_CASE(tokens_expire, s3) {
    auto& user = cloud.users.at(with.username);
    user.session_token = "token";
    user.token_expires = time.wall_now() + 1h;
    BOOST_TEST(put("k", "text").error().provider_code() == "InvalidToken");
    with = cloud.credential();
    BOOST_TEST(put("k", "text").has_value());
    advance(1h);
    BOOST_TEST(put("k", "text").error().provider_code() == "ExpiredToken");
}

BOOST_FIXTURE_TEST_CASE(whoever_may_only_read_cannot_write, s3) {
    cloud.users.at(with.username).read_only = true;
    const auto refused = put("k", "text");
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST(refused.error().context().find("lacks s3:PutObject on bucket events") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(fake_azure_clouds)

BOOST_FIXTURE_TEST_CASE(a_store_over_it_keeps_the_contract, azure) {
    for (const auto& sentence : keeps_the_contract(*this)) BOOST_ERROR(sentence);
}

BOOST_FIXTURE_TEST_CASE(path_style_too, azure) {
    with.token = storage::secret("BlobEndpoint=http://127.0.0.1:10000/" + cloud.account +
                                 ";AccountName=" + cloud.account + ";AccountKey=" + cloud.key_base64);
    BOOST_TEST(put("a key", "text").has_value());
    BOOST_TEST(objects.at("a key").body == "text");
}

BOOST_FIXTURE_TEST_CASE(a_wrong_key_and_a_changed_request_are_refused, azure) {
    cloud.key_base64 = "b3RoZXI=";
    const auto refused = put("k", "text");
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST(refused.error().provider_code() == "AuthenticationFailed");
    http::request req;
    req.method = "GET";
    req.target = "/events/k";
    BOOST_TEST(ask(*this, cloud.account + ".blob.fake.invalid", req).status == 401);
}

BOOST_FIXTURE_TEST_CASE(what_a_sas_allows_and_what_not, azure) {
    const auto code = [this](const azure_sas& how) {
        with = cloud.credential_by_sas(how);
        const auto done = put("a b", "text");
        return done.has_value() ? std::string() : done.error().provider_code();
    };
    azure_sas how;
    BOOST_TEST(code(how) == "");
    how.version = "2018-03-28";
    BOOST_TEST(code(how) == "");
    how.permissions = "rl";
    BOOST_TEST(code(how) == "AuthorizationPermissionMismatch");
    how.permissions = "c";
    how.resource_types = "c";
    BOOST_TEST(code(how) == "AuthorizationResourceTypeMismatch");
    how.container = "events";
    BOOST_TEST(code(how) == "");
    how.version = "2021-12-02";
    how.blob = "a b";
    BOOST_TEST(code(how) == "");
    how.blob = "another";
    BOOST_TEST(code(how) == "AuthenticationFailed");
    how.blob.clear();
    how.end = "2025-12-31T23:59:59Z";
    BOOST_TEST(code(how) == "AuthenticationFailed");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(faults_of_fake_clouds)

BOOST_FIXTURE_TEST_CASE(delays_pass_in_virtual_time, s3) {
    cloud.latency = 250ms;
    fault slow;
    slow.on.from = 2;
    slow.what.delay = 5s;
    cloud.faults.add(slow);
    const auto began = time.now();
    BOOST_TEST(put("k", "text").has_value());
    BOOST_TEST((time.now() - began == 250ms));
    BOOST_TEST(put("k", "text").has_value());
    BOOST_TEST((time.now() - began == 5500ms));
}

BOOST_FIXTURE_TEST_CASE(a_deadline_comes_before_the_answer, s3) {
    fault slow;
    slow.what.delay = 5s;
    cloud.faults.add(slow);
    const auto store = open();
    const auto late = put(*store, "k", "text", false, 2s);
    BOOST_REQUIRE(!late.has_value());
    BOOST_TEST((late.error().what() == disposition::retry));
    BOOST_TEST(objects.empty());
    cloud.faults.clear();
    slow.what.carried_out = true;  // the ambiguous outcome
    cloud.faults.add(slow);
    BOOST_TEST(!put(*store, "k", "text", false, 2s).has_value());
    BOOST_TEST(objects.contains("k"));
}

BOOST_FIXTURE_TEST_CASE(an_answer_cut_anywhere_is_no_answer_although_the_object_is_there, s3) {
    for (std::size_t at = 0;; ++at) {
        cloud.faults.clear();
        fault cut;
        cut.what.cut = at;
        cloud.faults.add(cut);
        objects.clear();
        const auto done = put("k", "text");
        BOOST_TEST(objects.contains("k"));
        if (done.has_value()) {
            BOOST_TEST(at > 60U);
            break;
        }
        BOOST_TEST((done.error().what() == disposition::retry));
    }
}

BOOST_FIXTURE_TEST_CASE(a_lie_stores_nothing, azure) {
    fault lie;
    lie.on.times = 1;
    lie.what.lie = true;
    cloud.faults.add(lie);
    BOOST_TEST(put("k", "text").has_value());
    BOOST_TEST(objects.empty());
    BOOST_TEST(put("k", "text").has_value());
    BOOST_TEST(objects.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(requests_can_be_looked_at_afterwards, s3) {
    cloud.keep_seen = 2;
    for (const auto* key : {"a", "b", "c"}) BOOST_TEST(put(key, "text").has_value());
    BOOST_TEST(cloud.calls.at("put") == 3U);
    BOOST_REQUIRE(cloud.seen.size() == 2U);
    BOOST_TEST(cloud.seen.back().key == "c");
    BOOST_TEST(cloud.seen.back().body == "text");
    BOOST_TEST(cloud.seen.back().header("content-type") == "application/json");
}

BOOST_AUTO_TEST_SUITE_END()
