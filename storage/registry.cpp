#include "storage/registry.hpp"

#include "http/client.hpp"
#include "storage/azure_store.hpp"
#include "storage/credential_sources.hpp"
#include "storage/directory_store.hpp"
#include "storage/s3_store.hpp"

#include <algorithm>

namespace firehose::storage {

http::transport_factory store_environment::transports() const {
    return connect ? connect : http.transports();
}

std::string credential_problem(const destination& to, const credential* with, std::string_view type,
                               std::string_view provider) {
    const bool hexadecimal = std::ranges::all_of(to.credential_id, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
    if (to.credential_id.size() != 24 || !hexadecimal) return "credential_id must be 24 hexadecimal digits";
    std::string name = "credential " + to.credential_id;
    if (with == nullptr) return name + " does not exist";
    if (with->type == type) return {};
    return name.append(" must be of type \"").append(type).append("\" to be used for ").append(provider);
}

result<std::shared_ptr<credential_source>> source_of(const credential& with, store_environment& env) {
    if (env.credentials != nullptr) return env.credentials->get(with);
    return make_source(with, {env.shard, env.http.transports(), machine_without_variables()});
}

void registry::add(std::string type, store_kind kind) {
    kinds_.insert_or_assign(std::move(type), std::move(kind));
}

const store_kind* registry::find(std::string_view type) const {
    const auto it = kinds_.find(type);
    return it == kinds_.end() ? nullptr : &it->second;
}

std::vector<std::string> registry::types() const {
    std::vector<std::string> names;
    for (const auto& [name, kind] : kinds_) names.push_back(name);
    return names;
}

registry default_registry() {
    registry kinds;
    kinds.add("directory", directory_kind());
    http::backoff once;
    once.attempts = 1;  // delivery retries, and knows about breaker and spool; two layers would multiply
    kinds.add("s3", s3_kind({.retries = once}));
    kinds.add("azure", azure_kind({.retries = once}));
    return kinds;
}

}  // namespace firehose::storage
