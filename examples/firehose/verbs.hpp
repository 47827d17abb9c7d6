/// The verbs of the command line. Each returns the exit code of the process.
#pragma once
#include "examples/firehose/config.hpp"
#include "examples/firehose/service_manager.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace firehose::app {

struct run_arguments {
    std::string config{};
    override_list overrides{};
    std::vector<std::string> inputs{};  ///< files, "-" for standard input; empty: the configuration's
    bool json = false;
};
int run_verb(const run_arguments& args);

struct serve_arguments {
    std::string config{};
    override_list overrides{};
    service_manager manager{};
    bool json = false;
};
int serve_verb(const serve_arguments& args);

struct validate_arguments {
    std::string config{};
    override_list overrides{};
    bool live = false;  ///< ask every destination that the configuration names
    bool json = false;
};
int validate_verb(const validate_arguments& args);

struct generate_arguments {
    std::uint64_t count = 0;
    std::uint64_t seed = 1;
    std::string kind = "lead";
    unsigned flows = 1;
};
int generate_verb(const generate_arguments& args);

}  // namespace firehose::app
