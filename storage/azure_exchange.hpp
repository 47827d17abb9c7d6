/// One attempt against one container: signs, sends, judges the answer, and heals what can be healed at once.
#pragma once
#include "http/digest.hpp"
#include "http/signer.hpp"
#include "http/transport.hpp"
#include "pipeline/stage.hpp"
#include "storage/azure_errors.hpp"
#include "storage/connection_string.hpp"

#include <memory>
#include <optional>
#include <string>

namespace firehose::storage {

/// Dates every request and, given a key, signs it. A SAS is part of the target instead, where whoever
/// makes the request puts it. Single shard.
class azure_signer final : public http::signer {
public:
    /// An empty key: no signature. `key` is base64 and was checked by parse_connection_string().
    azure_signer(std::string account, const secret& key);

    result<> sign(http::request& req, time_source::wall now) override;

    /// What the server's clock is ahead of ours.
    void use_offset(time_source::wall::duration ahead) { ahead_ = ahead; }
    time_source::wall::duration offset() const noexcept { return ahead_; }
    bool has_key() const noexcept { return key_.has_value(); }

private:
    std::string account_;
    std::optional<http::hmac_key> key_;
    time_source::wall::duration ahead_{};
};

/// Unlike the transports below it, it returns only answers that are Azure's successes; a refusal is an
/// error whose context says "403 AuthenticationFailed, request id …: …". A wrong clock is learned from the
/// answer, kept for all later requests, and the request is sent again at once, once. Never follows a
/// Location. Single shard.
class azure_exchange final : public http::transport {
public:
    azure_exchange(context& shard, const http::transport_factory& connect, const azure_connection& at,
                   std::string container);

    task<result<http::response>> send(http::request& req, time_source::steady deadline) override;

private:
    bool learn_clock(const http::response& r);
    error refusal(const http::request& req, const http::response& r, error_body said, disposition what) const;

    context& shard_;
    http::authority to_;
    std::string account_;
    std::string container_;
    azure_signer signer_;
    std::shared_ptr<http::transport> bottom_;
};

/// A 2xx that Azure would not send: a proxy's page, a PUT that is not 201 or carries no proof. Empty when
/// there is nothing wrong.
std::string azure_lie(const http::request& req, const http::response& r);

}  // namespace firehose::storage
