/// S3 in memory, for tests of clients and pipelines: signatures, checksums, conditions, multipart, regions.
#pragma once
#include "tests/fakes/fake_cloud.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace firehose::fakes {

struct s3_object {
    std::string body{};
    std::string etag{};  ///< without quotes
    http::header_list
        headers{};  ///< Content-Type, Content-Encoding, x-amz-meta-…, storage class, encryption, tags
};

struct s3_bucket {
    std::string region{};
    std::map<std::string, s3_object, std::less<>> objects{};
};

/// Who may sign.
struct s3_user {
    storage::secret secret_access_key{};
    std::string session_token{};                       ///< has to be sent when it is not empty
    std::optional<time_source::wall> token_expires{};  ///< by the server's clock
    bool read_only = false;
};

/// An upload in parts that was started and neither completed nor aborted.
struct s3_upload {
    std::string bucket{}, key{};
    http::header_list headers{};
    std::map<int, s3_object> parts{};
};

/// Answers as AWS documents it. What it checks of each request, in this order:
///
///   - a user that exists, a scope of this day, of the bucket's region and of s3, a clock within 15 minutes
///   - a session token, not expired; every x-amz- header and Host signed; the signature, in headers or query
///   - x-amz-content-sha256 against the body (UNSIGNED-PAYLOAD over TLS only), Content-MD5, x-amz-checksum-…
///   - If-None-Match: * on PUT and on the completion of uploads
///   - parts: order, ETags, the smallest size; a completion for an upload that has gone is NoSuchUpload
///
/// A bucket of another region answers 301 at the wrong host of amazonaws.com, and
/// AuthorizationHeaderMalformed where only the signature is wrong; both name the region. Path and
/// virtual-host style. Listings are pages in byte order, without delimiter. There are no versions, ACLs,
/// copies or chunked uploads: what is not known is answered 501 NotImplemented.
///
///     firehose::shard_fixture shard;                       // tests/support: virtual time
///     firehose::fakes::fake_s3 s3(shard.x);
///     s3.make_bucket("events");
///     registry.add("s3", s3.kind(firehose::storage::s3_kind()));
///     … run anything with s3.credential() …
///     BOOST_TEST(s3.bucket("events").objects.size() == 3);
class fake_s3 final : public fake_cloud {
public:
    /// With one user, whose keys are credential()'s.
    explicit fake_s3(context& shard);

    s3_bucket& make_bucket(const std::string& name, std::string region = "us-east-1");
    /// Throws std::out_of_range for one that was not made.
    s3_bucket& bucket(std::string_view name);
    /// The user's keys and an endpoint that only this fake answers.
    storage::credential credential(std::string id = "507f1f77bcf86cd799439011") const;

    std::map<std::string, s3_user, std::less<>> users{};  ///< by access key id
    std::map<std::string, s3_upload> uploads{};           ///< by upload id
    std::size_t page_size = 1000;
    std::size_t min_part = 5 << 20;

private:
    void classify(fake_request& r) const override;
    http::response serve(const fake_request& r, effect how) override;
    http::response refuse(const fake_request& r, int status, std::string_view code,
                          std::string_view message) override;
    http::response expired(const fake_request& r) override;
    http::response redirect(const fake_request& r, const std::string& region) override;

    http::response perform(const fake_request& r, s3_bucket& in, effect how);
    http::response put(const fake_request& r, s3_bucket& in, effect how);
    http::response get(const fake_request& r, const s3_bucket& in);
    http::response list(const fake_request& r, const s3_bucket& in);
    http::response remove(const fake_request& r, s3_bucket& in, effect how);
    http::response start_multipart(const fake_request& r, effect how);
    http::response put_part(const fake_request& r, effect how);
    http::response list_parts(const fake_request& r);
    http::response complete(const fake_request& r, s3_bucket& in, effect how);
    http::response abort(const fake_request& r, effect how);
    http::response wrong_region(const fake_request& r, const std::string& region);
    http::response success(http::header_list headers, std::string body = {});
    s3_upload* upload_of(const fake_request& r);

    std::map<std::string, s3_bucket, std::less<>> buckets_{};
    std::uint64_t started_ = 0;
};

}  // namespace firehose::fakes
