// Tests a stage of one's own without sleeping: two days of a cloud that is down pass in milliseconds, and
// every answer comes from a fake that checks signatures as S3 does. Link firehose::fakes.
#include "http/client.hpp"
#include "pipeline/pipeline.hpp"
#include "storage/s3_store.hpp"
#include "tests/fakes/fake_s3.hpp"
#include "tests/support/shard_fixture.hpp"

#include <iostream>
#include <stdexcept>

using namespace firehose;

/// The stage under test: stores each text, and tries again every ten minutes until that has worked.
class keep_trying {
public:
    using input_type = std::string;
    explicit keep_trying(storage::store& to) : to_(to) {}

    task<> run(receiver<std::string> in, context& x) {
        for (;;) {
            auto texts = co_await in.next();
            if (!texts) co_return;
            for (const auto& text : texts->items()) co_await keep(text, x);
            texts->take_ack().resolve(outcome::stored);
        }
    }

private:
    task<> keep(const std::string& text, context& x) {
        const storage::payload body{as_bytes(text)};
        const storage::put_options how;
        for (;;) {
            const auto deadline = x.time.now() + std::chrono::seconds(30);
            auto stored = co_await to_.put("texts/" + text, body, how, deadline);
            if (stored) co_return;
            ++x.count["tried_again"];
            co_await x.time.sleep_until(x.time.now() + std::chrono::minutes(10));
        }
    }
    storage::store& to_;
};

/// What feeds it: ten texts, one batch each.
struct ten_texts {
    using output_type = std::string;
    unsigned* stored;

    task<> run(sender<std::string> out, context&) {
        for (int i = 0; i < 10; ++i) {
            ack_token done([counter = stored](outcome what) { *counter += what == outcome::stored; });
            batch<std::string> one({std::to_string(i)}, 1, std::move(done));
            const auto taken = co_await out.push(one);
            if (!taken) co_return;
        }
    }
};

int main() {
    shard_fixture shard;  // a context whose time jumps from sleeper to sleeper
    fakes::fake_s3 cloud(shard.x);
    auto& bucket = cloud.make_bucket("texts");
    const auto script = cloud.faults.add_json(
        R"({"faults": [{"on": {"until_ms": 172800000}, "do": {"status": 503, "code": "SlowDown"}}]})");
    if (!script) throw std::runtime_error(script.error().context());

    http::client unused(shard.x);
    storage::store_environment environment{shard.x, unused, {}};
    const auto credential = cloud.credential();
    const storage::destination to{"aws", "s3", "texts", "", credential.id};
    const auto store = cloud.kind(storage::s3_kind()).make(to, &credential, environment);
    if (!store) throw std::runtime_error(store.error().context());

    const auto began = shard.time.now();
    unsigned stored = 0;
    auto pipeline = chain(ten_texts{&stored}, keep_trying(**store));
    shard.run(pipeline.run(shard.x));

    const auto hours = std::chrono::duration_cast<std::chrono::hours>(shard.time.now() - began).count();
    std::cout << stored << " stored after " << hours << " hours, tried again " << shard.count["tried_again"]
              << " times\n";
    return stored == 10 && bucket.objects.size() == 10 ? 0 : 1;
}
