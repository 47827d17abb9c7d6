/// firehose spool purge: throws records away, after saying which.
#include "examples/firehose/spool_owner.hpp"
#include "pipeline/blocking.hpp"

#include <boost/json/serialize.hpp>
#include <spdlog/fmt/fmt.h>

#include <cstdio>
#include <iostream>
#include <unistd.h>

namespace firehose::app {
namespace json = boost::json;
namespace {

constexpr std::uint64_t most_lines = 100;

/// What would be lost: each record, up to a bound, and the exact numbers.
struct verdict {
    kept_shares found{};
    std::string lines{};
    std::uint64_t listed = 0;
};

result<verdict> look(const spool_arguments& args, const std::filesystem::path& data_dir) {
    storage::system_files files;
    verdict out;
    const auto add = [&out](const stages::kept_record& one) {
        count(out.found, one);
        if (out.listed < most_lines) {
            ++out.listed;
            out.lines +=
                fmt::format("  {}  event {}  key {}  {} bytes  first failed {}\n", one.id,
                            escape_for_log(one.header.event_id, 80), escape_for_log(one.header.key, 200),
                            one.bytes(), instant(one.header.first_failed_at));
        }
        return true;
    };
    auto unreadable = stages::visit_kept(files, data_dir, args.which, add);
    if (unreadable.has_error()) return unreadable.error();
    return out;
}

/// To standard error, so that --json keeps standard output for machines.
void tell(const verdict& of) {
    const auto total = sum(of.found);
    const auto all = total.waiting + total.parked;
    std::fputs(of.lines.c_str(), stderr);
    if (all > of.listed)
        std::fprintf(stderr, "  … and %llu more: firehose spool show --limit 0 lists them\n",
                     static_cast<unsigned long long>(all - of.listed));
    std::fprintf(stderr, "would be lost for good: %llu records\n%s", static_cast<unsigned long long>(all),
                 to_text(of.found).c_str());
}

bool confirmed() {
    std::fputs("Throw them away? Type yes: ", stderr);
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "yes";
}

void report(const spool_arguments& args, const kept_share& lost) {
    auto said = to_json(lost);
    said["dry_run"] = args.dry_run;
    if (args.json)
        std::printf("%s\n", json::serialize(said).c_str());
    else if (!args.dry_run)
        std::printf("purged %llu waiting records and %llu dead letters, %llu bytes\n",
                    static_cast<unsigned long long>(lost.waiting),
                    static_cast<unsigned long long>(lost.parked),
                    static_cast<unsigned long long>(lost.bytes));
}

/// Looks, asks and purges under one lock, so that exactly what was shown goes.
class purge_job {
public:
    purge_job(const spool_arguments& args, std::filesystem::path data_dir)
        : args_(args), data_dir_(std::move(data_dir)) {}

    task<owner_outcome> run(stages::directory_spool& spool, context& x) {
        owner_outcome out;
        auto work = [this] { return look_and_ask(); };
        auto agreed = co_await run_blocking(x.blocking, std::move(work));
        if (agreed.has_error()) {
            out.problem = agreed.error().context();
            out.code = agreed.error().what() == disposition::stop ? exit_code::usage : exit_code::internal;
            co_return out;
        }
        auto done = co_await spool.purge(args_.which);
        if (done.has_error()) {
            out.problem = done.error().context();
            out.code = exit_code::internal;
            co_return out;
        }
        lost = kept_share{done->waiting, done->parked, done->bytes};
        co_return out;
    }
    kept_share lost{};

private:
    result<> look_and_ask() const {
        auto seen = look(args_, data_dir_);
        if (seen.has_error()) return seen.error();
        tell(*seen);
        const auto total = sum(seen->found);
        if (args_.yes || total.waiting + total.parked == 0) return {};
        if (::isatty(STDIN_FILENO) != 1)
            return error(disposition::stop, "nothing was purged: there is nobody to ask, say --yes");
        if (!confirmed()) return error(disposition::stop, "nothing was purged");
        return {};
    }
    const spool_arguments& args_;
    std::filesystem::path data_dir_;
};

}  // namespace

int spool_purge_verb(const spool_arguments& args) {
    const auto configured = spool_configuration(args);
    if (!configured) return exit_code::usage;
    if (args.dry_run) {
        const auto seen = look(args, configured->data_dir);
        if (!seen) {
            print_error(seen.error().context());
            return exit_code::internal;
        }
        tell(*seen);
        report(args, sum(seen->found));
        return exit_code::all_delivered;
    }
    purge_job job(args, configured->data_dir);
    const auto outcome = spool_owner::run(configured->data_dir, "purge",
                                          [&job](auto& spool, context& x) { return job.run(spool, x); });
    if (outcome.problem) {
        print_error(*outcome.problem);
        return outcome.code;
    }
    report(args, job.lost);
    return exit_code::all_delivered;
}

}  // namespace firehose::app
