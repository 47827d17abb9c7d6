/// Asks an event stream for the page at a position: one request, its token, and what the answer means.
#pragma once
#include "http/transport.hpp"
#include "http/url.hpp"
#include "pipeline/stage.hpp"
#include "stages/pulled_page.hpp"
#include "storage/credential_source.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace firehose::stages {

struct stream_place {
    http::authority to{};
    std::string path{};  ///< of `GET`, encoded: "/v3/leads/stream"
};

/// "https://api.getbase.com/v3/leads/stream", for people.
std::string describe(const stream_place& at);

/// One request at a time. Single shard. Errors name the stream, the status and what the server's error
/// envelope says, never the query or a token. Dispositions: `slow_down` for 429, `retry` for what may pass,
/// unusable pages included, `stop` for what needs a person: 401 after the token was renewed, 403, other 4xx,
/// redirects, which are not followed. 410 is an error with that status(). retry_after() is the server's.
class pull_client {
public:
    /// `through` is connected to `at.to`.
    pull_client(context& x, std::shared_ptr<http::transport> through,
                std::shared_ptr<storage::credential_source> with, stream_place at,
                std::chrono::milliseconds timeout);

    /// At most `limit` events, 1 to 100. When the token is about to end it is renewed first; when the server
    /// refuses it with 401 it is renewed and the request sent once more. May be cancelled; nothing is lost.
    task<result<pulled_page>> get(std::string position, unsigned limit);

private:
    task<result<http::response>> send(const std::string& position, unsigned limit,
                                      const storage::secret& token, time_source::steady deadline);
    error refused(const http::response& r) const;
    error named(const error& why) const;

    context& x_;
    std::shared_ptr<http::transport> through_;
    std::shared_ptr<storage::credential_source> with_;
    stream_place at_;
    std::chrono::milliseconds timeout_;
    page_reader reader_;
};

}  // namespace firehose::stages
