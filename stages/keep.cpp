#include "stages/keep.hpp"

namespace firehose::stages {
namespace {

std::vector<spool_entry> entries_of_live(std::vector<delivery_job>& jobs) {
    std::vector<spool_entry> entries;
    for (auto& job : jobs) {
        if (!job.from_spool()) entries.push_back(job.entry());
    }
    return entries;
}

void finish_live(delivery& shared, std::vector<delivery_job>& jobs, const result<>& kept, standing where) {
    if (!kept)
        shared.shard().log.error("the spool refused events; they were not accepted",
                                 {{"reason", kept.error().context()}});
    for (auto& job : jobs) {
        if (!job.from_spool()) job.finish(kept ? where : standing::lost);
    }
}

}  // namespace

task<> spool_jobs(delivery& shared, std::vector<delivery_job>& jobs) {
    const auto entries = entries_of_live(jobs);
    if (!entries.empty()) {
        const auto kept = co_await shared.spool().append(entries);
        finish_live(shared, jobs, kept, standing::spooled);
    }
    const settlement nothing_tried = released{};
    for (auto& job : jobs) {
        if (!job.finished()) co_await settle_job(shared, job, nothing_tried, standing::spooled);
    }
}

task<> park_jobs(delivery& shared, std::vector<delivery_job>& jobs) {
    const auto entries = entries_of_live(jobs);
    if (!entries.empty()) {
        const auto kept = co_await shared.spool().park(entries);
        finish_live(shared, jobs, kept, standing::parked);
    }
    for (auto& job : jobs) {
        if (job.finished()) continue;
        const settlement hopeless = parked{describe_failure(job.why())};
        co_await settle_job(shared, job, hopeless, standing::parked);
    }
}

task<> settle_job(delivery& shared, delivery_job& job, const settlement& what, standing where) {
    const auto settled = co_await shared.spool().settle(job.lease(), what);
    if (!settled)
        shared.shard().log.error(
            "the spool could not record an outcome; the record is sent again after a restart",
            {{"reason", settled.error().context()}});
    job.finish(where);
}

}  // namespace firehose::stages
