#include "storage/aws_container.hpp"

#include "storage/aws_keys.hpp"
#include "storage/flat_json.hpp"
#include "storage/near_address.hpp"
#include "storage/provider_answer.hpp"

#include <algorithm>
#include <array>

namespace firehose::storage {

namespace {

constexpr std::array<std::string_view, 3> agents = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23"};

error refused(const http::response& r) {
    const auto said = flat_json::parse(r.body).value_or(flat_json());
    return call_refused(r, judge_status(r.status), said.text("code"), said.text("message"));
}

bool is_target(std::string_view text) {
    return text.starts_with('/') && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

result<container_place> find_container(const std::string& relative_uri, const std::string& full_uri) {
    const auto wrong = [](const std::string& why) { return error(disposition::stop, why); };
    container_place out;
    if (!relative_uri.empty()) {
        if (!is_target(relative_uri)) return wrong("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path");
        out.to.tls = false;
        out.to.host = agents.front();
        out.to.port = 80;
        out.target = relative_uri;
        return out;
    }
    if (full_uri.empty())
        return no_credentials_there("neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor "
                                    "AWS_CONTAINER_CREDENTIALS_FULL_URI is set");
    const auto mark = std::min(full_uri.find('?'), full_uri.size());
    auto url = http::parse_endpoint(full_uri.substr(0, mark));
    if (!url.has_value())
        return wrong("AWS_CONTAINER_CREDENTIALS_FULL_URI is wrong: " + url.error().context());
    out.to = std::move(url->to);
    const bool near = is_loopback(out.to.host) || std::ranges::find(agents, out.to.host) != agents.end();
    if (!out.to.tls && !near)
        return wrong(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI leads to " + http::describe(out.to) +
            ": without https only this machine, 169.254.170.2, 169.254.170.23 and fd00:ec2::23 may be "
            "asked for credentials");
    out.target = (url->path.empty() ? "/" : url->path) + full_uri.substr(mark);
    if (!is_target(out.target)) return wrong("AWS_CONTAINER_CREDENTIALS_FULL_URI is no URI");
    return out;
}

task<result<std::string>> aws_container::token() {
    auto file = parts_.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    auto value = parts_.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if (!file.empty()) {
        auto read = co_await read_secret_file(parts_, std::move(file));
        if (!read.has_value()) co_return read;
        value = std::move(*read);
    }
    if (value.find_first_of("\r\n") != std::string::npos)
        co_return error(disposition::stop, "the container's authorization token has more than one line");
    co_return value;
}

task<result<credential_value>> aws_container::fetch(time_source::steady deadline) {
    auto place = find_container(parts_.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
                                parts_.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
    if (!place.has_value()) co_return place.error();
    auto proof = co_await token();
    if (!proof.has_value()) co_return proof.error();
    unsigned_call call;
    call.to = std::move(place->to);
    call.target = std::move(place->target);
    call.headers.emplace_back("Accept", "application/json");
    if (!proof->empty()) call.headers.emplace_back("Authorization", std::move(*proof));
    call.refusal = refused;
    auto answer = co_await ask(parts_, std::move(call), deadline);
    if (!answer.has_value()) co_return answer.error();
    co_return parse_aws_keys(answer->reveal());
}

}  // namespace firehose::storage
