/// GET /v3/{resource}/stream: the event stream API, as its documented clients know it.
#pragma once
#include "examples/firehose/stream_settings.hpp"
#include "http/exchange.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace firehose::app {

/// One shard's handler; outlives the requests it answers. Whoever comes here has a token that may read
/// streams.
class stream_api {
public:
    struct backend {
        std::function<bool()> ready{};
        stages::log_read_function read{};  ///< called only once ready() holds
        /// Takes one from the rate of that token; or says how long to wait.
        std::function<std::optional<std::chrono::nanoseconds>(std::string_view user)> admit{};
    };

    stream_api(context& x, stream_settings how, std::string public_url, stages::event_shape shape,
               backend to);

    task<http::answer> get(http::request_head& head, http::body_reader& body);

private:
    struct question;

    std::optional<http::refusal> refuse(const http::request_head& head) const;
    std::variant<question, http::refusal> read_query(const http::request_head& head,
                                                     std::string_view resource) const;
    http::response answer(const http::request_head& head, const question& asked,
                          const stages::stream_page& page);

    const stream_settings how_;
    const std::string public_url_;
    backend backend_;
    stages::stream_reader reader_;
    unsigned pages_ = 0;
};

}  // namespace firehose::app
