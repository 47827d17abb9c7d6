/// Where objects go: the interface every kind of store implements, and what all of them promise.
#pragma once
#include "pipeline/error.hpp"
#include "pipeline/time_source.hpp"

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firehose::storage {
class body_file;  // storage/body_file.hpp

using payload = std::vector<std::span<const std::byte>>;  // scatter list; the caller keeps the bytes alive
struct object_info {
    std::string key{};
    std::uint64_t size = 0;
    std::string etag{};
};
struct page {
    std::vector<object_info> items;
    std::string next;
};
/// Names and values as they are to be kept; stores that cannot keep them leave them out.
using object_labels = std::vector<std::pair<std::string, std::string>>;
struct put_options {
    std::string content_type = "application/json";
    std::string content_encoding{};  ///< "gzip", …; empty: the bytes are what they are
    bool only_if_absent = false;     ///< an object that is already there is success: U5 in the design notes
    object_labels metadata{};        ///< names of ASCII letters, digits, '-' and '_'; case is not kept
    object_labels tags{};            ///< any text, at most ten
};
/// Bytes first, first + 1, …, at most `count` of them; the default is all.
struct byte_range {
    std::uint64_t first = 0;
    std::uint64_t count = std::numeric_limits<std::uint64_t>::max();

    bool whole() const noexcept { return first == 0 && count == std::numeric_limits<std::uint64_t>::max(); }
};
struct object_body {
    object_info info{};   ///< of the whole object, whatever range was asked for
    std::string bytes{};  ///< fewer than asked for where the object ends; none from its end on
};
/// What this store can do, so that callers choose instead of probing by failure.
struct capabilities {
    std::uint64_t max_put = 0;   ///< largest body of one put(), bytes
    std::uint64_t min_part = 0;  ///< smallest part but the last; 0: no multipart
    std::uint64_t max_parts = 0;
    bool only_if_absent = false;
    bool list = false;
    bool remove = false;
    bool get = false;
    bool put_file = false;
};

/// Parts may be put concurrently and in any order. Dropping it unfinished leaves garbage: call abort().
class multipart {
public:
    virtual ~multipart() = default;
    virtual task<result<>> put_part(int number, const payload& body, time_source::steady deadline) = 0;
    virtual task<result<object_info>> complete(time_source::steady deadline) = 0;
    virtual task<> abort() = 0;
    /// What resume_multipart() takes to go on with this upload, in another process even; empty when that
    /// cannot be done.
    virtual std::string token() const { return {}; }
};

/// provider_code() of the error that head() gives for an absent key, whatever the provider calls it.
inline constexpr std::string_view not_found = "NotFound";

/// provider_code() of the error that resume_multipart() gives for an upload that does not exist any more.
inline constexpr std::string_view no_such_upload = "NoSuchUpload";

/// True for the error of head() that means "no such object", and for no other.
inline bool is_not_found(const error& e) noexcept {
    return e.what() == disposition::park && e.provider_code() == not_found;
}

/// One bucket, container or directory. Single shard. Outlives its running calls.
///
/// put() is atomic: success means the whole object is readable under key, failure or cancellation that
/// it may or may not be, and never a part of it. A key is overwritten; of several puts at once one wins.
/// The bodies' bytes and the key are read until the call returns or throws, not longer.
/// head() of an absent key is an error with disposition park and provider_code() `not_found`.
/// remove() of an absent key succeeds. list() finds the keys that begin with the text of `prefix`, in
/// byte order; none is no error. `from` is empty for the first page and then the last page's `next`; an
/// empty `next` ends the list. get() reads one version of an object, an absent key is head()'s error; who
/// reads a large object asks for ranges. check() is success when the place of the objects exists and can be
/// reached with the credential; whether it may be written to, only a put() shows. A call that cannot finish
/// before its deadline fails with disposition retry.
/// tests/contract/store_contract.hpp tries all of this on any store.
class store {
public:
    virtual ~store() = default;
    virtual const capabilities& can() const noexcept = 0;
    virtual task<result<object_info>> put(const std::string& key, const payload& body, const put_options& how,
                                          time_source::steady deadline) = 0;
    /// put() of a body that lies in a file, for a store that takes no parts: put_from_file() asks for it
    /// where can().put_file says so, and reads the whole file into memory elsewhere.
    virtual task<result<object_info>> put_file(const std::string& key, const body_file& body,
                                               const put_options& how, time_source::steady deadline);
    virtual task<result<object_info>> head(const std::string& key, time_source::steady deadline) = 0;
    virtual task<result<page>> list(const std::string& prefix, const std::string& from,
                                    time_source::steady deadline) = 0;
    virtual task<result<>> remove(const std::string& key, time_source::steady deadline) = 0;
    virtual task<result<std::unique_ptr<multipart>>>
    start_multipart(const std::string& key, const put_options& how, time_source::steady deadline) = 0;
    /// Goes on with an upload that was neither completed nor aborted: put_part() of a part that is there
    /// already sends nothing. An upload that is gone is an error with provider_code() `no_such_upload`.
    /// Unless a store offers it: an error that says so.
    virtual task<result<std::unique_ptr<multipart>>> resume_multipart(const std::string& key,
                                                                      const std::string& token,
                                                                      const put_options& how,
                                                                      time_source::steady deadline);
    /// Likewise.
    virtual task<result<object_body>> get(const std::string& key, byte_range which,
                                          time_source::steady deadline);
    /// Unless a store has a better way: asks for an object that need not exist.
    virtual task<result<>> check(time_source::steady deadline);
};
}  // namespace firehose::storage
