// Two services, one of them dead: the healthy one gets everything at its own pace, the dead one's
// events wait on disk, and a later pass delivers them. Run it twice and watch the spool empty.
#include "stages/stages.hpp"

#include <iostream>

using namespace firehose;

namespace {

constexpr auto dead_bucket = "not-there-yet";

/// The routing every event brings: two directories, one of which cannot be written on the first run.
stages::target_list two_targets() {
    std::vector<stages::target> both(2);
    both[0].to = {.service = "primary", .type = "directory", .bucket = "primary"};
    both[1].to = {.service = "backup", .type = "directory", .bucket = dead_bucket};
    return std::make_shared<const std::vector<stages::target>>(std::move(both));
}

void print(const stages::workbench& bench) {
    for (const auto& [service, row] : bench.books()->targets())
        std::cout << service << ": delivered " << row.delivered << ", spooled " << row.spooled << "\n";
    for (const auto& [service, row] : bench.books()->backlog())
        std::cout << service << ": delivered from an earlier run " << row.delivered << "\n";
}

task<> deliver(context& x) {
    stages::workbench_options where;
    auto bench = co_await stages::workbench::open(x, where);
    if (!bench) throw std::runtime_error(bench.error().context());
    const auto shared = (*bench)->delivery();

    auto branches = fan_out(stages::upload(shared, stages::by_service("primary")),
                            stages::upload(shared, stages::by_service("backup")));
    auto live = chain(stages::ingest_lines("-", {}),
                      stages::normalize_config((*bench)->routing(two_targets())), std::move(branches));
    co_await live.run(x);

    // What failed stands in the spool; one pass tries each record once.
    shared->probe_all();
    auto again = stages::retry_pass(shared);
    co_await again.run(x);
    print(**bench);
}

}  // namespace

int main() {
    const auto report = run(deliver);
    if (!report.what.empty()) std::cerr << report.what << "\n";
    return report.how == ending::finished ? 0 : 1;
}
