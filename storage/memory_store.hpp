/// A store in memory, for tests: it can be looked into, slowed down and told to fail.
#pragma once
#include "storage/registry.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace firehose::storage {

enum class operation : std::uint8_t { put, head, list, remove, get, check, start, put_part, complete, abort };

struct memory_object {
    std::string body{};
    std::string content_type{};
    std::string content_encoding{};
    object_labels metadata{};
    object_labels tags{};
};

/// What the stores of one bucket share. Tests keep a pointer to it to look inside and to change
/// how it behaves at any time between two calls; same shard as the stores.
struct memory_bucket {
    std::map<std::string, memory_object, std::less<>> objects{};
    /// Unfinished, by token: bodies by number.
    std::map<std::string, std::map<int, std::string>, std::less<>> uploads{};
    /// Asked before each operation; an error it returns is the operation's, which then changes nothing.
    /// The key is the prefix for `list` and empty for `check`.
    std::function<std::optional<error>(operation what, const std::string& key)> fail{};
    /// Awaited before each operation, even before `fail`: slow stores, stores that hang, stores that wait
    /// for the test. Cancellation and deadlines are its own business.
    std::function<task<>(operation what, std::string key)> pause{};
    std::map<operation, std::uint64_t> calls{};  ///< begun so far
    std::size_t page_size = 1000;                ///< of list()
    std::uint64_t uploads_begun = 0;
};

/// Single shard. Each operation takes effect at one moment, at the end of `pause` and one turn of the
/// shard; cancelled before that moment it does nothing. Keys are any text. Deadlines are not looked at,
/// since nothing takes time but `pause`.
class memory_store final : public store {
public:
    explicit memory_store(std::shared_ptr<memory_bucket> bucket = std::make_shared<memory_bucket>());

    memory_bucket& bucket() noexcept { return *bucket_; }

    const capabilities& can() const noexcept override { return can_; }
    task<result<object_info>> put(const std::string& key, const payload& body, const put_options& how,
                                  time_source::steady deadline) override;
    task<result<object_info>> head(const std::string& key, time_source::steady deadline) override;
    task<result<page>> list(const std::string& prefix, const std::string& from,
                            time_source::steady deadline) override;
    task<result<>> remove(const std::string& key, time_source::steady deadline) override;
    task<result<std::unique_ptr<multipart>>> start_multipart(const std::string& key, const put_options& how,
                                                             time_source::steady deadline) override;
    task<result<std::unique_ptr<multipart>>> resume_multipart(const std::string& key,
                                                              const std::string& token,
                                                              const put_options& how,
                                                              time_source::steady deadline) override;
    task<result<object_body>> get(const std::string& key, byte_range which,
                                  time_source::steady deadline) override;
    task<result<>> check(time_source::steady deadline) override;

private:
    std::shared_ptr<memory_bucket> bucket_;
    capabilities can_;
};

using memory_buckets = std::map<std::string, std::shared_ptr<memory_bucket>, std::less<>>;

/// For a test's registry: stores of the same bucket name share contents, which the test finds in `all`.
/// Not in default_registry(): what is delivered to memory is gone when the process ends.
store_kind memory_kind(std::shared_ptr<memory_buckets> all = std::make_shared<memory_buckets>());

}  // namespace firehose::storage
