/// Queues of their own on the SQS server that CTest started.
#pragma once
#include "http/client.hpp"
#include "storage/sqs_queue.hpp"
#include "tests/contract/real_shard.hpp"

#include <map>
#include <memory>
#include <string>

namespace firehose::server_test {

/// The lines of the file that SQS_ENV_FILE names. Throws when there is no server to test with.
const std::map<std::string, std::string>& sqs_environment();

/// A shard, a client that waits for long polls, and queues with new names.
class sqs_queues {
public:
    sqs_queues();

    context& shard() { return shard_.x; }
    storage::credential credential{};

    /// Makes a queue and says its URL; `attributes` is JSON: "\"VisibilityTimeout\":\"5\"".
    std::string make(const std::string& attributes = {}, bool fifo = false);
    std::unique_ptr<storage::sqs_queue> at(const std::string& url, storage::sqs_options how = {}) {
        return at(url, credential, how);
    }
    std::unique_ptr<storage::sqs_queue> at(const std::string& url, const storage::credential& with,
                                           storage::sqs_options how = {});

    /// Runs to the end and leaves no connection open.
    template <class T> T run(task<T> work) { return shard_.run(and_close(std::move(work))); }
    template <class T> task<T> and_close(task<T> work) {
        auto value = co_await std::move(work);
        client_.close_idle();
        co_return value;
    }
    http::client& client() { return client_; }

private:
    task<result<http::response>> ask(std::string action, std::string body);
    contract::real_shard shard_;
    http::client client_;
};

}  // namespace firehose::server_test
