#include "storage/credential_source.hpp"

#include "storage/connection_string.hpp"

namespace firehose::storage {

namespace {

class fixed final : public credential_source {
public:
    fixed(credential_value value, std::string described)
        : value_(std::make_shared<const credential_value>(std::move(value))),
          described_(std::move(described)) {}

    credential_ptr current() const noexcept override { return value_; }
    bool due() const override { return false; }
    task<result<>> ready(time_source::steady) override { co_return result<>(); }
    task<bool> renew(credential_ptr, time_source::steady) override { co_return false; }
    std::optional<std::chrono::seconds> expires_in() const override { return std::nullopt; }
    std::string describe() const override { return described_; }

private:
    credential_ptr value_;
    std::string described_;
};

}  // namespace

std::shared_ptr<credential_source> fixed_credential(credential_value value, std::string described) {
    return std::make_shared<fixed>(std::move(value), std::move(described));
}

result<credential_value> value_of(const credential& with) {
    credential_value out;
    if (with.type != "token") {
        out.access_key_id = with.username;
        out.secret_access_key = with.password;
        out.session_token = with.session_token;
        return out;
    }
    auto at = parse_connection_string(with.token.reveal());
    if (!at.has_value()) return at.error();
    if (at->sas.empty()) {
        out.account_key = std::move(at->key);
        return out;
    }
    auto query = sas_query(at->sas);
    if (!query.has_value()) return query.error();
    out.sas = secret(std::move(*query));
    return out;
}

bool same_keys(const credential_value& a, const credential_value& b) noexcept {
    return a.access_key_id == b.access_key_id && equal(a.secret_access_key, b.secret_access_key) &&
           equal(a.session_token, b.session_token) && equal(a.account_key, b.account_key) &&
           equal(a.sas, b.sas) && equal(a.bearer, b.bearer);
}

}  // namespace firehose::storage
