/// The closing account: what became of every accepted event, for people and for machines.
#pragma once
#include "stages/account.hpp"
#include "stages/spool_backend.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace firehose::app {

struct target_summary {
    std::uint64_t delivered = 0;
    std::uint64_t spooled = 0;
    std::uint64_t parked = 0;
    double seconds = 0;  ///< until the last delivery
};

/// Of what an earlier run had left in the spool.
struct backlog_summary {
    std::uint64_t delivered = 0;
    std::uint64_t parked = 0;
    std::uint64_t spooled = 0;  ///< still there
};

struct closing_account {
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;
    std::uint64_t dropped = 0;  ///< neither delivered nor kept: the run failed, the input must be sent again
    std::map<std::string, target_summary> targets{};
    std::map<std::string, backlog_summary> backlog{};
    bool balances = true;  ///< per target, accepted == delivered + spooled + parked + dropped
    double seconds = 0;
};

/// `services` get a row even when no event asked for them.
closing_account close_books(const stages::account& books, const std::vector<std::string>& services,
                            const std::vector<stages::backlog>& spooled, time_source::steady begun,
                            time_source::steady now);

/// One line of JSON.
std::string to_json(const closing_account& account);
std::string to_table(const closing_account& account);

/// By what the account says alone: internal, refused, kept or all_delivered.
int exit_code_of(const closing_account& account);

}  // namespace firehose::app
