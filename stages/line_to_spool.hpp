/// Jobs that are not delivered now, on their way to the disk behind the back of those that are. Internal to
/// stages: not installed.
#pragma once
#include "stages/keep.hpp"

#include <cstddef>
#include <vector>

namespace firehose::stages {

/// Whoever finds that a job must be kept puts it here and goes on; work() writes down all that wait, in one
/// write, and everything that comes meanwhile in the next. Single shard.
class line_to_spool {
public:
    explicit line_to_spool(delivery& shared) : shared_(shared), changed_(shared.shard().ex) {}

    void spool(delivery_job job, error why);
    void park(delivery_job job, error why);

    /// More waits than may: the caller is to come again when changed() is woken.
    bool full() const noexcept { return bytes_ > 2 * shared_.options().spool_gather_bytes; }
    wait_queue& changed() noexcept { return changed_; }

    /// Until close() was called and nothing waits. A cancellation only hurries it.
    task<> work();
    void close();

    /// Writes down what waits at this moment.
    task<> flush();

private:
    bool empty() const noexcept { return spilled_.empty() && parked_.empty(); }
    task<> pause();

    delivery& shared_;
    std::vector<delivery_job> spilled_{};
    std::vector<delivery_job> parked_{};
    std::size_t bytes_ = 0;  ///< of the events that wait or are being written
    bool closed_ = false;
    wait_queue changed_;
};

}  // namespace firehose::stages
