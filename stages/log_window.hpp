/// What was read of the event log lately, so that many readers of the same place cost one read.
#pragma once
#include "pipeline/semaphore.hpp"
#include "stages/event_log.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace firehose::stages {

/// Plain values and shared bytes: may leave the log's shard.
struct log_slice {
    log_position begin = 0;  ///< of the log after the read: what lies before may be gone
    log_position end = 0;    ///< of the log before the read
    /// Whole blocks in order; the first may begin before the position asked for. Empty: no event lies between
    /// there and `end`.
    std::vector<std::shared_ptr<const log_block>> blocks{};
};

using log_read_function = std::function<task<result<log_slice>>(log_position from, std::size_t max_bytes)>;

/// Single shard, the log's. Outlives its running calls.
///
/// Blocks never change and positions are given once, so what is kept is never out of date; the oldest goes
/// first. Few reads run at once, so that the log's own writes find a thread.
class log_window {
public:
    log_window(context& x, event_log& of, std::size_t max_bytes);

    /// Blocks with events from `from` on, about `max_bytes` of them when they have to be read. None when
    /// `from` lies before the log or behind it, which `begin` and `end` tell. May be cancelled.
    task<result<log_slice>> read(log_position from, std::size_t max_bytes);

private:
    struct span {
        log_position upto = 0;
        std::size_t weight = 0;
        std::vector<std::shared_ptr<const log_block>> blocks{};
    };
    bool find(log_position from, log_slice& out) const;
    void keep(log_position from, const log_slice& what);

    event_log& of_;
    const std::size_t max_bytes_;
    semaphore reads_;
    std::map<log_position, span> spans_{};  // by where their read began
    std::deque<log_position> order_{};
    std::size_t weight_ = 0;
};

}  // namespace firehose::stages
