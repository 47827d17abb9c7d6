#pragma once
#include "pipeline/error.hpp"
#include "pipeline/time_source.hpp"
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace firehose::storage {
using payload = std::vector<std::span<const std::byte>>;  // scatter list; the caller keeps the bytes alive
struct object_info {
    std::string key;
    std::uint64_t size = 0;
    std::string etag;
};
struct page {
    std::vector<object_info> items;
    std::string next;
};
struct put_options {
    std::string content_type = "application/json";
    bool only_if_absent = false;  ///< an object that is already there is success: U5 in the design notes
};
/// What this store can do, so that callers choose instead of probing by failure.
struct capabilities {
    std::uint64_t max_put = 0;   ///< largest body of one put(), bytes
    std::uint64_t min_part = 0;  ///< smallest part but the last; 0: no multipart
    std::uint64_t max_parts = 0;
    bool only_if_absent = false;
    bool list = false;
    bool remove = false;
};

/// Parts may be put concurrently and in any order. Dropping it unfinished leaves garbage: call abort().
class multipart {
public:
    virtual ~multipart() = default;
    virtual task<result<>> put_part(int number, const payload& body, time_source::steady deadline) = 0;
    virtual task<result<object_info>> complete(time_source::steady deadline) = 0;
    virtual task<> abort() = 0;
};

/// One bucket, container or directory. Single shard. Outlives its running calls.
/// put() is atomic: success means the whole object is readable under key, failure that it may or may not be.
/// remove() of an absent key succeeds; list() of an absent prefix is empty.
class store {
public:
    virtual ~store() = default;
    virtual const capabilities& can() const noexcept = 0;
    virtual task<result<object_info>> put(const std::string& key, const payload& body, const put_options& how,
                                          time_source::steady deadline) = 0;
    virtual task<result<object_info>> head(const std::string& key, time_source::steady deadline) = 0;
    virtual task<result<page>> list(const std::string& prefix, const std::string& from,
                                    time_source::steady deadline) = 0;
    virtual task<result<>> remove(const std::string& key, time_source::steady deadline) = 0;
    virtual task<result<std::unique_ptr<multipart>>>
    start_multipart(const std::string& key, const put_options& how, time_source::steady deadline) = 0;
};
}  // namespace firehose::storage
