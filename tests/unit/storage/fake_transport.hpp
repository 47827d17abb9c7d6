/// A transport that signs as the real one does and answers from a script.
#pragma once
#include "http/signer.hpp"
#include "http/transport.hpp"
#include "http/url.hpp"

#include <chrono>
#include <deque>
#include <string>
#include <vector>

namespace firehose {

struct seen_request {
    std::string host{}, method{}, target{};
    http::header_list headers{};
    std::string body{};
    std::string header(std::string_view name) const {
        const auto* found = http::find_header(headers, name);
        return found == nullptr ? "" : *found;
    }
};

struct fake_server {
    http::response usual{};  ///< when the script is used up
    std::deque<result<http::response>> answers{};
    std::vector<seen_request> seen{};
    std::chrono::milliseconds takes{0};  ///< for each answer
};

class fake_transport final : public http::transport {
public:
    fake_transport(fake_server& server, time_source& time, http::authority to, http::signer* by)
        : server_(server), time_(time), to_(std::move(to)), by_(by) {}

    task<result<http::response>> send(http::request& req, time_source::steady) override {
        if (by_ != nullptr) {
            auto signed_ = by_->sign(req, time_.wall_now());
            if (!signed_.has_value()) co_return signed_.error();
        }
        std::string body;
        for (const auto& part : req.body)
            for (const auto byte : part) body += static_cast<char>(byte);
        server_.seen.push_back(
            {http::host_header(to_), req.method, req.target, req.headers, std::move(body)});
        const auto ready = time_.now() + server_.takes;
        co_await time_.sleep_until(ready);
        if (server_.answers.empty()) co_return server_.usual;
        auto next = std::move(server_.answers.front());
        server_.answers.pop_front();
        co_return next;
    }

private:
    fake_server& server_;
    time_source& time_;
    http::authority to_;
    http::signer* by_;
};

inline std::string error_document(const std::string& code, const std::string& more = "") {
    return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code>" + more +
           "<RequestId>R1</RequestId></Error>";
}

inline http::response answer(int status, std::string body = "", http::header_list headers = {}) {
    return {status, std::move(headers), std::move(body), false};
}

}  // namespace firehose
