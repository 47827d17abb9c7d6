#include "examples/firehose/closing_account.hpp"

#include "examples/firehose/exit_codes.hpp"
#include "pipeline/log.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

namespace firehose::app {
namespace json = boost::json;
namespace {

double seconds_between(time_source::steady from, time_source::steady to) {
    return std::round(std::chrono::duration<double>(to - from).count() * 1000) / 1000;
}

}  // namespace

closing_account close_books(const stages::account& books, const std::vector<std::string>& services,
                            const std::vector<stages::backlog>& spooled, time_source::steady begun,
                            time_source::steady now) {
    closing_account closed;
    closed.accepted = books.accepted();
    closed.refused = books.refused();
    closed.dropped = books.lost();
    closed.balances = books.closed();
    closed.seconds = seconds_between(begun, now);
    for (const auto& name : services) closed.targets[name];
    for (const auto& [name, row] : books.targets()) {
        auto& t = closed.targets[name];
        t.delivered = row.delivered;
        t.spooled = row.spooled;
        t.parked = row.parked;
        if (row.last_delivered) t.seconds = seconds_between(begun, *row.last_delivered);
    }
    for (const auto& [name, row] : books.backlog()) {
        closed.backlog[name].delivered = row.delivered;
        closed.backlog[name].parked = row.parked;
    }
    std::map<std::string, std::uint64_t> records;
    std::uint64_t in_queue = 0, ours_in_queue = 0;
    std::string queue;
    for (const auto& row : spooled) {
        if (!row.whole_queue) {
            records[row.to.service] += row.records;
            continue;
        }
        in_queue = row.records;
        queue = "queue " + row.to.bucket;
    }
    for (const auto& [name, t] : closed.targets) ours_in_queue += t.spooled;
    for (const auto& [name, count] : records) {
        const auto known = books.targets().find(name);
        const auto ours = known == books.targets().end() ? 0 : known->second.spooled_records;
        if (count > ours) closed.backlog[name].spooled = count - ours;
        ours_in_queue -= std::min(count, ours);
    }
    // A queue does not say whose its records are.
    if (in_queue > ours_in_queue) closed.backlog[queue].spooled = in_queue - ours_in_queue;
    return closed;
}

std::string to_json(const closing_account& account) {
    json::object targets;
    for (const auto& [name, t] : account.targets)
        targets[name] = {{"delivered", t.delivered}, {"spooled", t.spooled}, {"parked", t.parked}};
    json::object out{{"accepted", account.accepted},
                     {"refused", account.refused},
                     {"targets", std::move(targets)},
                     {"dropped", account.dropped}};
    if (!account.backlog.empty()) {
        json::object backlog;
        for (const auto& [name, b] : account.backlog)
            backlog[name] = {{"delivered", b.delivered}, {"spooled", b.spooled}, {"parked", b.parked}};
        out["backlog"] = std::move(backlog);
    }
    // Boost.JSON would write 35.092 as 3.5092E1.
    auto text = json::serialize(out);
    text.pop_back();
    return text + fmt::format(",\"seconds\":{:.3f}}}", account.seconds);
}

std::string to_table(const closing_account& account) {
    auto out = fmt::format("accepted {}, refused {}, dropped {}, in {:.3f} s\n", account.accepted,
                           account.refused, account.dropped, account.seconds);
    out += fmt::format("{:<20} {:>12} {:>12} {:>12} {:>12}\n", "target", "delivered", "spooled", "parked",
                       "last at (s)");
    for (const auto& [name, t] : account.targets)
        out += fmt::format("{:<20} {:>12} {:>12} {:>12} {:>12.3f}\n", escape_for_log(name, 64), t.delivered,
                           t.spooled, t.parked, t.seconds);
    for (const auto& [name, b] : account.backlog)
        out += fmt::format("{:<20} {:>12} {:>12} {:>12}   from earlier runs\n", escape_for_log(name, 64),
                           b.delivered, b.spooled, b.parked);
    return out;
}

int exit_code_of(const closing_account& account) {
    if (account.dropped || !account.balances) return exit_code::internal;
    if (account.refused) return exit_code::refused;
    const bool kept =
        std::ranges::any_of(account.targets,
                            [](const auto& t) { return t.second.spooled || t.second.parked; }) ||
        std::ranges::any_of(account.backlog,
                            [](const auto& b) { return b.second.spooled || b.second.parked; });
    return kept ? exit_code::kept : exit_code::all_delivered;
}

}  // namespace firehose::app
