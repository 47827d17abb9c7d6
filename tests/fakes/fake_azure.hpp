/// Azure Blob Storage in memory, for tests of clients and pipelines: SharedKey, SAS, blocks, conditions.
#pragma once
#include "tests/fakes/fake_cloud.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firehose::fakes {

struct azure_blob {
    std::string body{};
    std::string etag{};           ///< without quotes
    http::header_list headers{};  ///< Content-Type, Content-Encoding, x-ms-meta-…, tier, tags
    std::vector<std::pair<std::string, std::string>> blocks{};  ///< committed: id and bytes, in order
};

struct azure_blobs {
    std::map<std::string, azure_blob, std::less<>> objects{};
    /// By key, then by id: blocks that nobody has committed.
    std::map<std::string, std::map<std::string, std::string>, std::less<>> uncommitted{};
};

/// Of a shared access signature. Times are "2026-01-01T00:00:00Z".
struct azure_sas {
    std::string permissions = "rwdlc";
    std::string start{};
    std::string end = "2099-01-01T00:00:00Z";
    std::string protocol{};              ///< "https" or ""
    std::string version = "2021-12-02";  ///< which decides what is signed
    std::string resource_types = "co";   ///< of an account SAS
    std::string container{};             ///< makes it a service SAS, for this container …
    std::string blob{};                  ///< … or for one blob in it
};

/// Answers as Azure documents it. What it checks of each request, in this order:
///
///   - SharedKey: account, signature, x-ms-date within 15 minutes; or a SAS of account or service: signature,
///     times, protocol, permission, resource type; or a bearer token of bearer_tokens
///   - x-ms-version; Content-MD5 and x-ms-content-crc64 against the body
///   - If-None-Match: * on Put Blob and Put Block List
///   - blocks: ids of one length, named in a list and there; a commit discards the others
///
/// Endpoints of the account's host and path-style ones with the account in front. Listings are pages in
/// byte order, without delimiter. No snapshots, leases, copies, page and append blobs: what is not known is
/// answered 501 NotImplemented, which Azure has no such word for.
///
///     firehose::fakes::fake_azure azure(shard.x);
///     azure.make_container("events");
///     registry.add("azure", azure.kind(firehose::storage::azure_kind()));
///     … run anything with azure.credential() …
class fake_azure final : public fake_cloud {
public:
    /// With one account and its key.
    explicit fake_azure(context& shard);

    azure_blobs& make_container(const std::string& name) { return containers_[name]; }
    /// Throws std::out_of_range for one that was not made.
    azure_blobs& container(std::string_view name);
    /// A connection string with the account's key, for an endpoint that only this fake answers.
    storage::credential credential(std::string id = "507f1f77bcf86cd799439012") const;
    /// One with a SAS instead.
    storage::credential credential_by_sas(const azure_sas& how,
                                          std::string id = "507f1f77bcf86cd799439012") const;

    std::string account = "fakeaccount";
    std::string key_base64 = "ZmFrZSBrZXkgb2Ygbm8gYWNjb3VudCBpbiB0aGUgd29ybGQ=";
    std::set<std::string, std::less<>> bearer_tokens{};
    std::size_t page_size = 5000;

private:
    void classify(fake_request& r) const override;
    http::response serve(const fake_request& r, effect how) override;
    http::response refuse(const fake_request& r, int status, std::string_view code,
                          std::string_view message) override;
    http::response expired(const fake_request& r) override;
    http::response redirect(const fake_request& r, const std::string& region) override;

    http::response perform(const fake_request& r, azure_blobs& in, effect how);
    http::response put(const fake_request& r, azure_blobs& in, effect how);
    http::response get(const fake_request& r, const azure_blobs& in);
    http::response list(const fake_request& r, const azure_blobs& in);
    http::response remove(const fake_request& r, azure_blobs& in, effect how);
    http::response put_block(const fake_request& r, azure_blobs& in, effect how);
    http::response put_block_list(const fake_request& r, azure_blobs& in, effect how);
    http::response get_block_list(const fake_request& r, const azure_blobs& in);
    http::response success(int status, http::header_list headers = {}, std::string body = {});
    std::string next_etag();

    std::map<std::string, azure_blobs, std::less<>> containers_{};
};

/// The SAS as a query, encoded, signed with the account's key.
std::string signed_sas(const azure_sas& how, std::string_view account, std::string_view key_base64);

}  // namespace firehose::fakes
