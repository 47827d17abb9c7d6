#include "storage/azure_identity.hpp"

#include "pipeline/text.hpp"
#include "storage/flat_json.hpp"
#include "storage/near_address.hpp"
#include "storage/provider_answer.hpp"

#include <chrono>

namespace firehose::storage {

namespace {

constexpr std::string_view resource = "https://storage.azure.com/";
constexpr std::string_view scope = "https://storage.azure.com/.default";

error refused_metadata(const http::response& r) {
    auto e = token_refusal(r);
    // The metadata service answers so while it is being updated.
    const bool passing = r.status == 404 || r.status == 410;
    return passing ? error(disposition::retry, e.details()) : e;
}

}  // namespace

result<credential_value> parse_access_token(std::string_view body, time_source::wall now) {
    const auto wrong = [](const std::string& why) {
        return error(disposition::retry, "the answer holds no access token: " + why);
    };
    const auto said = flat_json::parse(body);
    if (!said) return wrong("it is not a JSON object");
    credential_value out;
    out.bearer = said->get("access_token");
    if (out.bearer.empty()) return wrong("there is no access_token");
    if (out.bearer.reveal().find_first_of("\r\n ") != std::string::npos) return wrong("it is malformed");
    if (const auto in = whole_number(said->text("expires_in")))
        out.expires = now + std::chrono::seconds(*in);
    else if (const auto on = whole_number(said->text("expires_on")))
        out.expires = time_source::wall(std::chrono::seconds(*on));
    else
        return wrong("it does not say how long it lasts");
    return out;
}

error token_refusal(const http::response& r) {
    const auto said = flat_json::parse(r.body).value_or(flat_json());
    const auto& code = said.text("error");
    const bool passing = code == "temporarily_unavailable" || r.status == 429;
    const bool hopeless = r.status >= 400 && r.status < 500 && !passing;
    const auto what = hopeless ? disposition::stop : judge_status(r.status);
    // A sentence at most: what follows are trace ids and times.
    return call_refused(r, what, code, first_line(said.text("error_description")));
}

result<unsigned_call> azure_managed_identity::question() const {
    const auto wrong = [](const std::string& why) { return error(disposition::stop, why); };
    const auto endpoint = parts_.variable("IDENTITY_ENDPOINT");
    const auto header = parts_.variable("IDENTITY_HEADER");
    unsigned_call call;
    std::string query = "resource=" + http::encode_query(resource);
    if (!client_id_.empty()) query += "&client_id=" + http::encode_query(client_id_);
    call.headers.emplace_back("Accept", "application/json");
    if (endpoint.empty() || header.empty()) {
        call.to.tls = false;
        call.to.host = "169.254.169.254";
        call.to.port = 80;
        call.target = "/metadata/identity/oauth2/token?api-version=2018-02-01&" + query;
        call.headers.emplace_back("Metadata", "true");
        call.refusal = refused_metadata;
        return call;
    }
    auto url = http::parse_endpoint(endpoint);
    if (!url.has_value()) return wrong("IDENTITY_ENDPOINT is wrong: " + url.error().context());
    const auto problem = metadata_problem(url->to);
    if (!problem.empty()) return wrong("IDENTITY_ENDPOINT: " + problem);
    if (header.find_first_of("\r\n") != std::string::npos)
        return wrong("IDENTITY_HEADER has more than one line");
    call.to = std::move(url->to);
    call.target = (url->path.empty() ? "/" : url->path) + "?api-version=2019-08-01&" + query;
    call.headers.emplace_back("X-IDENTITY-HEADER", header);
    call.refusal = token_refusal;
    return call;
}

task<result<credential_value>> azure_managed_identity::fetch(time_source::steady deadline) {
    auto call = question();
    if (!call.has_value()) co_return call.error();
    auto answer = co_await ask(parts_, std::move(*call), deadline);
    if (!answer.has_value()) co_return answer.error();
    co_return parse_access_token(answer->reveal(), parts_.shard.time.wall_now());
}

task<result<credential_value>> azure_client_secret::fetch(time_source::steady deadline) {
    const std::string host =
        who_.authority_host.empty() ? "https://login.microsoftonline.com" : who_.authority_host;
    auto url = http::parse_endpoint(host);
    if (!url.has_value()) co_return error(disposition::stop, "authority_host: " + url.error().context());
    const auto problem = metadata_problem(url->to);
    if (!problem.empty()) co_return error(disposition::stop, "authority_host: " + problem);
    secret proof = who_.client_secret;
    if (!who_.client_secret_file.empty()) {
        auto read = co_await read_secret_file(parts_, who_.client_secret_file);
        if (!read.has_value()) co_return read.error();
        proof = secret(std::move(*read));
    }
    unsigned_call call;
    call.to = std::move(url->to);
    call.to.ca_file = who_.ca_file;
    call.method = "POST";
    call.target = url->path + "/" + http::encode_query(who_.tenant_id) + "/oauth2/v2.0/token";
    call.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    call.headers.emplace_back("Accept", "application/json");
    call.body = secret("grant_type=client_credentials&client_id=" + http::encode_query(who_.client_id) +
                       "&client_secret=" + http::encode_query(proof.reveal()) +
                       "&scope=" + http::encode_query(scope));
    call.each = std::chrono::milliseconds(5'000);
    call.refusal = token_refusal;
    auto answer = co_await ask(parts_, std::move(call), deadline);
    if (!answer.has_value()) co_return answer.error();
    co_return parse_access_token(answer->reveal(), parts_.shard.time.wall_now());
}

}  // namespace firehose::storage
