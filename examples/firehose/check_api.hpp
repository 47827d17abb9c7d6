/// `GET /firehose` and `POST /firehose`: tries a credential out before it is saved.
#pragma once
#include "examples/firehose/check_request.hpp"
#include "http/options.hpp"
#include "http/router.hpp"
#include "pipeline/stage.hpp"
#include "storage/registry.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

namespace firehose::app {

/// One per shard; outlives the server whose routes it is in. The GET is LeadConduit's; the POST takes the
/// same as a JSON object, so that secrets need not stand in a URL. Both are for admins.
///
/// Callers choose hosts, so every connection is made under the guard of the settings; each check has a client
/// of its own, which follows no redirects and leaves nothing behind. Failed answers leave at steps of a fixed
/// length, as how long something took tells about a network too. Nothing of a request is logged but who
/// asked, and the query is wiped as soon as it is read. A check that is cancelled may have written its file.
class check_api {
public:
    /// How long this user has to wait before one more check; nothing: no time.
    using admission = std::function<std::optional<std::chrono::nanoseconds>(std::string_view user)>;

    /// `http` is how servers are reached; of it the guard and the time limits are this API's own.
    check_api(context& x, check_settings how, http::client_options http, const storage::registry& stores,
              admission admit);

    void add_to(http::router& routes);

private:
    task<http::answer> get(http::request_head& head, http::body_reader& body);
    task<http::answer> post(http::request_head& head, http::body_reader& body);
    task<http::answer> check(check_fields& fields, check_form form, const http::request_head& head);
    task<result<storage::object_info>> carry_out(const check_request& what, time_source::steady deadline);
    void log(const check_request& what, const http::request_head& head,
             const result<storage::object_info>& came) const;

    context& x_;
    check_settings how_;
    http::client_options http_;
    const storage::registry& stores_;
    admission admit_;
    unsigned running_ = 0;
    std::uint64_t& done_;
    std::uint64_t& failed_;
};

/// Failed answers leave at multiples of this since the check began.
inline constexpr std::chrono::milliseconds check_step{250};

}  // namespace firehose::app
