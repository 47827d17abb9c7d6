/// One place that credentials come from: the interface, and what all of them reach the world through.
#pragma once
#include "http/transport.hpp"
#include "pipeline/stage.hpp"
#include "storage/credential_source.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace firehose::storage {

/// The machine's environment and files. Programs give the real ones, tests their own. read() blocks, may be
/// called on any thread, and follows symbolic links, because a mounted secret is one.
struct machine {
    std::function<std::optional<std::string>(const std::string& name)> variable{};
    std::function<result<std::string>(const std::string& path)> read{};
};

/// No variables; the files of the system, see read_small_file().
machine machine_without_variables();

/// What providers are made of. The context and what `connect` refers to outlive them.
struct provider_parts {
    context& shard;
    http::transport_factory connect;
    machine on;

    /// The value of an environment variable; empty when it is not set.
    std::string variable(const std::string& name) const;
};

/// Fetches a value, each time anew. Single shard; calls do not overlap. Errors say what to do about it and
/// never hold a secret; their provider_code() is `not_configured` when the place is not there at all, for a
/// chain that tries the next one. May be cancelled; leaves nothing behind.
class credential_provider {
public:
    virtual ~credential_provider() = default;
    virtual std::string describe() const = 0;
    virtual task<result<credential_value>> fetch(time_source::steady deadline) = 0;
    /// How long a value that does not say when it expires is believed, before it is fetched again, because
    /// its file may have changed. Zero: for ever.
    virtual std::chrono::seconds believe() const { return {}; }
};

inline constexpr std::string_view not_configured = "NotConfigured";

/// An error with that code.
error no_credentials_there(std::string context);
bool is_not_configured(const error& e) noexcept;

/// A file of at most 64 KiB, its last line's end left out. Blocks.
result<std::string> read_small_file(const std::string& path);

/// The same on the blocking pool, through the seam.
task<result<std::string>> read_secret_file(const provider_parts& parts, std::string path);

/// How long a file's contents are believed.
inline constexpr std::chrono::seconds file_belief{30};

}  // namespace firehose::storage
