/// A real store over a fake cloud, on a shard in virtual time.
#pragma once
#include "http/client.hpp"
#include "pipeline/bytes.hpp"
#include "storage/azure_store.hpp"
#include "storage/s3_store.hpp"
#include "tests/fakes/fake_azure.hpp"
#include "tests/fakes/fake_s3.hpp"
#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>

namespace firehose::fakes {

inline storage::store_kind real_kind(const fake_s3&, http::backoff how) {
    return storage::s3_kind({.retries = how});
}
inline storage::store_kind real_kind(const fake_azure&, http::backoff how) {
    return storage::azure_kind({.retries = how});
}
inline auto& place(fake_s3& cloud) { return cloud.make_bucket("events").objects; }
inline auto& place(fake_azure& cloud) { return cloud.make_container("events").objects; }

template <class Cloud> struct rig : shard_fixture {
    Cloud cloud{x};
    decltype(place(cloud))& objects = place(cloud);
    http::client client{x};
    storage::credential with = cloud.credential();
    int attempts = 1;

    std::unique_ptr<storage::store> open(const std::string& bucket = "events") {
        http::backoff how;
        how.attempts = attempts;
        const auto kind = cloud.kind(real_kind(cloud, how));
        storage::destination to;
        to.service = "cloud";
        to.bucket = bucket;
        to.credential_id = with.id;
        storage::store_environment env{x, client, {}};
        auto made = kind.make(to, &with, env);
        if (!made.has_value()) throw std::runtime_error(made.error().context());
        return std::move(*made);
    }

    static task<result<storage::object_info>> put_task(storage::store& s, std::string key, std::string text,
                                                       storage::put_options how,
                                                       time_source::steady deadline) {
        const storage::payload body{as_bytes(text)};
        auto done = co_await s.put(key, body, how, deadline);
        co_return done;
    }
    result<storage::object_info> put(storage::store& s, const std::string& key, const std::string& text,
                                     bool only_if_absent = false,
                                     std::chrono::seconds patience = std::chrono::hours(1)) {
        storage::put_options how;
        how.only_if_absent = only_if_absent;
        return run(put_task(s, key, text, how, time.now() + patience));
    }
    result<storage::object_info> put(const std::string& key, const std::string& text) {
        const auto store = open();
        return put(*store, key, text);
    }
};

inline fault answering(int status, std::string code, std::uint64_t times = 1) {
    fault f;
    f.on.times = times;
    f.what.status = status;
    f.what.code = std::move(code);
    return f;
}

}  // namespace firehose::fakes
