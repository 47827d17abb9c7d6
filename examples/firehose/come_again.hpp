/// A refusal that says when to try again.
#pragma once
#include "http/exchange.hpp"

#include <chrono>
#include <string>
#include <utility>

namespace firehose::app {

/// Retry-After counts whole seconds: `wait`, rounded up.
inline http::refusal come_again(int status, std::string code, std::string text,
                                std::chrono::nanoseconds wait) {
    http::refusal later(status, std::move(code), std::move(text));
    later.headers.emplace_back("Retry-After",
                               std::to_string(std::chrono::ceil<std::chrono::seconds>(wait).count()));
    return later;
}

inline http::refusal starting_or_stopping() {
    return come_again(503, "temporarily_unavailable", "the server is starting or stopping",
                      std::chrono::seconds(1));
}

}  // namespace firehose::app
