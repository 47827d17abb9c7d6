#include "examples/firehose/access.hpp"

#include "pipeline/bytes.hpp"

#include <openssl/crypto.h>

#include <algorithm>

namespace firehose::app {
namespace {

bool begins_with_scheme(std::string_view value, std::string_view scheme) {
    return value.size() > scheme.size() && value[scheme.size()] == ' ' &&
           http::same_name(value.substr(0, scheme.size()), scheme);
}

std::string_view text_of(const http::sha256_value& hash) {
    return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

}  // namespace

std::optional<std::string> presented_token(const http::header_list& headers) {
    const auto fields = std::ranges::count_if(
        headers, [](const auto& h) { return http::same_name(h.first, "Authorization"); });
    if (fields != 1) return std::nullopt;
    const std::string_view value = *http::find_header(headers, "Authorization");
    if (begins_with_scheme(value, "Bearer")) return std::string(value.substr(7));
    if (!begins_with_scheme(value, "Basic")) return std::nullopt;
    const auto bytes = http::from_base64(value.substr(6));
    if (!bytes) return std::nullopt;
    const auto pair = as_text(*bytes);
    const auto colon = pair.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    return std::string(pair.substr(colon + 1));
}

access_table::access_table(const std::vector<token_entry>& tokens, bool everyone, randomness& random)
    : key_(32), everyone_(everyone) {
    random.fill(key_);
    for (const auto& token : tokens)
        entries_.push_back({token.name, http::hmac_sha256(key_, text_of(token.hash)), token.roles});
}

bool access_table::allows(const role_set& roles, const std::string& access) {
    return (access == needs_ingest && roles.ingest) || (access == needs_read && roles.read) ||
           (access == needs_admin && roles.admin) || (access == needs_root && roles.read && roles.root) ||
           access == needs_token;
}

std::optional<http::refusal> access_table::check(http::request_head& head, const http::route& to) {
    if (to.access == open_to_all) return std::nullopt;
    const auto token = presented_token(head.headers);
    const auto hash = http::sha256(token.value_or(std::string()));
    const auto proof = http::hmac_sha256(key_, text_of(hash));
    const entry* who = nullptr;
    for (const auto& e : entries_)
        if (CRYPTO_memcmp(e.proof.data(), proof.data(), proof.size()) == 0) who = &e;
    if (!token) who = nullptr;
    if (who != nullptr) head.user = who->name;
    if (everyone_) return std::nullopt;
    if (who == nullptr) {
        http::refusal no(401, "unauthorized", "not authorized");
        no.headers.emplace_back("WWW-Authenticate", "Bearer, Basic realm=\"firehose\"");
        return no;
    }
    if (allows(who->roles, to.access)) return std::nullopt;
    if (to.access == needs_root)
        return http::refusal(403, "insufficient_scope",
                             "only a token of the root user with the role \"read\" may read event streams");
    return http::refusal(403, "insufficient_scope", "this token has not the role \"" + to.access + "\"");
}

}  // namespace firehose::app
