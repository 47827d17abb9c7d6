/// The reference pipeline as one function: what the firehose binary runs, for your own source.
#pragma once
#include "pipeline/fan_out.hpp"
#include "stages/gather.hpp"
#include "stages/normalize_config.hpp"
#include "stages/unspool.hpp"
#include "stages/upload.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace firehose::stages {

/// One branch per service, so that one that fails takes down nobody else, and one for all services
/// only events name.
inline std::vector<upload> upload_branches(const std::shared_ptr<delivery>& shared,
                                           const std::vector<std::string>& services) {
    std::vector<upload> branches;
    for (const auto& name : services) branches.emplace_back(shared, by_service(name));
    branches.emplace_back(shared, every_service_but(services));
    return branches;
}

/// source | normalize_config | fan_out(upload per service), every failure ending in the spool.
template <firehose::source Source>
auto reference_pipeline(Source source, normalize_config::options routing,
                        const std::shared_ptr<delivery>& shared, const std::vector<std::string>& services) {
    return chain(std::move(source), normalize_config(std::move(routing)),
                 fan_out(upload_branches(shared, services)));
}

/// The same in the layout "batch": events are gathered into objects before they part for their services.
template <firehose::source Source>
auto batch_pipeline(Source source, normalize_config::options routing, gather::options batch,
                    const std::shared_ptr<delivery>& shared, const std::vector<std::string>& services) {
    batch.ahead = shared;
    return chain(std::move(source), normalize_config(std::move(routing)), gather(std::move(batch)),
                 fan_out(upload_branches(shared, services)));
}

/// Everything in the spool, tried once, with all permits: unspool | upload.
inline auto retry_pass(const std::shared_ptr<delivery>& shared, unspool::options how = {}) {
    unspool::options once = how;
    once.once = true;
    once.share_percent = 200;  // nobody else sends; as many again wait for a permit
    return chain(unspool(shared, once), upload(shared, every_service()));
}

}  // namespace firehose::stages
