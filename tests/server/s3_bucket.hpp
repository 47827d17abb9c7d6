/// A bucket of its own on the S3 server that CTest started.
#pragma once
#include "http/client.hpp"
#include "storage/s3_store.hpp"
#include "tests/contract/real_shard.hpp"

#include <map>
#include <memory>
#include <string>

namespace firehose::server_test {

/// The lines of the file that S3_ENV_FILE names. Throws when there is no server to test with.
const std::map<std::string, std::string>& environment();

enum class scheme { http, https };

storage::credential working_credential(scheme how);

/// What the server that runs can do beyond the oldest one the tests know, radosgw 16.
struct server_abilities {
    bool checksums = false;                ///< verifies and keeps x-amz-checksum-…
    bool conditional_puts = true;          ///< If-None-Match on PUT
    bool conditional_completions = false;  ///< and on CompleteMultipartUpload
    bool tags = true;
    bool tells_unknown_keys = true;    ///< from wrong secrets
    bool lost_races_may_fail = false;  ///< of puts of one key
    std::string kms_key{};             ///< encrypts under it, over TLS; empty: has none
};
server_abilities abilities();

/// A shard, a client and a new, empty bucket.
class s3_bucket {
public:
    explicit s3_bucket(scheme how);

    context& shard() { return shard_.x; }
    const std::string& name() const { return name_; }
    storage::credential credential{};

    /// How stores made from now on keep objects.
    storage::destination_settings settings{};
    std::unique_ptr<storage::store> store() { return store_with(credential, name_); }
    std::unique_ptr<storage::store> store_with(const storage::credential& with, const std::string& bucket);

    /// Runs to the end and leaves no connection open.
    template <class T> T run(task<T> work) { return shard_.run(and_close(std::move(work))); }
    template <class T> task<T> and_close(task<T> work) {
        auto value = co_await std::move(work);
        client_.close_idle();
        co_return value;
    }

    /// GET, past the store.
    task<result<std::string>> read(std::string key);
    http::client& client() { return client_; }
    /// One request past the store, signed in the header; `path` from the root on.
    task<result<http::response>> ask(std::string method, std::string path);
    /// One request with nothing but what the URL, as presign_s3() makes it, says.
    task<result<http::response>> ask_by_url(std::string method, std::string url, std::string body);
    /// A body beside the checksum of another one.
    task<result<http::response>> put_with_wrong_checksum(std::string key, storage::checksum_choice which);

private:
    contract::real_shard shard_;
    http::client client_;
    std::string name_;
};

}  // namespace firehose::server_test
