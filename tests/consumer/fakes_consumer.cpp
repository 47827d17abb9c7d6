// What a user's test needs: the fakes and virtual time as a library, a store over them, and no sleeping.
#include "http/client.hpp"
#include "storage/azure_store.hpp"
#include "storage/s3_store.hpp"
#include "tests/fakes/fake_azure.hpp"
#include "tests/fakes/fake_s3.hpp"
#include "tests/support/shard_fixture.hpp"

#include <iostream>

using namespace firehose;

task<bool> stores(storage::store& to, std::string key) {
    const storage::payload body{as_bytes("{}")};
    const storage::put_options how;
    auto put = co_await to.put(key, body, how, time_source::steady::max());
    if (!put) std::cerr << put.error().context() << "\n";
    co_return put.has_value();
}

template <class Cloud> bool try_cloud(shard_fixture& shard, Cloud& cloud, storage::store_kind kind) {
    http::client client(shard.x);
    storage::store_environment environment{shard.x, client, {}, {}, {}};
    const auto credential = cloud.credential();
    const storage::destination to{"cloud", "", "events", "", credential.id};
    const auto store = cloud.kind(std::move(kind)).make(to, &credential, environment);
    return store && shard.run(stores(**store, "key"));
}

int main() {
    shard_fixture shard;
    fakes::fake_s3 s3(shard.x);
    fakes::fake_azure azure(shard.x);
    auto& bucket = s3.make_bucket("events");
    auto& container = azure.make_container("events");
    fakes::fault hour_long;
    hour_long.on.times = 1;
    hour_long.what.delay = std::chrono::hours(1);
    s3.faults.add(hour_long);
    const bool good =
        try_cloud(shard, s3, storage::s3_kind()) && try_cloud(shard, azure, storage::azure_kind());
    return good && bucket.objects.contains("key") && container.objects.contains("key") ? 0 : 1;
}
