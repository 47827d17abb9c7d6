#include "tests/server/sqs_queues.hpp"

#include "http/digest.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace firehose::server_test {

const std::map<std::string, std::string>& sqs_environment() {
    static const auto lines = [] {
        const char* name = std::getenv("SQS_ENV_FILE");
        if (name == nullptr)
            throw std::runtime_error("SQS_ENV_FILE is not set; run this test by ctest -L server");
        std::ifstream file(name);
        if (!file) throw std::runtime_error(std::string("no SQS server is running: cannot read ") + name);
        std::map<std::string, std::string> found;
        for (std::string line; std::getline(file, line);)
            found.emplace(line.substr(0, line.find('=')), line.substr(line.find('=') + 1));
        return found;
    }();
    return lines;
}

namespace {

http::client_options patient() {
    http::client_options how;
    how.wait.first_byte = std::chrono::seconds(30);
    how.accept.body = 40 << 20;
    return how;
}

std::string fresh_name() {
    system_randomness random;
    std::array<std::byte, 8> bytes;
    random.fill(bytes);
    return "test-" + http::to_hex(bytes);
}

}  // namespace

sqs_queues::sqs_queues() : client_(shard_.x, patient()) {
    const auto& env = sqs_environment();
    credential.id = "507f1f77bcf86cd799439011";
    credential.type = "user";
    credential.username = env.at("SQS_ACCESS_KEY");
    credential.password = storage::secret(env.at("SQS_SECRET_KEY"));
}

std::unique_ptr<storage::sqs_queue> sqs_queues::at(const std::string& url, const storage::credential& with,
                                                   storage::sqs_options how) {
    auto where = storage::locate_sqs(with, url);
    if (!where.has_value()) throw std::runtime_error(where.error().context());
    return std::make_unique<storage::sqs_queue>(shard_.x, client_.transports(), with, std::move(*where), how);
}

task<result<http::response>> sqs_queues::ask(std::string action, std::string body) {
    const auto url = sqs_environment().at("SQS_ENDPOINT") + "/0/any";
    const auto where = storage::locate_sqs(credential, url).value();
    storage::sqs_exchange exchange(shard_.x, client_.transports(), credential, where);
    auto req = storage::sqs_request(action, body);
    const auto deadline = shard_.x.time.now() + std::chrono::seconds(30);
    auto answer = co_await exchange.send(req, deadline);
    co_return answer;
}

std::string sqs_queues::make(const std::string& attributes, bool fifo) {
    const auto name = fresh_name() + (fifo ? ".fifo" : "");
    std::string all = attributes;
    if (fifo) all += std::string(all.empty() ? "" : ",") + "\"FifoQueue\":\"true\"";
    const auto made =
        run(ask("CreateQueue", "{\"QueueName\":\"" + name + "\",\"Attributes\":{" + all + "}}"));
    if (!made.has_value()) throw std::runtime_error(made.error().context());
    return storage::sqs::read_queue_url(made->body).value();
}

}  // namespace firehose::server_test
