/// From a credential of the configuration to what signs with it: one source for all who use it.
#pragma once
#include "storage/credential_provider.hpp"
#include "storage/credentials.hpp"
#include "storage/refreshed_credential.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::storage {

/// The provider of a credential that credential_faults() finds nothing wrong with.
std::shared_ptr<credential_provider> make_provider(const credential& with, const provider_parts& parts);

/// A source of its own: fixed where nothing can change, else refreshed.
result<std::shared_ptr<credential_source>> make_source(const credential& with, const provider_parts& parts,
                                                       refresh_options how = {});

/// Hands out sources, one for each id, so that all destinations of a credential share what is fetched. One
/// per shard; outlives the stores that use it, and is outlived by what `parts` refers to.
class credential_sources {
public:
    explicit credential_sources(provider_parts parts, refresh_options how = {})
        : parts_(std::move(parts)), how_(how) {}

    /// A credential without id gets a source of its own.
    result<std::shared_ptr<credential_source>> get(const credential& with);

    /// The credential of that id has changed: get() makes a source anew. Stores keep the one they have.
    void forget(std::string_view id);

    struct held {
        std::string id{};
        std::shared_ptr<const credential_source> source{};
    };
    /// Those handed out so far, for reports: where each comes from and how long it lasts.
    std::vector<held> all() const;

private:
    provider_parts parts_;
    refresh_options how_;
    std::map<std::string, std::shared_ptr<credential_source>, std::less<>> known_{};
};

}  // namespace firehose::storage
