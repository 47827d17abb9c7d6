#include "tests/server/s3_bucket.hpp"

#include "pipeline/bytes.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace firehose::server_test {

const std::map<std::string, std::string>& environment() {
    static const auto lines = [] {
        const char* name = std::getenv("S3_ENV_FILE");
        if (name == nullptr)
            throw std::runtime_error("S3_ENV_FILE is not set; run this test by ctest -L server");
        std::ifstream file(name);
        if (!file) throw std::runtime_error(std::string("no S3 server is running: cannot read ") + name);
        std::map<std::string, std::string> found;
        for (std::string line; std::getline(file, line);)
            found.emplace(line.substr(0, line.find('=')), line.substr(line.find('=') + 1));
        return found;
    }();
    return lines;
}

server_abilities abilities() {
    const auto& server = environment().at("S3_SERVER");
    server_abilities can;
    can.checksums = !server.starts_with("radosgw-16.");
    if (const auto key = environment().find("S3_KMS_KEY"); key != environment().end())
        can.kms_key = key->second;
    if (server.starts_with("swift-")) {
        can.conditional_puts = false;
        can.tags = false;
        can.tells_unknown_keys = false;
        can.lost_races_may_fail = true;  // status 200 and a page that says "Accepted"
    } else {
        can.conditional_completions = can.checksums;
    }
    return can;
}

storage::credential working_credential(scheme how) {
    const auto& env = environment();
    storage::credential c;
    c.id = "507f1f77bcf86cd799439011";
    c.type = "user";
    c.username = env.at("S3_ACCESS_KEY");
    c.password = storage::secret(env.at("S3_SECRET_KEY"));
    c.endpoint = env.at(how == scheme::http ? "S3_ENDPOINT" : "S3_TLS_ENDPOINT");
    if (how == scheme::https) c.ca_file = env.at("S3_CA_FILE");
    return c;
}

namespace {
std::string fresh_name() {
    system_randomness random;
    std::array<std::byte, 8> bytes;
    random.fill(bytes);
    return "test-" + http::to_hex(bytes);
}
}  // namespace

s3_bucket::s3_bucket(scheme how)
    : credential(working_credential(how)), client_(shard_.x), name_(fresh_name()) {
    const auto made = run(ask("PUT", "/" + name_));
    if (!made.has_value()) throw std::runtime_error(made.error().context());
    if (made->status != 200) throw std::runtime_error("cannot make a bucket: " + made->body);
}

std::unique_ptr<storage::store> s3_bucket::store_with(const storage::credential& with,
                                                      const std::string& bucket) {
    storage::store_environment env{shard_.x, client_, {}};
    env.settings = [this](const storage::destination&) { return settings; };
    storage::destination to;
    to.service = "aws";
    to.type = "s3";
    to.bucket = bucket;
    to.credential_id = with.id;
    const auto kinds = storage::default_registry();
    auto made = kinds.find("s3")->make(to, &with, env);
    if (!made.has_value()) throw std::runtime_error(made.error().context());
    return std::move(*made);
}

task<result<http::response>> s3_bucket::ask(std::string method, std::string path) {
    const auto endpoint = http::parse_endpoint(credential.endpoint).value();
    auto to = endpoint.to;
    to.ca_file = credential.ca_file;
    storage::sigv4::identity who{credential.username, credential.password, {}};
    storage::s3_signer signer(who, "us-east-1");
    http::request req;
    req.method = std::move(method);
    req.target = std::move(path);
    req.headers.emplace_back("x-amz-content-sha256", storage::sigv4::empty_payload_hash);
    const auto deadline = shard_.x.time.now() + std::chrono::seconds(30);
    auto answer = co_await client_.send(to, req, &signer, deadline);
    co_return answer;
}

task<result<http::response>> s3_bucket::put_with_wrong_checksum(std::string key,
                                                                storage::checksum_choice which) {
    const auto endpoint = http::parse_endpoint(credential.endpoint).value();
    auto to = endpoint.to;
    to.ca_file = credential.ca_file;
    storage::sigv4::identity who{credential.username, credential.password, {}};
    storage::s3_signer signer(who, "us-east-1");
    http::request req;
    req.method = "PUT";
    req.target = "/" + name_ + "/" + key;
    req.body.push_back(as_bytes("other"));
    storage::s3_body_guard guard;
    guard.checksum = which;
    guard.unsigned_payload = true;
    storage::guard_body(req, guard);
    req.body.assign(1, as_bytes("hello"));
    const auto deadline = shard_.x.time.now() + std::chrono::seconds(30);
    auto answer = co_await client_.send(to, req, &signer, deadline);
    co_return answer;
}

task<result<http::response>> s3_bucket::ask_by_url(std::string method, std::string url, std::string body) {
    const auto endpoint = http::parse_endpoint(credential.endpoint).value();
    auto to = endpoint.to;
    to.ca_file = credential.ca_file;
    http::request req;
    req.method = std::move(method);
    req.target = url.substr(url.find('/', url.find("//") + 2));
    if (!body.empty()) req.body.push_back(as_bytes(body));
    const auto deadline = shard_.x.time.now() + std::chrono::seconds(30);
    auto answer = co_await client_.send(to, req, nullptr, deadline);
    co_return answer;
}

task<result<std::string>> s3_bucket::read(std::string key) {
    const auto path = "/" + name_ + "/" + http::encode_path(key);
    auto answer = co_await ask("GET", path);
    if (!answer.has_value()) co_return answer.error();
    if (answer->status != 200) co_return error(disposition::retry, "GET " + key + ": " + answer->body);
    co_return answer->body;
}

}  // namespace firehose::server_test
