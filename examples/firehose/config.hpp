/// The configuration file: one JSON document, every fault found at once, each with its place.
#pragma once
#include "examples/firehose/pull_settings.hpp"
#include "examples/firehose/server_settings.hpp"
#include "http/options.hpp"
#include "stages/delivery.hpp"
#include "stages/event_reader.hpp"
#include "stages/gathering.hpp"
#include "stages/normalize_config.hpp"
#include "stages/open_sqs_spool.hpp"
#include "stages/unspool.hpp"
#include "storage/credentials.hpp"
#include "storage/registry.hpp"
#include "storage/sealing.hpp"

#include <boost/json/fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace firehose::app {

/// How `run` uses the machine.
struct run_settings {
    unsigned shards = 0;                  ///< threads that deliver parts of one file; 0: one for each core
    std::size_t shard_bytes = 32u << 20;  ///< parts of a file smaller than this are not worth a shard
};

struct configuration {
    std::filesystem::path base_directory{};  ///< of the file; relative paths start here
    std::filesystem::path data_dir{};
    storage::credential_map credentials{};
    stages::routing_table routing{};
    stages::event_shape shape{};
    std::size_t max_event_bytes = 16 << 20;
    stages::delivery_options delivery{};
    std::optional<stages::batch_options> batch{};  ///< set: the layout is "batch"
    std::vector<storage::settings_rule> destinations{};
    stages::unspool::options unspool{};
    http::client_options http{};
    std::optional<stages::sqs_spool_settings> sqs{};  ///< none: the spool is a directory of data_dir
    std::vector<std::string> inputs{};  ///< of the file sources, in order; "-" is standard input
    std::vector<pull_settings> streams{};
    std::vector<std::string> services{};  ///< named by flows and default, each once
    run_settings run{};
    server_settings server{};
    storage::keyring keys{};  ///< for credentials that the API saves
    /// What was read, overrides included, for who compares two of them. Secrets that stand in the file stand
    /// in here as well.
    std::shared_ptr<const boost::json::value> document{};
};

/// `pointer` is a JSON Pointer into the file; empty for the document as a whole.
struct fault {
    std::string pointer{};
    std::string message{};
};

struct loaded {
    configuration what{};
    std::vector<fault> faults{};  ///< not empty: `what` must not be used
    std::vector<fault> warnings{};
};

/// One `--set /pointer=value`; the value is JSON, or else a string.
using override_list = std::vector<std::pair<std::string, std::string>>;

/// Whether env and file secrets are looked up; who only looks at the spool needs none.
enum class secrets : std::uint8_t { read, not_needed };

/// Reads, overrides and checks. `stores` decides which types exist and what their buckets look like.
loaded load_configuration(const std::filesystem::path& file, const override_list& overrides,
                          const storage::registry& stores, secrets how = secrets::read);

/// "file: /pointer: message", one line each.
std::string to_text(const std::filesystem::path& file, const fault& f);

}  // namespace firehose::app
