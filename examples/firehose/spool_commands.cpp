/// firehose spool: its part of the command line.
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/spool_verbs.hpp"

#include <charconv>

namespace firehose::app {

std::optional<std::chrono::seconds> parse_duration(const std::string& text) {
    std::int64_t number = 0;
    const auto end = text.data() + text.size();
    const auto [stopped, failed] = std::from_chars(text.data(), end, number);
    if (failed != std::errc() || number < 0 || number > 100'000'000 || end - stopped > 1) return std::nullopt;
    switch (stopped == end ? 's' : *stopped) {
        case 's': return std::chrono::seconds(number);
        case 'm': return std::chrono::minutes(number);
        case 'h': return std::chrono::hours(number);
        case 'd': return std::chrono::hours(24 * number);
        default: return std::nullopt;
    }
}

CLI::App* spool_commands::add(const char* name, const char* what, verb how) {
    auto* const made = spool_->add_subcommand(name, what);
    made->add_option("--config", args_.config, "Configuration file (JSON, comments allowed)")->required();
    made->add_option("--set", args_.settings, "Overrides one value: /pointer=value; may be repeated")
        ->take_all()
        ->allow_extra_args(false);
    made->add_flag("--json", args_.json, "Machine-readable output on standard output");
    verbs_.emplace_back(made, how);
    return made;
}

void spool_commands::add_filters(CLI::App& to) {
    auto& which = args_.which;
    to.add_option("ID", which.ids, "Record, event or key; several: any of them");
    to.add_option("--id", which.ids, "The same")->take_all()->allow_extra_args(false);
    to.add_option("--service", which.service, "Of one service");
    to.add_option("--bucket", which.bucket, "Of one bucket, container or folder");
    to.add_option("--destination", which.destination, "Its hash, or as spool ls prints it");
    to.add_option("--flow", which.flow, "Of one flow");
    to.add_option("--error", which.error, "Part of the last error's code, class or message, or its status");
    const auto duration = [](const std::string& text) {
        return parse_duration(text) ? std::string() : std::string("must look like 90s, 15m, 12h or 7d");
    };
    to.add_option("--older-than", args_.older_than, "First failed longer ago than 90s, 15m, 12h, 7d")
        ->check(duration);
    auto* const parked = to.add_flag("--parked", args_.only_parked, "Only dead letters");
    to.add_flag("--waiting", args_.only_waiting, "Only what is tried again by itself")->excludes(parked);
}

spool_commands::spool_commands(CLI::App& app)
    : spool_(app.add_subcommand("spool", "Looks into what is kept for later, and acts on it")) {
    spool_->require_subcommand(1);
    auto* verb =
        add("ls", "Per destination: records, bytes, dead letters, oldest, next attempt, rate, last error",
            &spool_ls_verb);
    verb->footer("Works beside a running process. Example: firehose spool ls --config firehose.json");

    verb = add("show", "Single records: header, history of their attempts, body", &spool_show_verb);
    add_filters(*verb);
    verb->add_flag("--body", args_.body, "With the event itself");
    verb->add_option("--limit", args_.limit, "At most so many; 0: all")->capture_default_str();
    verb->footer("Works beside a running process.\n"
                 "Example: firehose spool show --config firehose.json --parked --error AccessDenied");

    verb = add("retry", "Makes records due at once, and dead letters records again", &spool_retry_verb);
    add_filters(*verb);
    verb->add_flag("--dry-run", args_.dry_run, "Only says what it would do");
    verb->footer("Not beside a running process, --dry-run apart; the next run sends what is due.\n"
                 "Example: firehose spool retry --config firehose.json --parked --older-than 1h");

    verb =
        add("export", "Headers and bodies as NDJSON, to standard output or a directory", &spool_export_verb);
    add_filters(*verb);
    verb->add_option("--output", args_.output,
                     "A directory to make: records.ndjson, and each body byte for byte in bodies/");
    verb->footer("Works beside a running process.\n"
                 "Example: firehose spool export --config firehose.json --output rescued");

    verb = add("purge", "Throws records away for good", &spool_purge_verb);
    add_filters(*verb);
    verb->add_flag("--dry-run", args_.dry_run, "Only says what would be lost");
    verb->add_flag("--yes", args_.yes, "Do not ask");
    verb->footer(
        "Says what would be lost, and asks. Not beside a running process, --dry-run apart.\n"
        "Example: firehose spool purge --config firehose.json --parked --flow 5fd4371e940df5a34a3888b2");

    verb = add("verify", "Checks the checksum of every record; changes nothing", &spool_verify_verb);
    verb->footer("Works beside a running process. Exit code 4 when something is damaged.\n"
                 "Example: firehose spool verify --config firehose.json");
}

int spool_commands::run() const {
    auto args = args_;
    if (args.only_waiting) args.which.parked = false;
    if (args.only_parked) args.which.waiting = false;
    if (const auto age = parse_duration(args.older_than))
        args.which.failed_before = real_time().wall_now() - *age;
    for (const auto& [verb, how] : verbs_)
        if (verb->parsed()) return how(args);
    return exit_code::usage;
}

}  // namespace firehose::app
