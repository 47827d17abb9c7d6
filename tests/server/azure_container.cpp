#include "tests/server/azure_container.hpp"

#include "http/digest.hpp"
#include "pipeline/bytes.hpp"

#include <array>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace firehose::azure_test {

const std::map<std::string, std::string>& environment() {
    static const auto lines = [] {
        const char* name = std::getenv("AZURE_ENV_FILE");
        if (name == nullptr)
            throw std::runtime_error("AZURE_ENV_FILE is not set; run this test by ctest -L server");
        std::ifstream file(name);
        if (!file) throw std::runtime_error(std::string("no Azure server is running: cannot read ") + name);
        std::map<std::string, std::string> found;
        for (std::string line; std::getline(file, line);)
            found.emplace(line.substr(0, line.find('=')), line.substr(line.find('=') + 1));
        return found;
    }();
    return lines;
}

namespace {

storage::credential credential_with(scheme how, const std::string& what) {
    const auto& env = environment();
    storage::credential c;
    c.id = "507f1f77bcf86cd799439012";
    c.type = "token";
    c.token = storage::secret(
        "BlobEndpoint=" + env.at(how == scheme::http ? "AZURE_ENDPOINT" : "AZURE_TLS_ENDPOINT") + ";" + what);
    if (how == scheme::https) c.ca_file = env.at("AZURE_CA_FILE");
    return c;
}

std::string fresh_name() {
    system_randomness random;
    std::array<std::byte, 8> bytes;
    random.fill(bytes);
    return "test-" + http::to_hex(bytes);
}

}  // namespace

storage::credential working_credential(scheme how) {
    const auto& env = environment();
    return credential_with(how,
                           "AccountName=" + env.at("AZURE_ACCOUNT") + ";AccountKey=" + env.at("AZURE_KEY"));
}

storage::credential sas_credential(scheme how, const std::string& sas) {
    return credential_with(how, "SharedAccessSignature=" + sas);
}

std::string account_sas(const std::string& permissions, const std::string& types, const std::string& end) {
    const auto& env = environment();
    const std::string version = "2018-03-28";
    const auto to_sign = env.at("AZURE_ACCOUNT") + "\n" + permissions + "\nb\n" + types + "\n\n" + end +
                         "\n\nhttps,http\n" + version + "\n";
    const auto key = http::from_base64(env.at("AZURE_KEY")).value();
    return "?sv=" + version + "&ss=b&srt=" + types + "&sp=" + permissions + "&se=" + end +
           "&spr=https,http&sig=" + http::to_base64(http::hmac_sha256(key, to_sign));
}

std::string container_sas(const std::string& container, const std::string& permissions,
                          const std::string& end) {
    const auto& env = environment();
    const std::string version = "2018-11-09";
    const auto to_sign = permissions + "\n\n" + end + "\n/blob/" + env.at("AZURE_ACCOUNT") + "/" + container +
                         "\n\n\nhttps,http\n" + version + "\nc\n\n\n\n\n\n";
    const auto key = http::from_base64(env.at("AZURE_KEY")).value();
    return "sv=" + version + "&sr=c&sp=" + permissions + "&se=" + end +
           "&spr=https,http&sig=" + http::to_base64(http::hmac_sha256(key, to_sign));
}

azure_container_fixture::azure_container_fixture(scheme how, http::client_options client)
    : credential(working_credential(how)), client_(shard_.x, std::move(client)), name_(fresh_name()) {
    const auto made = run(ask("PUT", "/" + name_ + "?restype=container"));
    if (!made.has_value()) throw std::runtime_error(made.error().context());
    if (made->status != 201) throw std::runtime_error("cannot make a container: " + made->body);
}

std::unique_ptr<storage::store> azure_container_fixture::store_with(const storage::credential& with,
                                                                    const std::string& container) {
    storage::store_environment env{shard_.x, client_, {}};
    env.credentials = sources;
    env.settings = [this](const storage::destination&) { return settings; };
    storage::destination to;
    to.service = "azure";
    to.type = "azure";
    to.bucket = container;
    to.credential_id = with.id;
    const auto kinds = storage::default_registry();
    auto made = kinds.find("azure")->make(to, &with, env);
    if (!made.has_value()) throw std::runtime_error(made.error().context());
    return std::move(*made);
}

task<result<http::response>> azure_container_fixture::ask(std::string method, std::string path) {
    const auto at = storage::parse_connection_string(credential.token.reveal()).value();
    auto to = at.endpoint.to;
    to.ca_file = credential.ca_file;
    storage::azure_signer signer(at.account, at.key);
    http::request req;
    req.method = std::move(method);
    req.target = at.endpoint.path + path;
    req.headers.emplace_back("Host", http::host_header(to));
    req.headers.emplace_back("x-ms-version", "2021-12-02");
    const auto deadline = shard_.x.time.now() + std::chrono::seconds(30);
    auto answer = co_await client_.send(to, req, &signer, deadline);
    co_return answer;
}

task<result<http::response>> azure_container_fixture::head(std::string key) {
    const auto path = "/" + name_ + "/" + http::encode_path(key);
    auto answer = co_await ask("HEAD", path);
    co_return answer;
}

task<result<http::response>> azure_container_fixture::get(std::string key) {
    const auto path = "/" + name_ + "/" + http::encode_path(key);
    auto answer = co_await ask("GET", path);
    co_return answer;
}

task<result<std::string>> azure_container_fixture::read(std::string key) {
    auto answer = co_await get(key);
    if (!answer.has_value()) co_return answer.error();
    if (answer->status != 200) co_return error(disposition::retry, "GET " + key + ": " + answer->body);
    co_return answer->body;
}

}  // namespace firehose::azure_test
