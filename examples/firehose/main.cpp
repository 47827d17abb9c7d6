/// The reference binary: the command line, and nothing else.
#include "examples/firehose/debug.hpp"
#include "examples/firehose/exit_codes.hpp"
#include "examples/firehose/spool_verbs.hpp"
#include "examples/firehose/verbs.hpp"
#include "pipeline/log.hpp"

#include <CLI/CLI.hpp>
#include <malloc.h>
#include <sys/prctl.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace {

using namespace firehose::app;

override_list parse_overrides(const std::vector<std::string>& settings) {
    override_list out;
    for (const auto& setting : settings) {
        const auto equals = setting.find('=');
        if (setting.empty() || setting.front() != '/' || equals == std::string::npos)
            throw CLI::ValidationError("--set", "must look like /pointer=value");
        out.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
    }
    return out;
}

std::string read_variable(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

void add_config(CLI::App& verb, std::string& config, std::vector<std::string>& settings, bool& json) {
    verb.add_option("--config", config, "Configuration file (JSON, comments allowed)")->required();
    verb.add_option("--set", settings, "Overrides one value: /pointer=value; may be repeated")
        ->take_all()
        ->allow_extra_args(false);
    verb.add_flag("--json", json, "Machine-readable output on standard output");
}

int dispatch(int argc, char** argv) {
    CLI::App app("Delivers events to cloud storage. Every event reaches every target, or is kept on disk "
                 "until it does.");
    app.require_subcommand(1);
    app.failure_message(CLI::FailureMessage::help);
    app.footer(
        "Exit codes: 0 everything accepted is delivered, 1 something is spooled or parked (nothing lost),\n"
        "2 usage or configuration, 3 some input was refused, 4 the run failed.");

    bool core_dumps = false;
    app.add_flag(
        "--core-dumps", core_dumps,
        "Lets the system write a core file after a crash: it holds the secrets in use. Before the verb");

    std::vector<std::string> settings;
    run_arguments run;
    auto* run_app = app.add_subcommand(
        "run", "Delivers files or standard input, retries what is spooled once, accounts, exits");
    add_config(*run_app, run.config, settings, run.json);
    run_app->add_option("FILE", run.inputs, "NDJSON files; - is standard input");
    run_app->footer(
        "Example: firehose generate -n 1000 | firehose run --config examples/firehose/demo.json -");

    serve_arguments serve;
    auto* serve_app = app.add_subcommand(
        "serve", "Takes events by HTTP, keeps them before it answers, delivers until stopped");
    add_config(*serve_app, serve.config, settings, serve.json);
    serve_app->footer("SIGTERM drains, a second one ends at once, SIGHUP reloads certificates.\n"
                      "Example: firehose serve --config firehose.json");
    serve.manager = {read_variable("NOTIFY_SOCKET"), read_variable("LISTEN_PID"),
                     read_variable("LISTEN_FDS")};

    validate_arguments validate;
    auto* validate_app = app.add_subcommand(
        "validate", "Prints every fault of a configuration at once, each with its JSON Pointer");
    add_config(*validate_app, validate.config, settings, validate.json);
    validate_app->add_flag("--live", validate.live, "Also asks every destination the configuration names");
    validate_app->footer("Example: firehose validate --config firehose.json --live");

    generate_arguments generate;
    auto* generate_app =
        app.add_subcommand("generate", "Writes demo events to standard output, the same for the same seed");
    generate_app->add_option("-n", generate.count, "How many")->required();
    generate_app->add_option("--seed", generate.seed, "Seed")->capture_default_str();
    generate_app->add_option("--kind", generate.kind, "lead or crm")
        ->capture_default_str()
        ->check(CLI::IsMember({"lead", "crm"}));
    generate_app->add_option("--flows", generate.flows, "Number of distinct flows")
        ->capture_default_str()
        ->check(CLI::Range(1, 1'000'000));
    generate_app->footer("Example: firehose generate -n 1000 --seed 7 > events.ndjson");

    spool_commands spool(app);

    debug_command debug(app);

    try {
        app.parse(argc, argv);
        const auto overrides = parse_overrides(settings);
        run.overrides = serve.overrides = validate.overrides = overrides;
        spool.set_overrides(parse_overrides);
        if (core_dumps) ::prctl(PR_SET_DUMPABLE, 1);
    } catch (const CLI::Success& asked) {
        return app.exit(asked);
    } catch (const CLI::ParseError& wrong) {
        // CLI11 would only say that a verb is required.
        const auto unknown = app.remaining(true);
        if (wrong.get_name() == "RequiredError" && !unknown.empty())
            std::fprintf(stderr, "error: nobody knows the verb \"%s\"\n",
                         firehose::escape_for_log(unknown.front(), 80).c_str());
        app.exit(wrong);
        return exit_code::usage;
    }
    if (*run_app) return run_verb(run);
    if (*serve_app) return serve_verb(serve);
    if (*validate_app) return validate_verb(validate);
    if (*generate_app) return generate_verb(generate);
    if (debug) return debug.run();
    return spool.run();
}

}  // namespace

int main(int argc, char** argv) {
    // A core file would hold secrets. Not by RLIMIT_CORE: the kernel does not ask it before it feeds a pipe.
    ::prctl(PR_SET_DUMPABLE, 0);
    // What is large goes back to the system when it is freed, whatever was large before it.
    ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
    try {
        return dispatch(argc, argv);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "firehose: internal error: %s\n", e.what());
        return exit_code::internal;
    }
}
