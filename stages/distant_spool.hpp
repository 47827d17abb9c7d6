/// Another shard's spool.
#pragma once
#include "stages/spool_backend.hpp"

#include <functional>

namespace firehose::stages {

/// For the deliveries of a shard that has no spool of its own: every call runs on the spool's shard and is
/// answered here. A call goes through to its end when it is cancelled, as its answer is a promise.
/// Both shards outlive it, and so does `there`.
class distant_spool final : public spool_backend {
public:
    distant_spool(executor home, spool_backend& there) : home_(std::move(home)), there_(there) {}

    task<result<>> append(std::span<const spool_entry> entries) override;
    task<result<>> park(std::span<const spool_entry> entries) override;
    task<result<std::vector<leased_record>>> lease(const lease_query& which) override;
    task<result<>> settle(lease_id lease, const settlement& what) override;
    /// Nothing: the spool's own shard knows.
    std::vector<backlog> contents() const override { return {}; }

private:
    template <class T> task<T> ask(std::function<task<T>()> what);

    executor home_;
    spool_backend& there_;
};

}  // namespace firehose::stages
