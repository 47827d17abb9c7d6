/// One attempt against one bucket: signs, sends, judges the answer, and heals what can be healed at once.
#pragma once
#include "http/signer.hpp"
#include "http/transport.hpp"
#include "pipeline/stage.hpp"
#include "storage/s3_errors.hpp"
#include "storage/s3_location.hpp"
#include "storage/sigv4.hpp"

#include <functional>
#include <memory>

namespace firehose::storage {

/// Signs for S3. The request carries x-amz-content-sha256 already, so that a body is hashed once
/// however often it is sent. Single shard.
class s3_signer final : public http::signer {
public:
    s3_signer(sigv4::identity who, std::string region) : who_(std::move(who)), region_(std::move(region)) {}

    result<> sign(http::request& req, time_source::wall now) override;

    /// From the next attempt on.
    void use_identity(sigv4::identity who);
    const sigv4::identity& identity() const noexcept { return who_; }
    void use_region(std::string region) { region_ = std::move(region); }
    /// What the server's clock is ahead of ours.
    void use_offset(time_source::wall::duration ahead) { ahead_ = ahead; }
    time_source::wall::duration offset() const noexcept { return ahead_; }
    const std::string& region() const noexcept { return region_; }

private:
    sigv4::identity who_;
    std::string region_;
    time_source::wall::duration ahead_{};
    sigv4::key_cache keys_;
};

/// Where keys that change come from. Asked before every attempt for those to use, and, with `refused`, after
/// the server called them expired or unknown: for others. An error ends the call.
using s3_key_source =
    std::function<task<result<sigv4::identity>>(bool refused, time_source::steady deadline)>;

/// Unlike the transports below it, it returns only answers that are S3 successes; a refusal is an error
/// whose context says "403 AccessDenied, request id …: …". A wrong clock and a wrong region are learned
/// from the answer, kept for all later requests, and the request is sent again at once, each of them at
/// most as often as it can help; so do keys that have expired when there is a source of others. Never follows
/// a Location: another region means another host of the same provider, which it builds itself. The settings'
/// verdicts go before the table's. Single shard.
class s3_exchange final : public http::transport {
public:
    s3_exchange(context& shard, http::transport_factory connect, credential with, std::string bucket,
                s3_location at, destination_settings given = {}, s3_key_source keys = {});

    task<result<http::response>> send(http::request& req, time_source::steady deadline) override;

    const s3_location& at() const noexcept { return at_; }

private:
    struct tried {
        bool clock = false;
        int regions = 0;
        bool keys = false;
    };
    task<result<>> use_keys(bool refused, time_source::steady deadline);
    error refusal(const http::request& req, const http::response& r, const error_body& said,
                  s3_verdict verdict) const;
    bool heal(s3_remedy how, const http::response& r, const error_body& said, tried& so_far);
    bool learn_clock(const http::response& r);
    bool move_to(std::string region);

    context& shard_;
    http::transport_factory connect_;
    credential with_;
    std::string bucket_;
    s3_location at_;
    destination_settings given_;
    s3_key_source keys_;
    s3_signer signer_;
    std::shared_ptr<http::transport> bottom_;  ///< shared with the calls that run on it
};

/// A 2xx that no S3 server would send: 203, a proxy's page, an <Error> document, a PUT without ETag and
/// request id, a POST whose answer is not the whole document it should be. Empty when there is nothing wrong.
std::string s3_lie(const http::request& req, const http::response& r);

}  // namespace firehose::storage
