/// firehose spool …: looking into what is kept for later, and acting on it. One file per verb.
#pragma once
#include "examples/firehose/config.hpp"
#include "stages/spool_view.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace firehose::app {

struct spool_arguments {
    std::string config{};
    std::vector<std::string> settings{};  ///< as given: /pointer=value
    override_list overrides{};
    bool json = false;

    stages::spool_filter which{};
    std::string older_than{};  ///< "90s", "15m", "12h", "7d"
    bool only_waiting = false;
    bool only_parked = false;

    bool body = false;       ///< show
    std::size_t limit = 20;  ///< show; 0: all
    bool dry_run = false;    ///< retry, purge
    bool yes = false;        ///< purge: nobody is asked
    std::string output{};    ///< export: a new directory; empty: standard output
};

int spool_ls_verb(const spool_arguments& args);
int spool_show_verb(const spool_arguments& args);
int spool_retry_verb(const spool_arguments& args);
int spool_export_verb(const spool_arguments& args);
int spool_purge_verb(const spool_arguments& args);
int spool_verify_verb(const spool_arguments& args);

/// The verbs on the command line.
class spool_commands {
public:
    explicit spool_commands(CLI::App& app);

    /// What --set was given, read by `parse`.
    void set_overrides(override_list (*parse)(const std::vector<std::string>&)) {
        args_.overrides = parse(args_.settings);
    }
    /// The verb that was chosen; its exit code.
    int run() const;

private:
    using verb = int (*)(const spool_arguments&);
    CLI::App* add(const char* name, const char* what, verb how);
    void add_filters(CLI::App& to);

    CLI::App* spool_;
    spool_arguments args_{};
    std::vector<std::pair<CLI::App*, verb>> verbs_{};
};

/// "90s", "15m", "12h", "7d", or a number of seconds.
std::optional<std::chrono::seconds> parse_duration(const std::string& text);

}  // namespace firehose::app
