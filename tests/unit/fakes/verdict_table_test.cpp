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

/// One fault during an upload in parts. `times`: how often it happens.
struct upload_row {
    std::string name;
    std::string operation;
    fault_effect what;
    std::uint64_t times;
    verdict expected;
    bool only_if_absent = false;
    bool object_there = false;
};

const std::string three_parts = "first part,second part,third part";

task<result<storage::object_info>> upload(storage::store& s, bool only_if_absent,
                                          time_source::steady deadline) {
    storage::put_options how;
    how.only_if_absent = only_if_absent;
    const std::string key = "k";
    auto started = co_await s.start_multipart(key, how, deadline);
    if (!started.has_value()) co_return started.error();
    auto& parts = **started;
    for (const int number : {1, 2, 3}) {
        const storage::payload body{
            as_bytes(std::string_view(three_parts).substr(static_cast<std::size_t>(11 * (number - 1)), 11))};
        auto stored = co_await parts.put_part(number, body, deadline);
        if (stored.has_value()) continue;
        co_await parts.abort();
        co_return stored.error();
    }
    auto done = co_await parts.complete(deadline);
    if (!done.has_value()) co_await parts.abort();
    co_return done;
}

void allow_small_parts(fake_s3& cloud) { cloud.min_part = 1; }
void allow_small_parts(fake_azure&) {}

template <class Cloud> std::string try_upload(const upload_row& row) {
    rig<Cloud> r;
    allow_small_parts(r.cloud);
    r.attempts = 3;
    fault f;
    f.on.operation = row.operation;
    f.on.times = row.times;
    f.what = row.what;
    r.cloud.faults.add(f);
    if (row.object_there) r.objects["k"].body = three_parts;
    const auto store = r.open();
    const auto got = verdict_of(r.run(upload(*store, row.only_if_absent, r.time.now() + 10min)));
    if (got != row.expected) return "is " + to_text(got) + " instead of " + to_text(row.expected);
    const auto there = r.objects.find("k");
    if (there != r.objects.end() && there->second.body != three_parts) return "other bytes are stored";
    if (got == verdict::delivered && there == r.objects.end()) return "nothing is stored";
    if (r.cloud.faults.hits() == 0) return "the fault did not happen";
    return {};
}

template <class Cloud> void try_uploads(const std::string& cloud, std::vector<upload_row> rows) {
    using enum verdict;
    const auto ever = std::numeric_limits<std::uint64_t>::max();
    auto lost = cut(0);
    lost.carried_out = true;
    const std::vector<upload_row> of_both{
        {"503 for one part", "put_part", says(503), 1, delivered},
        {"a part refused by the network", "put_part", refused(), 2, delivered},
        {"the answer to a part is lost", "put_part", lost, 1, delivered},
        {"500 for ever for parts", "put_part", says(500), ever, retry},
        {"403 for a part", "put_part", says(403), 1, stop},
        {"a web page for the completion", "complete",
         says_text(200, "<html>", {{"Content-Type", "text/html"}}), 1, delivered},
        {"500 for the completion", "complete", says(500), 1, delivered},
        {"500 for ever for the completion", "complete", says(500), ever, retry},
        {"the answer to the completion is lost", "complete", lost, 1, delivered},
        {"a part that was never stored", "put_part", {.lie = true}, 1, retry},
    };
    rows.insert(rows.end(), of_both.begin(), of_both.end());
    for (std::size_t at = 1; at < 400; at += 37) {
        auto later = cut(at);
        later.carried_out = true;
        rows.push_back({"the completion's answer ends after byte " + std::to_string(at), "complete", later, 1,
                        delivered});
    }
    std::size_t wrong = 0;
    for (const auto& row : rows) {
        const auto problem = try_upload<Cloud>(row);
        if (problem.empty()) continue;
        ++wrong;
        BOOST_ERROR(cloud + " in parts, " + row.name + ": " + problem);
    }
    std::cout << cloud << " in parts: " << rows.size() << " rows, " << wrong << " wrong verdicts\n";
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

BOOST_AUTO_TEST_CASE(s3_in_parts) {
    using enum verdict;
    const std::string half = "<?xml version=\"1.0\"?><CompleteMultipartUploadResult><ETag>&quot;x";
    try_uploads<fake_s3>(
        "S3", {{"503 SlowDown in the middle", "put_part", says(503, "SlowDown"), 1, delivered},
               {"503 SlowDown for ever", "put_part", says(503, "SlowDown"), 99, slow_down},
               {"200 with an error inside, once", "complete", says(200, "InternalError"), 1, delivered},
               {"200 with an error inside, for ever", "complete", says(200, "InternalError"), 99, retry},
               {"200 without a body", "complete", says_text(200, ""), 1, delivered},
               {"200 with half a document", "complete", says_text(200, half), 1, delivered},
               {"the upload is gone and so is the object", "complete", says(404, "NoSuchUpload"), 99, retry},
               {"412 where one is there", "complete", nothing(), 1, delivered, true, true},
               {"a token expires in the middle", "put_part", expired(), 1, stop}});
}

BOOST_AUTO_TEST_CASE(azure_in_parts) {
    using enum verdict;
    try_uploads<fake_azure>(
        "Azure",
        {{"503 ServerBusy in the middle", "put_part", says(503, "ServerBusy"), 1, delivered},
         {"503 ServerBusy for ever", "put_part", says(503, "ServerBusy"), 99, slow_down},
         {"200 for the list of blocks", "complete", says_text(200, "", {{"ETag", "\"x\""}}), 1, delivered},
         {"blocks that somebody discarded", "complete", says(400, "InvalidBlockList"), 99, retry},
         {"409 BlobAlreadyExists where one is there", "complete", nothing(), 1, delivered, true, true}});
}

BOOST_AUTO_TEST_SUITE_END()
