/// What a fake cloud does wrong, and when: a list of faults, written in code or as JSON.
#pragma once
#include "http/message.hpp"
#include "pipeline/error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::fakes {

/// Which requests; all conditions must hold. Requests that meet operation, key and time are counted from 1.
struct fault_filter {
    std::string operation{};  ///< as named in fake_cloud.hpp; empty: any
    std::string key{};        ///< objects whose key begins with this text; empty: any
    std::uint64_t from = 1;   ///< the first that is hit
    std::uint64_t every = 1;  ///< then every k-th
    std::uint64_t times = std::numeric_limits<std::uint64_t>::max();  ///< how many in all
    std::chrono::milliseconds after{0};                               ///< since the fake was made
    std::chrono::milliseconds until = std::chrono::milliseconds::max();
};

/// What happens to them. Members may be combined: a delay, then an answer that is cut.
struct fault_effect {
    std::chrono::milliseconds delay{0};  ///< in the context's time, before anything else
    bool refuse = false;                 ///< the connection is refused or reset: nothing is carried out
    int status = 0;                      ///< this answer instead of the true one
    std::string code{};                  ///< of that answer, in the provider's form; also with status 200
    std::string message{};
    std::optional<std::string> body{};  ///< of that answer, instead of the provider's form
    http::header_list headers{};        ///< added to whatever is answered
    bool carried_out = false;           ///< the request has its effect, although the answer says otherwise
    std::optional<std::size_t> cut{};   ///< the answer, head included, ends after so many bytes
    bool lie = false;                   ///< the true answer, but nothing is stored or removed
    bool expired_token = false;         ///< says so, as the provider does
    std::string region{};               ///< sends the client to this region, as S3 does
};

struct fault {
    fault_filter on{};
    fault_effect what{};
};

/// Of all faults that hit a request the first one added counts.
///
///     fault slow;
///     slow.on.operation = "put";
///     slow.on.every = 3;
///     slow.what.status = 503;
///     slow.what.code = "SlowDown";
///     s3.faults.add(slow);
///
/// The same as JSON; all members are optional, unknown ones are errors:
///
///     {"faults": [{"on": {"operation": "put", "key": "", "from": 1, "every": 3, "times": 2,
///                         "after_ms": 0, "until_ms": 60000},
///                  "do": {"status": 503, "code": "SlowDown", "message": "", "body": "", "headers":
///                  {"Retry-After": "1"},
///                         "delay_ms": 0, "cut": 17, "refuse": false, "carried_out": false, "lie": false,
///                         "expired_token": false, "region": "eu-west-1"}}]}
class fault_script {
public:
    void add(fault f) { rows_.push_back({std::move(f), 0, 0}); }
    void clear() { rows_.clear(); }
    /// Adds what the text says; nothing when it is wrong.
    result<> add_json(std::string_view text);
    result<> add_file(const std::filesystem::path& file);

    /// Counts a request; the effect on it, or null. `age` is how old the fake is.
    const fault_effect* next(std::string_view operation, std::string_view key, std::chrono::milliseconds age);
    /// How many requests were hit so far.
    std::uint64_t hits() const noexcept { return hits_; }

private:
    struct row {
        fault f;
        std::uint64_t seen;
        std::uint64_t hit;
    };
    std::vector<row> rows_{};
    std::uint64_t hits_ = 0;
};

}  // namespace firehose::fakes
