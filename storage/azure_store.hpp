/// Block blobs in a container of Azure Blob Storage or of its emulator.
#pragma once
#include "http/limiter.hpp"
#include "http/retry.hpp"
#include "storage/azure_exchange.hpp"
#include "storage/destination_settings.hpp"
#include "storage/registry.hpp"
#include "storage/store.hpp"

namespace firehose::storage {

struct azure_options {
    http::backoff retries{};          ///< of one call; longer outages are the spool's business
    http::limiter_options at_once{};  ///< of all calls together, learned from what Azure takes
    destination_settings settings{};
};

/// What azure_store sends its requests through. Shared with uploads in parts, which may outlive the store.
struct azure_container {
    azure_container(context& of, const http::transport_factory& connect, const azure_connection& at,
                    std::string called, std::shared_ptr<credential_source> from, azure_options how);

    /// `query` without '?'.
    http::request about(std::string_view method, std::string_view key, std::string_view query) const;
    error explain(std::string_view method, std::string_view key, const error& why) const;
    /// The same, but of a blob that is not there what store::head() has to say.
    error explain_absence(std::string_view method, const std::string& key, const error& why) const;

    context& shard;
    std::string name;
    std::string base;  ///< path of the container, without a trailing slash
    destination_settings settings;
    std::shared_ptr<credential_source> access;
    azure_exchange exchange;
    http::limiting limited;
    http::retrying retrying;
};

/// The contract is storage/store.hpp's. Every body carries its length and its MD5 or CRC-64, so that no part
/// of a blob can be stored in its place. A blob that is already there answers a conditional put with 409,
/// which is success. Bodies above the settings' threshold go in blocks; what an unfinished upload leaves is
/// invisible and goes by itself after a week. check() asks for the container's properties, and with a SAS
/// that is not allowed to for a blob that need not exist. Keys have 1 to 1024 characters and no part that is
/// "." or ".."; others are parked. Errors name container, key, status, provider code and request id and never
/// hold a query. Single shard; may be cancelled at any time.
class azure_store final : public store {
public:
    /// `at` says where; key, SAS or token come from `from`.
    azure_store(context& shard, const http::transport_factory& connect, const azure_connection& at,
                std::string container, std::shared_ptr<credential_source> from, azure_options how = {});

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
    task<result<http::response>> get_range(std::string key, std::uint64_t first, std::uint64_t last,
                                           std::string etag, time_source::steady deadline);
    task<result<object_info>> put_whole(const std::string& key, const payload& body, const put_options& how,
                                        time_source::steady deadline);

    std::shared_ptr<azure_container> in_;
    capabilities can_;
};

/// What is wrong with a container's name; empty when nothing is. 3 to 63 lower-case letters, digits and
/// single inner hyphens.
std::string container_problem(std::string_view name);

/// Type "azure": credential of type "token" whose token is a connection string with a key or a SAS, or with a
/// provider of access tokens.
store_kind azure_kind(azure_options how = {});

}  // namespace firehose::storage
