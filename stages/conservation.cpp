#include "stages/conservation.hpp"

namespace firehose::stages {

std::map<std::string, conservation> take_stock(const account& books, const std::vector<backlog>& spool) {
    std::map<std::string, conservation> all;
    for (const auto& [service, row] : books.targets()) all[service].books = row;
    for (const auto& [service, row] : books.backlog()) all[service].backlog = row;
    for (const backlog& one : spool) {
        all[one.to.service].in_spool += one.records;
        all[one.to.service].dead += one.parked;
    }
    return all;
}

std::vector<std::string> conservation_faults(const account& books, const std::vector<backlog>& before,
                                             const std::vector<backlog>& now, std::uint64_t repeats) {
    std::map<std::string, std::uint64_t> had, had_dead;
    for (const backlog& one : before) {
        had[one.to.service] += one.records;
        had_dead[one.to.service] += one.parked;
    }
    std::vector<std::string> out;
    std::uint64_t missing = 0;
    for (const auto& [service, row] : take_stock(books, now)) {
        if (!row.books.balances()) out.push_back(service + ": the books do not balance");
        // What came from before leaves as delivered or parked; the rest of the spool is this run's.
        const std::uint64_t left_behind = row.backlog.delivered + row.backlog.parked;
        const std::uint64_t expected = row.books.spooled_records + had[service];
        const std::uint64_t found = row.in_spool + left_behind;
        if (found > expected)
            out.push_back(service + ": the spool holds " + std::to_string(found - expected) +
                          " records more than the books say");
        else
            missing += expected - found;
        if (row.dead != row.books.parked + row.backlog.parked + had_dead[service])
            out.push_back(service + ": " + std::to_string(row.dead) +
                          " dead letters are not what the books say");
    }
    if (missing != repeats)
        out.push_back("the spool lacks " + std::to_string(missing) + " records, " + std::to_string(repeats) +
                      " of which were there before");
    return out;
}

}  // namespace firehose::stages
