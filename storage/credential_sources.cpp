#include "storage/credential_sources.hpp"

#include "storage/aws_chain.hpp"
#include "storage/aws_container.hpp"
#include "storage/aws_instance.hpp"
#include "storage/aws_keys.hpp"
#include "storage/aws_profile.hpp"
#include "storage/aws_web_identity.hpp"
#include "storage/azure_identity.hpp"
#include "storage/credential_rules.hpp"
#include "storage/static_credential.hpp"

namespace firehose::storage {

std::shared_ptr<credential_provider> make_provider(const credential& with, const provider_parts& parts) {
    const auto& kind = with.provider;
    if (kind == "environment") return std::make_shared<aws_environment>(parts);
    if (kind == "profile") return std::make_shared<aws_profile>(parts, with.profile, with.region);
    if (kind == "container") return std::make_shared<aws_container>(parts);
    if (kind == "instance") return std::make_shared<aws_instance>(parts);
    if (kind == "default") return default_aws_chain(parts, with.region);
    if (kind == "web_identity") {
        web_identity how;
        how.role_arn = with.role_arn;
        how.token_file = with.web_identity_token_file;
        how.region = with.region;
        how.endpoint = with.sts_endpoint;
        if (!with.sts_endpoint.empty())
            how.ca_file = with.ca_file;  // which is the store's, and perhaps its STS's
        return std::make_shared<aws_web_identity>(parts, std::move(how));
    }
    if (kind == "managed_identity") return std::make_shared<azure_managed_identity>(parts, with.client_id);
    if (kind == "client_secret") {
        azure_application who;
        who.tenant_id = with.tenant_id;
        who.client_id = with.client_id;
        who.client_secret = with.client_secret;
        who.client_secret_file = with.files.client_secret;
        who.authority_host = with.authority_host;
        return std::make_shared<azure_client_secret>(parts, std::move(who));
    }
    return std::make_shared<static_credential>(parts, with);
}

result<std::shared_ptr<credential_source>> make_source(const credential& with, const provider_parts& parts,
                                                       refresh_options how) {
    if (!can_change(with)) {
        auto value = value_of(with);
        if (!value.has_value()) return value.error();
        return fixed_credential(std::move(*value), "the configuration");
    }
    const auto name = with.id.empty() ? std::string("the credential") : "credential " + with.id;
    return std::shared_ptr<credential_source>(
        std::make_shared<refreshed_credential>(parts.shard, make_provider(with, parts), name, how));
}

result<std::shared_ptr<credential_source>> credential_sources::get(const credential& with) {
    const auto known = known_.find(with.id);
    if (known != known_.end()) return known->second;
    auto made = make_source(with, parts_, how_);
    if (made.has_value() && !with.id.empty()) known_.emplace(with.id, *made);
    return made;
}

void credential_sources::forget(std::string_view id) {
    const auto known = known_.find(id);
    if (known != known_.end()) known_.erase(known);
}

std::vector<credential_sources::held> credential_sources::all() const {
    std::vector<held> out;
    for (const auto& [id, source] : known_) out.push_back({id, source});
    return out;
}

}  // namespace firehose::storage
