/// From the `"type"` of a service to a store: how users add a kind of store of their own.
#pragma once
#include "http/transport.hpp"
#include "pipeline/stage.hpp"
#include "storage/credentials.hpp"
#include "storage/destination.hpp"
#include "storage/destination_settings.hpp"
#include "storage/store.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::http {
class client;
}

namespace firehose::storage {

class credential_source;
class credential_sources;

/// What a store may use; all of it outlives the store.
struct store_environment {
    context& shard;
    http::client& http;
    std::filesystem::path base_directory;  ///< what relative paths are relative to
    /// How objects are to be stored at a destination; empty: the defaults everywhere.
    std::function<destination_settings(const destination& to)> settings{};
    /// What requests go through instead of `http`: a fake, or something that watches; null: `http`.
    http::transport_factory connect{};
    /// Shared among all stores, so that what they fetch is fetched once; null: each store fetches on its own,
    /// and sees no environment variables.
    credential_sources* credentials = nullptr;

    destination_settings settings_of(const destination& to) const {
        return settings ? settings(to) : destination_settings();
    }
    http::transport_factory transports() const;
};

/// One kind of store. All functions are called on the shard; check() must not do I/O.
struct store_kind {
    bool needs_credential = false;
    /// What is wrong with bucket, prefix or credential, in words for the person who configured them;
    /// empty when nothing is. `with` is null when the destination names no known credential.
    std::function<std::string(const destination& to, const credential* with)> check{};
    std::function<result<std::unique_ptr<store>>(const destination& to, const credential* with,
                                                 store_environment& env)>
        make{};
};

/// What a kind whose credential comes from the configuration checks before anything of its own: an id of
/// 24 hexadecimal digits, a credential that exists, the right type. Empty when nothing is wrong.
std::string credential_problem(const destination& to, const credential* with, std::string_view type,
                               std::string_view provider);

/// What requests are to be signed with: the environment's source for this credential, or a new one.
result<std::shared_ptr<credential_source>> source_of(const credential& with, store_environment& env);

class registry {
public:
    /// Replaces a kind of the same name.
    void add(std::string type, store_kind kind);
    /// Null when nobody knows the type.
    const store_kind* find(std::string_view type) const;
    std::vector<std::string> types() const;

private:
    std::map<std::string, store_kind, std::less<>> kinds_;
};

/// The kinds this library ships.
registry default_registry();

}  // namespace firehose::storage
