/// firehose debug: what conformance tools ask, one sub-verb each.
#pragma once
#include "examples/firehose/config.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace firehose::app {

int debug_sigv4();
int debug_shared_key();
int debug_connection_string();
int debug_endpoint();
/// Of the bytes of standard input, not of lines.
int debug_checksum();

/// One operation of a real store.
struct debug_store_arguments {
    std::string operation{};  ///< put, head, get, list, rm, multipart
    std::string config{};
    std::vector<std::string> settings{};  ///< /pointer=value
    override_list overrides{};
    std::string credential{};  ///< its id in the configuration
    std::string type{};        ///< s3 or azure; empty: what the credential's type says
    std::string bucket{};
    std::string key{};   ///< the prefix for list
    std::string body{};  ///< a file; "-" or empty: standard input
    std::string out{};   ///< where get writes the object; empty: standard output
    std::string content_type = "application/octet-stream";
    std::string from{};  ///< where list continues
    bool only_if_absent = false;
    int attempts = 3;
    std::uint64_t part_size = std::uint64_t{8} << 20;
    unsigned parallel = 4;
    std::uint64_t first = 0;  ///< range of get
    std::uint64_t count = 0;  ///< 0: to the end
    unsigned timeout_s = 60;
};
int debug_store(const debug_store_arguments& args);

/// The verb as part of the command line.
class debug_command {
public:
    /// Declares it; `app` outlives this.
    explicit debug_command(CLI::App& app);
    debug_command(const debug_command&) = delete;
    /// Whether it was asked for.
    explicit operator bool() const;
    int run();

private:
    CLI::App* verb_;
    debug_store_arguments store_{};
};

}  // namespace firehose::app
