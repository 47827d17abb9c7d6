/// A blob uploaded in blocks: Put Block for each part, Put Block List at the end.
#pragma once
#include "storage/azure_store.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace firehose::storage {

/// The contract is storage/store.hpp's. Part numbers are 1 to 50,000, in the order of the blob; a number put
/// again replaces the part. Blocks carry names of this upload alone, so that two uploads of one key do not
/// mix: the one that completes later wins, and one whose blocks were discarded by that fails with retry.
/// abort() sends nothing: Azure forgets blocks that nobody committed after a week. Single shard; outlives its
/// running calls.
class azure_blocks final : public multipart {
public:
    static constexpr int most_blocks = 50'000;

    azure_blocks(std::shared_ptr<azure_container> in, std::string key, const put_options& how);

    task<result<>> put_part(int number, const payload& body, time_source::steady deadline) override;
    task<result<object_info>> complete(time_source::steady deadline) override;
    task<> abort() override;
    /// The nonce in the blocks' names.
    std::string token() const override { return nonce_; }

    /// Goes on with an upload of that token: looks which of its blocks Azure holds.
    task<result<>> resume(std::string token, time_source::steady deadline);

private:
    std::string block_id(int number) const;
    void take_listed(std::string_view listing);

    std::shared_ptr<azure_container> in_;
    std::string key_;
    put_options how_;
    std::string nonce_;                      ///< 16 hexadecimal digits
    std::map<int, std::uint64_t> stored_{};  ///< sizes of the parts that were acknowledged, or found
    std::map<int, std::uint64_t> found_{};   ///< by resume(); need not be sent again
};

}  // namespace firehose::storage
