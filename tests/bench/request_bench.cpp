// CPU nanoseconds of the pieces of a delivery: object key, signature, body hash, verdict on a refusal.
#include "http/digest.hpp"
#include "stages/key_template.hpp"
#include "storage/object_key.hpp"
#include "storage/s3_errors.hpp"
#include "storage/s3_exchange.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

using namespace firehose;

namespace {

template <class Work> double nanoseconds_each(int times, Work work) {
    for (int i = 0; i < times / 10; ++i) work(i);
    const std::clock_t began = std::clock();
    for (int i = 0; i < times; ++i) work(i);
    return static_cast<double>(std::clock() - began) * 1e9 / CLOCKS_PER_SEC / times;
}

http::request typical_put() {
    http::request req;
    req.method = "PUT";
    req.target = "/events/aws/66f1c0de940df5a34a388800/66f1c0de940df5a34a388801.json";
    req.headers = {{"Host", "my-s3-bucket.s3.us-east-1.amazonaws.com"},
                   {"x-amz-content-sha256", std::string(storage::sigv4::empty_payload_hash)},
                   {"Content-Type", "application/json"},
                   {"If-None-Match", "*"}};
    return req;
}

}  // namespace

int main(int argc, char** argv) {
    const int times = argc > 1 ? std::atoi(argv[1]) : 200'000;
    const storage::sigv4::identity who{
        "AKIAIOSFODNN7EXAMPLE", storage::secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), {}};
    const auto noon = std::chrono::sys_days(std::chrono::year(2026) / 3 / 2) + std::chrono::hours(12);

    storage::s3_signer signer(who, "us-east-1");
    auto req = typical_put();
    bool failed = false;
    const auto sign = [&](int i) {
        failed |= !signer.sign(req, noon + std::chrono::seconds(i % 3600)).has_value();
    };
    std::printf("sign one PUT, key cached   %8.0f ns\n", nanoseconds_each(times, sign));

    const auto derive = [&](int i) {
        failed |= storage::sigv4::derive_key(who.secret_access_key,
                                             {std::to_string(20260000 + i % 9999), "us-east-1", "s3"}) ==
                  http::sha256_value{};
    };
    std::printf("derive a day's key         %8.0f ns\n", nanoseconds_each(times / 10, derive));

    const std::string ids[] = {"66f1c0de940df5a34a388801", "66f1c0de940df5a34a388802"};
    const auto key = [&](int i) {
        failed |= storage::event_key("my/prefix", "66f1c0de940df5a34a388800", ids[i % 2]).empty();
    };
    std::printf("key of an event's object   %8.0f ns\n", nanoseconds_each(times, key));

    using stages::key_template;
    const auto names = key_template::parse(key_template::default_text(), stages::packing::gzip).what;
    const auto partition = names.partition({"66f1c0de940df5a34a388803", 1'772'473'618'971, {}});
    const auto name = [&](int i) {
        failed |= names.finish(partition, {ids[i % 2], ids[0], "0123456789abcdef", 1000}).empty();
    };
    std::printf("name of a gathered object  %8.0f ns\n", nanoseconds_each(times, name));

    const std::string refusal =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>SlowDown</Code><Message>Please reduce your "
        "request rate.</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>";
    const auto verdict = [&](int) {
        const auto said = storage::read_error_body(refusal);
        failed |= storage::judge_s3(503, said.code).what != disposition::slow_down;
    };
    std::printf("verdict on a 503 with XML  %8.0f ns\n", nanoseconds_each(times / 10, verdict));

    const std::string body(1024, 'x');
    const auto hash = [&](int) { failed |= http::sha256(body) == http::sha256_value{}; };
    std::printf("SHA-256 of a 1 KiB body    %8.0f ns\n", nanoseconds_each(times, hash));
    return failed ? 1 : 0;
}
