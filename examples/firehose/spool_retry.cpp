/// firehose spool retry: records become due at once, dead letters become records again.
#include "examples/firehose/spool_owner.hpp"

#include <boost/json/serialize.hpp>
#include <spdlog/fmt/fmt.h>

#include <cstdio>

namespace firehose::app {
namespace json = boost::json;
namespace {

void report(const spool_arguments& args, json::object said, const std::string& words) {
    said["dry_run"] = args.dry_run;
    if (args.json)
        std::printf("%s\n", json::serialize(said).c_str());
    else
        std::fputs(words.c_str(), stdout);
}

int say_only(const spool_arguments& args, const configuration& configured) {
    storage::system_files files;
    kept_shares found;
    const auto add = [&found](const stages::kept_record& one) {
        count(found, one);
        return true;
    };
    const auto unreadable = stages::visit_kept(files, configured.data_dir, args.which, add);
    if (!unreadable) {
        print_error(unreadable.error().context());
        return exit_code::internal;
    }
    const auto total = sum(found);
    auto said = to_json(total);
    said["unreadable"] = *unreadable;
    report(args, std::move(said),
           fmt::format("would make {} waiting records due and bring back {} dead letters\n{}", total.waiting,
                       total.parked, to_text(found)));
    return exit_code::all_delivered;
}

class retry_job {
public:
    explicit retry_job(const stages::spool_filter& which) : which_(which) {}
    task<owner_outcome> run(stages::directory_spool& spool) {
        auto done = co_await spool.retry(which_);
        owner_outcome out;
        if (done.has_error()) {
            out.problem = done.error().context();
            out.code = exit_code::internal;
        } else {
            counts = *done;
        }
        co_return out;
    }
    stages::repair_counts counts{};

private:
    const stages::spool_filter& which_;
};

}  // namespace

int spool_retry_verb(const spool_arguments& args) {
    const auto configured = spool_configuration(args);
    if (!configured) return exit_code::usage;
    if (args.dry_run) return say_only(args, *configured);
    retry_job job(args.which);
    const auto outcome = spool_owner::run(configured->data_dir, "retry",
                                          [&job](auto& spool, context&) { return job.run(spool); });
    if (outcome.problem) {
        print_error(*outcome.problem);
        if (outcome.code == exit_code::usage)
            std::fputs("A running process tries what is due by itself; --dry-run works beside it.\n", stderr);
        return outcome.code;
    }
    const auto& n = job.counts;
    auto said = to_json(kept_share{n.waiting, n.parked, n.bytes});
    said["unreadable"] = n.unreadable;
    report(args, std::move(said),
           fmt::format("{} waiting records are due now, {} dead letters are back; the next run sends them\n",
                       n.waiting, n.parked));
    return exit_code::all_delivered;
}

}  // namespace firehose::app
