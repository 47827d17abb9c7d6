/// Keys that stand in the configuration, or in files that the configuration names.
#pragma once
#include "storage/credential_provider.hpp"

namespace firehose::storage {

/// Reads the credential's files anew each time, and every half minute: keys that change on disk are picked
/// up. Several files of one credential are several moments: what does not fit together is refused by the
/// server and then read again.
class static_credential final : public credential_provider {
public:
    static_credential(provider_parts parts, credential with)
        : parts_(std::move(parts)), with_(std::move(with)) {}
    std::string describe() const override;
    task<result<credential_value>> fetch(time_source::steady deadline) override;
    std::chrono::seconds believe() const override;

private:
    provider_parts parts_;
    credential with_;
};

}  // namespace firehose::storage
