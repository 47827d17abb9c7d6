/// firehose serve: events in by HTTP, durable before the 2xx; delivered from the event log until stopped.
#include "examples/firehose/batch_config.hpp"
#include "examples/firehose/console.hpp"
#include "examples/firehose/daemon.hpp"
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/verbs.hpp"
#include "pipeline/run.hpp"

#include <cstdio>
#include <optional>

#include <sys/resource.h>

namespace firehose::app {
namespace {

/// Connections are files, and the usual soft limit is 1,024.
void raise_file_limit() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
}

/// What a run, which ends, may do and a server may not.
std::optional<fault> batch_fault(const configuration& how) {
    if (!how.batch) return std::nullopt;
    // After a crash, what an object was made of may be routed in another way: the object is another one then,
    // and must not take the place of the first.
    if (!how.batch->key.tells_repeated_ids_apart())
        return fault{"/delivery/batch/key",
                     "must hold {hash} or {position} for serve: its events may be read again"};
    if (how.batch->age.count() == 0)
        return fault{"/delivery/batch/age_ms",
                     "must not be 0 for serve: a server has no end that cuts what is open"};
    return std::nullopt;
}

}  // namespace

int serve_verb(const serve_arguments& args) {
    const auto stores = storage::default_registry();
    const auto configured = load_configuration(args.config, args.overrides, stores);
    if (!print_faults(args.config, configured)) return exit_code::usage;
    if (const auto wrong = batch_fault(configured.what)) {
        std::fprintf(stderr, "%s\n", to_text(args.config, *wrong).c_str());
        return exit_code::usage;
    }
    raise_file_limit();
    run_options options;
    options.log = console_log();
    options.blocking_threads = 8;
    if (configured.what.batch) options.queue_bytes = edge_bytes_before_gather;
    const auto load_again = [&] { return load_configuration(args.config, args.overrides, stores); };
    daemon server(configured.what, stores, args.manager, options.log, load_again);
    if (const auto problem = server.open_sockets(); !problem.empty()) {
        std::fprintf(stderr, "error: %s\n", problem.c_str());
        return exit_code::usage;
    }
    const auto root = [&server](unsigned shard, context& x, const std::vector<executor>& all) {
        return server.run(shard, x, all);
    };
    const auto report = firehose::run_sharded(server.shards(), root, options);
    return server.finish(report, args.json);
}

}  // namespace firehose::app
