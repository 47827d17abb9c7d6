/// Objects in a bucket of S3 or of a server that speaks its protocol.
#pragma once
#include "storage/registry.hpp"
#include "storage/s3_remote.hpp"
#include "storage/store.hpp"

#include <memory>

namespace firehose::storage {

/// The contract is storage/store.hpp's. Every PUT carries its length and either the SHA-256 of the body,
/// which is signed, or over TLS a checksum instead, so that no part of an object can be stored in its place.
/// Bodies above the settings' threshold go in parts. Errors name bucket, key, status, provider code and
/// request id. Single shard; may be cancelled at any time.
class s3_store final : public store {
public:
    s3_store(context& shard, http::transport_factory connect, credential with, std::string bucket,
             s3_location at, s3_options how = {});

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
    /// In pieces of at most 8 MiB, all of one version.
    task<result<object_body>> get(const std::string& key, byte_range which,
                                  time_source::steady deadline) override;
    /// HeadBucket.
    task<result<>> check(time_source::steady deadline) override;

private:
    task<result<object_info>> put_in_parts(const std::string& key, const payload& body,
                                           const put_options& how, time_source::steady deadline);
    task<result<http::response>> get_range(std::string key, std::uint64_t first, std::uint64_t last,
                                           std::string etag, time_source::steady deadline);

    std::shared_ptr<s3_remote> in_;
    capabilities can_;
};

/// Type "s3": credential of type "user" with username (access key id) and password (secret), or with a
/// provider of keys.
store_kind s3_kind(s3_options how = {});

}  // namespace firehose::storage
