/// An object uploaded to S3 in parts.
#pragma once
#include "storage/s3_remote.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace firehose::storage {

/// The contract is storage/store.hpp's. Part numbers are 1 to 10,000, in the order of the object; a number
/// put again replaces the part. Every part but the last has 5 MiB or more.
///
/// complete() is success when the server's answer is a whole CompleteMultipartUploadResult with an ETag, and
/// nothing less: S3 may answer 200 and then an error, or half an answer. When the ETag is empty, as radosgw's
/// first answer is, or the server does not know the upload any more, which is what a completion whose answer
/// was lost leads to, the object itself is asked for, and counts when it has the size and the ETag these
/// parts give. abort() waits for the server, half a minute at most. Single shard; outlives its running calls.
class s3_upload final : public multipart {
public:
    static constexpr int most_parts = 10'000;

    s3_upload(std::shared_ptr<s3_remote> in, std::string key, const put_options& how, std::string id);

    /// CreateMultipartUpload.
    static task<result<std::unique_ptr<multipart>>> start(std::shared_ptr<s3_remote> in,
                                                          const std::string& key, const put_options& how,
                                                          time_source::steady deadline);
    /// ListParts, for an upload that was begun before.
    static task<result<std::unique_ptr<multipart>>> resume(std::shared_ptr<s3_remote> in,
                                                           const std::string& key, const std::string& id,
                                                           const put_options& how,
                                                           time_source::steady deadline);

    task<result<>> put_part(int number, const payload& body, time_source::steady deadline) override;
    task<result<object_info>> complete(time_source::steady deadline) override;
    task<> abort() override;
    std::string token() const override { return id_; }

private:
    struct part {
        std::uint64_t size = 0;
        std::string etag{};
        std::string checksum{};
    };
    std::string query() const;
    bool is_there(int number, const payload& body, std::uint64_t size) const;
    task<result<>> learn_parts(time_source::steady deadline);
    std::optional<int> read_parts(std::string_view listing, bool& whole);
    std::string completion() const;
    std::string expected_etag() const;
    bool is_ours(const object_info& there) const;
    std::uint64_t size() const noexcept;
    task<result<object_info>> look_for_object(const error& why, time_source::steady deadline);

    std::shared_ptr<s3_remote> in_;
    std::string key_;
    put_options how_;
    std::string id_;
    std::map<int, part> stored_{};  ///< acknowledged to this object
    std::map<int, part> found_{};   ///< there before it
};

/// The text of <UploadId> of a whole InitiateMultipartUploadResult.
std::optional<std::string> read_upload_id(std::string_view body);

/// The ETag of a whole CompleteMultipartUploadResult, without its quotes; it may be empty there.
std::optional<std::string> read_completed(std::string_view body);

/// head() of a store, which a completion needs as well.
task<result<object_info>> s3_head(s3_remote& in, const std::string& key, time_source::steady deadline);

}  // namespace firehose::storage
