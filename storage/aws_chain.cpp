#include "storage/aws_chain.hpp"

#include "storage/aws_container.hpp"
#include "storage/aws_instance.hpp"
#include "storage/aws_keys.hpp"
#include "storage/aws_profile.hpp"
#include "storage/aws_web_identity.hpp"

namespace firehose::storage {

std::string credential_chain::describe() const {
    return chosen_ != nullptr ? chosen_->describe() : "AWS's default chain";
}

std::chrono::seconds credential_chain::believe() const {
    return chosen_ != nullptr ? chosen_->believe() : std::chrono::seconds(0);
}

task<result<credential_value>> credential_chain::fetch(time_source::steady deadline) {
    std::string looked;
    for (const auto& place : places_) {
        if (chosen_ != nullptr && chosen_ != place.get()) continue;
        auto got = co_await place->fetch(deadline);
        if (got.has_value()) chosen_ = place.get();
        const bool elsewhere = !got.has_value() && chosen_ == nullptr && is_not_configured(got.error());
        if (!elsewhere) co_return got;
        looked.append(looked.empty() ? "" : "; ").append(got.error().context());
    }
    co_return no_credentials_there("no keys were found: " + looked);
}

std::unique_ptr<credential_provider> default_aws_chain(const provider_parts& parts,
                                                       const std::string& region) {
    web_identity how;
    how.region = region;
    std::vector<std::unique_ptr<credential_provider>> places;
    places.push_back(std::make_unique<aws_environment>(parts));
    places.push_back(std::make_unique<aws_web_identity>(parts, std::move(how)));
    places.push_back(std::make_unique<aws_profile>(parts, std::string(), region));
    places.push_back(std::make_unique<aws_container>(parts));
    places.push_back(std::make_unique<aws_instance>(parts));
    return std::make_unique<credential_chain>(std::move(places));
}

}  // namespace firehose::storage
