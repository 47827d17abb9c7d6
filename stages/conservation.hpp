/// Conservation: every accepted event is delivered, spooled, parked or in flight, and the spool agrees.
#pragma once
#include "stages/account.hpp"
#include "stages/spool_backend.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace firehose::stages {

/// One service's row at one moment, for metrics.
struct conservation {
    target_account books{};
    backlog_account backlog{};   ///< of what was in the spool before
    std::uint64_t in_spool = 0;  ///< records
    std::uint64_t dead = 0;      ///< dead letters
};

std::map<std::string, conservation> take_stock(const account& books, const std::vector<backlog>& spool);

/// Compares the books of a run with what the spool held before it and holds now; one sentence for each thing
/// that does not add up. `repeats`: events that were in the spool already, of all services (spool_repeats).
std::vector<std::string> conservation_faults(const account& books, const std::vector<backlog>& before,
                                             const std::vector<backlog>& now, std::uint64_t repeats = 0);

}  // namespace firehose::stages
