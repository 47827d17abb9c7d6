/// What every store must do, as one coroutine that returns the broken promises in words.
#pragma once
#include "pipeline/stage.hpp"
#include "storage/store.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace firehose::contract {

struct store_options {
    /// All keys of the run start with it. Nothing may lie under it yet; what the run stores is removed
    /// again when the store can remove.
    std::string prefix = "contract";
    /// Reads an object back, past the store's interface, so that bodies are compared byte by byte.
    /// Without it what get() gives is, and only sizes where the store has none.
    std::function<task<result<std::string>>(std::string key)> read{};
    /// Set for a store that the test can page: so many objects that list() needs several pages.
    std::size_t objects_to_list = 12;
    std::size_t concurrent_puts = 64;
    std::size_t large_body = 1 << 20;
    /// Keys a store may find hard, each tried below `prefix`. Every one is a legal key of every store.
    std::vector<std::string> awkward_keys = default_awkward_keys();
    /// For a server across a network: what a cancelled put() had sent may still be carried out, after the
    /// next put() of the same key. Callers live with it because their keys follow from the content.
    bool cancelled_put_may_land_late = false;
    /// Unset for a server that takes no conditions on a put(), or none on the completion of an upload in
    /// parts, though others of its kind do.
    bool conditional_puts = true;
    bool conditional_completions = true;
    /// For a server that tells a put() which lost against another one of the same key to try again.
    bool lost_races_may_fail = false;
    /// How long one call may take.
    std::chrono::seconds patience{60};

    static std::vector<std::string> default_awkward_keys();
};

/// Tries the store and says what it did wrong, one sentence each; empty when it keeps the contract of
/// storage/store.hpp. What is asked follows from can(). Needs no test framework:
///
///     auto broken = co_await firehose::contract::check_store(store, x, how);
///     for (auto& sentence : broken) std::cerr << sentence << "\n";
///
/// Runs on the store's shard. Cancellation ends it between two calls and leaves objects behind.
task<std::vector<std::string>> check_store(storage::store& s, context& x, store_options how);

}  // namespace firehose::contract
