/// The places where AWS's own tools look for keys, one after the other.
#pragma once
#include "storage/credential_provider.hpp"

#include <memory>
#include <string>
#include <vector>

namespace firehose::storage {

/// The first that is there at all is the one, for good; it must then work, because keys of another identity
/// than the intended one would be worse than none.
class credential_chain final : public credential_provider {
public:
    explicit credential_chain(std::vector<std::unique_ptr<credential_provider>> places)
        : places_(std::move(places)) {}
    std::string describe() const override;
    task<result<credential_value>> fetch(time_source::steady deadline) override;
    std::chrono::seconds believe() const override;

private:
    std::vector<std::unique_ptr<credential_provider>> places_;
    credential_provider* chosen_ = nullptr;
};

/// Environment, web identity, profile files, container, instance, in this order.
std::unique_ptr<credential_provider> default_aws_chain(const provider_parts& parts,
                                                       const std::string& region);

}  // namespace firehose::storage
