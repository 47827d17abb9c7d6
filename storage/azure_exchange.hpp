/// One attempt against one container: signs, sends, judges the answer, and heals what can be healed at once.
#pragma once
#include "http/digest.hpp"
#include "http/signer.hpp"
#include "http/transport.hpp"
#include "pipeline/stage.hpp"
#include "storage/azure_errors.hpp"
#include "storage/connection_string.hpp"
#include "storage/credential_source.hpp"
#include "storage/destination_settings.hpp"

#include <memory>
#include <optional>
#include <string>

namespace firehose::storage {

/// Dates every request and proves with what the source has at the moment: signs with a key, shows a token. A
/// SAS is part of the target instead, where azure_exchange puts it. Single shard.
class azure_signer final : public http::signer {
public:
    azure_signer(std::string account, std::shared_ptr<credential_source> from);
    /// A key that nobody renews, base64 as parse_connection_string() gives it; empty: no signature.
    azure_signer(std::string account, const secret& key);

    result<> sign(http::request& req, time_source::wall now) override;

    /// What the server's clock is ahead of ours.
    void use_offset(time_source::wall::duration ahead) { ahead_ = ahead; }
    time_source::wall::duration offset() const noexcept { return ahead_; }

private:
    result<> take_key();

    std::string account_;
    std::shared_ptr<credential_source> source_;
    credential_ptr taken_{};  ///< what key_ is made of
    std::optional<http::hmac_key> key_{};
    time_source::wall::duration ahead_{};
};

/// Unlike the transports below it, it returns only answers that are Azure's successes; a refusal is an
/// error whose context says "403 AuthenticationFailed, request id …: …". A wrong clock is learned from the
/// answer, kept for all later requests, and the request is sent again at once, once; a key, SAS or token is
/// renewed before it expires, and once more when the server does not take it. The SAS is added to each
/// request's target here and nowhere else. Never follows a Location. Single shard.
class azure_exchange final : public http::transport {
public:
    azure_exchange(context& shard, const http::transport_factory& connect, const azure_connection& at,
                   std::string container, std::shared_ptr<credential_source> from,
                   const destination_settings& given = {});

    task<result<http::response>> send(http::request& req, time_source::steady deadline) override;

private:
    bool learn_clock(const http::response& r, const credential_value& used);
    error refusal(const http::request& req, const http::response& r, error_body said, disposition what,
                  const credential_value& used) const;

    context& shard_;
    http::authority to_;
    std::string account_;
    std::string container_;
    std::shared_ptr<credential_source> source_;
    destination_settings given_;  ///< whose verdicts win
    azure_signer signer_;
    std::shared_ptr<http::transport> bottom_;
};

/// A 2xx that Azure would not send: a proxy's page, a PUT that is not 201 or carries no proof. Empty when
/// there is nothing wrong.
std::string azure_lie(const http::request& req, const http::response& r);

}  // namespace firehose::storage
