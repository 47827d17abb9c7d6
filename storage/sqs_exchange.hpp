/// One attempt against one queue's server: signs, sends, judges the answer, and heals a wrong clock at once.
#pragma once
#include "http/signer.hpp"
#include "http/transport.hpp"
#include "pipeline/stage.hpp"
#include "storage/credential_source.hpp"
#include "storage/provider_answer.hpp"
#include "storage/sigv4.hpp"
#include "storage/sqs_errors.hpp"
#include "storage/sqs_location.hpp"

#include <memory>
#include <string>

namespace firehose::storage {

/// Signs for SQS; the body is hashed on every attempt. Single shard.
class sqs_signer final : public http::signer {
public:
    sqs_signer(sigv4::identity who, std::string region) : who_(std::move(who)), region_(std::move(region)) {}

    result<> sign(http::request& req, time_source::wall now) override;

    /// From the next attempt on.
    void use_identity(sigv4::identity who);
    const sigv4::identity& identity() const noexcept { return who_; }
    /// What the server's clock is ahead of ours.
    void use_offset(time_source::wall::duration ahead) { ahead_ = ahead; }
    time_source::wall::duration offset() const noexcept { return ahead_; }

private:
    sigv4::identity who_;
    std::string region_;
    time_source::wall::duration ahead_{};
    sigv4::key_cache keys_;
};

/// Unlike the transports below it, it returns only answers that are SQS's successes; a refusal is an error
/// whose context says "SendMessage to NAME: 403 AccessDenied, request id …: …". A wrong clock is learned from
/// the answer, kept for all later requests, and the request is sent again at once, once; so it is with other
/// keys when the server calls those that were used expired or unknown and `keys` has others. Never follows
/// a Location. Single shard.
class sqs_exchange final : public http::transport {
public:
    /// `keys`: what to sign with; null: what stands in the credential.
    sqs_exchange(context& shard, const http::transport_factory& connect, const credential& with,
                 sqs_location at, std::shared_ptr<credential_source> keys = {});

    task<result<http::response>> send(http::request& req, time_source::steady deadline) override;

    const sqs_location& at() const noexcept { return at_; }
    /// For an entry of a batch that was refused; its request succeeded.
    error refused_entry(std::string_view action, std::string_view code, std::string_view message) const;

private:
    task<result<>> use_keys(time_source::steady deadline);
    bool learn_clock(const http::response& r);
    error refusal(std::string_view action, const http::response& r, const error_body& said,
                  disposition what) const;

    context& shard_;
    sqs_location at_;
    std::shared_ptr<credential_source> keys_;
    credential_ptr used_{};  ///< of keys_, what is signed with
    sqs_signer signer_;
    std::shared_ptr<http::transport> bottom_;
};

/// A request of the JSON 1.0 protocol, complete but for its signature. `body` is borrowed.
http::request sqs_request(std::string_view action, std::string_view body);

}  // namespace firehose::storage
