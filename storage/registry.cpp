#include "storage/registry.hpp"

#include "storage/directory_store.hpp"
#include "storage/s3_store.hpp"

namespace firehose::storage {

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
    s3_options once;
    once.retries.attempts =
        1;  // delivery retries, and knows about breaker and spool; two layers would multiply
    kinds.add("s3", s3_kind(once));
    return kinds;
}

}  // namespace firehose::storage
