/// What s3_store and its uploads in parts send their requests through.
#pragma once
#include "http/retry.hpp"
#include "storage/s3_exchange.hpp"
#include "storage/s3_headers.hpp"
#include "storage/store.hpp"

#include <string>
#include <string_view>

namespace firehose::storage {

struct s3_options {
    http::backoff retries{};       ///< of one call; longer outages are the spool's business
    destination_settings given{};  ///< how objects are stored
    s3_key_source keys{};          ///< empty: the credential's own keys, for ever
};

/// One bucket. Shared by a store and its uploads, which may outlive the store.
struct s3_remote {
    s3_remote(context& of, http::transport_factory connect, credential with, std::string called,
              s3_location at, s3_options how);

    /// `query` without '?', already encoded.
    http::request about(std::string_view method, std::string_view key, std::string_view query = {}) const;
    http::request about_bucket(std::string_view method, std::string_view query = {}) const;
    s3_body_guard guard() const noexcept;
    error explain(std::string_view method, std::string_view key, const error& why) const;
    /// The error of an absent key.
    error absent(std::string_view method, std::string_view key) const;

    context& shard;
    std::string bucket;
    s3_options how;
    s3_exchange exchange;
    http::retrying retrying;
};

/// Whether that is how a server says that there is no such object.
bool says_absent(const error& why) noexcept;

}  // namespace firehose::storage
