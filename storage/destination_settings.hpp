/// How objects are stored at a destination: checksums, encryption, classes, labels, parts, verdicts.
#pragma once
#include "pipeline/error.hpp"
#include "storage/destination.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firehose::storage {

/// Which checksum goes along with a body, beside what the protocol asks for anyway.
enum class checksum_choice : std::uint8_t {
    automatic,      ///< crc32c at the provider's own endpoints, when_required at configured ones
    crc32c,         ///< x-amz-checksum-crc32c
    crc64nvme,      ///< x-amz-checksum-crc64nvme; on Azure x-ms-content-crc64
    when_required,  ///< for look-alikes: none; the signed SHA-256 (S3) or MD5 (Azure) of the body suffices
};

enum class addressing : std::uint8_t {
    automatic,  ///< virtual host at AWS, path at configured endpoints
    virtual_host,
    path,
};

/// Server-side encryption of S3 beyond the bucket's default.
struct encryption_settings {
    std::string algorithm{};    ///< "AES256", "aws:kms" or "aws:kms:dsse"; empty: the bucket's default
    std::string kms_key_id{};   ///< id, ARN or alias; empty: the account's key for S3
    std::string kms_context{};  ///< a JSON object of strings, as it is before base64
    bool bucket_key = false;
};

/// Sizes in bytes. See storage/multipart_plan.hpp for how they become parts.
struct part_settings {
    std::uint64_t threshold = std::uint64_t{64} << 20;  ///< bodies larger than this go in parts
    std::uint64_t size = std::uint64_t{8} << 20;        ///< of a part, unless that made too many of them
    unsigned in_flight = 4;                             ///< parts of one object at a time
};

/// The defaults are right for AWS, Azure and every look-alike.
struct destination_settings {
    checksum_choice checksum = checksum_choice::automatic;
    /// S3 over TLS: the body is not hashed for the signature; a checksum header guards it instead.
    bool unsigned_payload = false;
    addressing style = addressing::automatic;
    encryption_settings encryption{};
    std::string storage_class{};  ///< of S3: "STANDARD_IA", …; empty: the bucket's default
    std::string access_tier{};    ///< of Azure: "Cool", …; empty: the account's default
    std::vector<std::pair<std::string, std::string>> metadata{};  ///< of every object; put_options add to it
    std::vector<std::pair<std::string, std::string>> tags{};      ///< likewise
    part_settings parts{};
    /// By provider code or status ("403"), the code first: what to do instead of what the tables say.
    std::map<std::string, disposition, std::less<>> verdicts{};
};

/// What `given` says about an answer, if anything.
std::optional<disposition> overridden_verdict(const destination_settings& given, int status,
                                              std::string_view code);

/// `*` stands for any text, '/' included, `?` for one byte, everything else for itself.
bool matches(std::string_view pattern, std::string_view text) noexcept;

/// Which destinations a rule is for; every pattern has to match.
struct destination_pattern {
    std::string service = "*";
    std::string bucket = "*";
    std::string prefix = "*";
    std::string credential_id = "*";

    bool matches(const destination& to) const noexcept;
};

struct settings_rule {
    destination_pattern match{};
    destination_settings then{};
};

/// The first rule that matches, else the defaults.
destination_settings find_settings(const std::vector<settings_rule>& rules, const destination& to);

}  // namespace firehose::storage
