// What the real clients make of every answer: each row of the table of verdicts, one PUT through a whole
// client over a fake cloud. What belongs to the connection (a stale one, parts of messages, two lengths) is
// tried in tests/loopback, where there are connections.
#include "tests/unit/fakes/rig.hpp"

#include <boost/test/unit_test.hpp>

#include <iostream>
#include <vector>

using namespace firehose;
using namespace firehose::fakes;
using namespace std::chrono_literals;

namespace {

enum class verdict { delivered, retry, slow_down, park, stop };

std::string to_text(verdict v) {
    constexpr std::array names = {"delivered", "retry", "slow_down", "park", "stop"};
    return names.at(static_cast<std::size_t>(v));
}

verdict verdict_of(const result<storage::object_info>& done) {
    if (done.has_value()) return verdict::delivered;
    switch (done.error().what()) {
        case disposition::retry: return verdict::retry;
        case disposition::slow_down: return verdict::slow_down;
        case disposition::park: return verdict::park;
        case disposition::stop: break;
    }
    return verdict::stop;
}

/// One row. `requests`: how many go out for one attempt.
template <class Cloud> struct row {
    std::string name;
    fault_effect what;
    verdict expected;
    int requests = 1;
    bool only_if_absent = false;
    std::function<void(rig<Cloud>&)> prepare{};
};

fault_effect says(int status, std::string code = {}) {
    fault_effect e;
    e.status = status;
    e.code = std::move(code);
    return e;
}
fault_effect says_text(int status, std::string body, http::header_list headers = {}) {
    auto e = says(status);
    e.body = std::move(body);
    e.headers = std::move(headers);
    return e;
}
fault_effect region(std::string name) {
    fault_effect e;
    e.region = std::move(name);
    return e;
}
fault_effect refused() {
    fault_effect e;
    e.refuse = true;
    return e;
}
fault_effect cut(std::size_t at) {
    fault_effect e;
    e.cut = at;
    return e;
}
fault_effect late() {
    fault_effect e;
    e.delay = 2h;
    return e;
}
fault_effect expired() {
    fault_effect e;
    e.expired_token = true;
    return e;
}
fault_effect nothing() { return {}; }

/// The verdict of one attempt with the fault, and what follows from it: what may be retried is delivered by a
/// second attempt, whole; what may not is asked for once.
template <class Cloud> std::string try_row(const row<Cloud>& r) {
    const std::string text = "the bytes";
    rig<Cloud> once;
    fault always;
    always.what = r.what;
    once.cloud.faults.add(always);
    if (r.prepare) r.prepare(once);
    auto store = once.open();
    const auto got = verdict_of(once.put(*store, "k", text, r.only_if_absent));
    if (got != r.expected) return "is " + to_text(got) + " instead of " + to_text(r.expected);
    const auto sent = static_cast<int>(once.cloud.calls["put"]);
    if (sent != r.requests)
        return "takes " + std::to_string(sent) + " requests instead of " + std::to_string(r.requests);
    // What was healed at once, and what took all the time there was, has no second attempt of interest.
    if (r.requests > 1 || r.what.delay.count() > 0) return {};

    rig<Cloud> again;
    fault first;
    first.on.times = 1;
    first.what = r.what;
    again.cloud.faults.add(first);
    if (r.prepare) r.prepare(again);
    again.attempts = 2;
    store = again.open();
    const auto then = verdict_of(again.put(*store, "k", text, r.only_if_absent));
    const bool passing = r.expected == verdict::retry || r.expected == verdict::slow_down;
    if (passing != (then == verdict::delivered) && r.expected != verdict::delivered)
        return "then a second attempt is " + to_text(then);
    if (passing && again.objects.at("k").body != text) return "then other bytes are stored";
    return {};
}

template <class Cloud> void try_all(const std::string& cloud, const std::vector<row<Cloud>>& rows) {
    std::size_t wrong = 0;
    for (const auto& r : rows) {
        const auto problem = try_row(r);
        if (problem.empty()) continue;
        ++wrong;
        BOOST_ERROR(cloud + ", " + r.name + ": " + problem);
    }
    std::cout << cloud << ": " << rows.size() << " rows, " << wrong << " wrong verdicts\n";
}

template <class Cloud> std::vector<row<Cloud>> rows_of_both() {
    using enum verdict;
    const http::header_list html{{"Content-Type", "text/html"}, {"ETag", "\"x\""}};
    const http::header_list etag{{"ETag", "\"x\""}};
    std::vector<row<Cloud>> rows{
        {"connection refused or reset", refused(), retry},
        {"no answer before the deadline", late(), retry},
        {"429", says(429), slow_down},
        {"500", says(500), retry},
        {"502 of a proxy", says_text(502, "<html>Bad Gateway</html>", html), retry},
        {"503", says(503), retry},
        {"504", says(504), retry},
        {"408", says(408), retry},
        {"401", says(401), stop},
        {"403 without a word", says(403), stop},
        {"404 without a word", says(404), stop},
        {"413", says(413), park},
        {"400 without a word", says(400), park},
        {"501", says(501), stop},
        {"200 with a web page", says_text(200, "<html>Please log in</html>", html), retry},
        {"203", says_text(203, "", etag), retry},
        {"200 with an error inside", says(200, "InternalError"), retry},
        {"204", says_text(204, "", etag), retry},
        {"a location of another domain", says_text(302, "", {{"Location", "https://evil.invalid/"}}), stop},
    };
    for (const std::size_t at : {0U, 1U, 12U, 40U, 60U})
        rows.push_back({"cut after byte " + std::to_string(at), cut(at), retry});
    return rows;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(the_table_of_verdicts)

BOOST_AUTO_TEST_CASE(s3) {
    using enum verdict;
    auto rows = rows_of_both<fake_s3>();
    const auto at_amazon = [](rig<fake_s3>& r) { r.with.endpoint.clear(); };
    const auto object_there = [](rig<fake_s3>& r) { r.objects["k"].body = "the bytes"; };
    const std::vector<row<fake_s3>> own{
        {"200 with an ETag", nothing(), delivered},
        {"200 with a request id and no ETag", says_text(200, ""), delivered},
        {"200 with neither", says_text(200, "", {{"x-amz-request-id", ""}}), retry},
        {"503 SlowDown", says(503, "SlowDown"), slow_down},
        {"500 InternalError", says(500, "InternalError"), retry},
        {"503 ServiceUnavailable", says(503, "ServiceUnavailable"), retry},
        {"400 RequestTimeout", says(400, "RequestTimeout"), retry},
        {"409 OperationAborted", says(409, "OperationAborted"), retry},
        {"409 ConditionalRequestConflict", says(409, "ConditionalRequestConflict"), retry, 1, true},
        {"400 BadDigest", says(400, "BadDigest"), retry},
        {"400 XAmzContentSHA256Mismatch", says(400, "XAmzContentSHA256Mismatch"), retry},
        {"a clock that is 20 minutes off", nothing(), delivered, 2, false,
         [](rig<fake_s3>& r) { r.cloud.clock_ahead = 20min; }},
        {"403 RequestTimeTooSkewed for ever", says(403, "RequestTimeTooSkewed"), stop, 2},
        {"400 ExpiredToken", expired(), stop},
        {"403 AccessDenied", says(403, "AccessDenied"), stop},
        {"403 InvalidAccessKeyId", says(403, "InvalidAccessKeyId"), stop},
        {"403 SignatureDoesNotMatch", says(403, "SignatureDoesNotMatch"), stop},
        {"a secret that is wrong", nothing(), stop, 1, false,
         [](rig<fake_s3>& r) { r.with.password = storage::secret("wrong"); }},
        {"404 NoSuchBucket", says(404, "NoSuchBucket"), stop},
        {"301 to another region", nothing(), delivered, 2, false,
         [](rig<fake_s3>& r) {
             r.with.endpoint.clear();
             r.cloud.make_bucket("events", "eu-west-1");
         }},
        {"400 AuthorizationHeaderMalformed with a region", nothing(), delivered, 2, false,
         [](rig<fake_s3>& r) { r.cloud.make_bucket("events", "eu-west-1"); }},
        {"301 to another provider's domain", region("cn-north-1"), stop, 1, false, at_amazon},
        {"301 in a circle", region("eu-west-1"), stop, 2, false, at_amazon},
        {"400 EntityTooLarge", says(400, "EntityTooLarge"), park},
        {"400 KeyTooLongError", says(400, "KeyTooLongError"), park},
        {"400 InvalidRequest", says(400, "InvalidRequest"), park},
        {"412 where one is there", nothing(), delivered, 1, true, object_there},
        {"412 that nobody asked for", says(412, "PreconditionFailed"), park},
        {"501 NotImplemented", says(501, "NotImplemented"), stop},
    };
    rows.insert(rows.end(), own.begin(), own.end());
    try_all("S3", rows);
}

BOOST_AUTO_TEST_CASE(azure) {
    using enum verdict;
    auto rows = rows_of_both<fake_azure>();
    const auto object_there = [](rig<fake_azure>& r) { r.objects["k"].body = "the bytes"; };
    const std::vector<row<fake_azure>> own{
        {"201 with an ETag", nothing(), delivered},
        {"201 with a request id and no ETag", says_text(201, ""), delivered},
        {"200 for a PUT", says_text(200, "", {{"ETag", "\"x\""}}), retry},
        {"503 ServerBusy", says(503, "ServerBusy"), slow_down},
        {"500 OperationTimedOut", says(500, "OperationTimedOut"), retry},
        {"500 InternalError", says(500, "InternalError"), retry},
        {"400 Md5Mismatch", says(400, "Md5Mismatch"), retry},
        {"400 Crc64Mismatch", says(400, "Crc64Mismatch"), retry},
        {"412 LeaseIdMissing", says(412, "LeaseIdMissing"), retry},
        {"a clock that is 20 minutes off", nothing(), delivered, 2, false,
         [](rig<fake_azure>& r) { r.cloud.clock_ahead = 20min; }},
        {"403 AuthenticationFailed", says(403, "AuthenticationFailed"), stop},
        {"a SAS that has expired", nothing(), stop, 1, false,
         [](rig<fake_azure>& r) {
             azure_sas old;
             old.end = "2025-12-31T00:00:00Z";
             r.with = r.cloud.credential_by_sas(old);
         }},
        {"403 AuthorizationPermissionMismatch", says(403, "AuthorizationPermissionMismatch"), stop},
        {"404 ContainerNotFound", says(404, "ContainerNotFound"), stop},
        {"409 ContainerBeingDeleted", says(409, "ContainerBeingDeleted"), stop},
        {"413 RequestBodyTooLarge", says(413, "RequestBodyTooLarge"), park},
        {"409 BlobAlreadyExists where one is there", nothing(), delivered, 1, true, object_there},
        {"409 BlobAlreadyExists that nobody asked for", says(409, "BlobAlreadyExists"), park},
        {"409 BlobImmutableDueToPolicy", says(409, "BlobImmutableDueToPolicy"), park},
    };
    rows.insert(rows.end(), own.begin(), own.end());
    try_all("Azure", rows);
}

BOOST_AUTO_TEST_SUITE_END()
