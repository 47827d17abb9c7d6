#include "tests/fakes/fake_cloud.hpp"

#include "http/date.hpp"
#include "storage/provider_answer.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace firehose::fakes {
namespace {

std::vector<std::pair<std::string, std::string>> read_parameters(std::string_view query) {
    std::vector<std::pair<std::string, std::string>> out;
    for (std::size_t at = 0; at < query.size();) {
        const std::size_t end = std::min(query.find('&', at), query.size());
        const auto pair = query.substr(at, end - at);
        at = end + 1;
        if (pair.empty()) continue;
        const std::size_t equals = std::min(pair.find('='), pair.size());
        out.emplace_back(http::decode_percent(pair.substr(0, equals)),
                         http::decode_percent(pair.substr(std::min(equals + 1, pair.size()))));
    }
    return out;
}

error unreachable(const http::authority& to, std::string_view what, error_code why = {}) {
    error_details d;
    d.code = why;
    d.context.append(http::describe(to)).append(" ").append(what);
    return {disposition::retry, std::move(d)};
}

/// As many bytes as it takes on a connection.
std::size_t size_on_the_wire(const http::response& r) {
    std::size_t size = std::string_view("HTTP/1.1 200 OK\r\n\r\n").size() + r.body.size();
    for (const auto& [name, value] : r.headers) size += name.size() + value.size() + 4;
    return size;
}

}  // namespace

std::string fake_request::header(std::string_view name) const {
    const auto* found = http::find_header(headers, name);
    return found == nullptr ? std::string() : *found;
}

std::optional<std::string> fake_request::parameter(std::string_view name) const {
    const auto found = std::ranges::find(parameters, name, &std::pair<std::string, std::string>::first);
    if (found == parameters.end()) return std::nullopt;
    return found->second;
}

std::string_view fake_request::query() const {
    const auto all = std::string_view(target);
    return all.substr(std::min(path.size() + 1, all.size()));
}

class fake_cloud::line final : public http::transport {
public:
    line(fake_cloud& cloud, http::authority to, http::signer* by)
        : cloud_(cloud), to_(std::move(to)), by_(by) {}

    task<result<http::response>> send(http::request& req, time_source::steady deadline) override {
        return cloud_.receive(to_, by_, req, deadline);
    }

private:
    fake_cloud& cloud_;
    http::authority to_;
    http::signer* by_;
};

fake_cloud::fake_cloud(context& shard) : shard_(shard), born_(shard.time.now()) {}

http::transport_factory fake_cloud::transports() {
    return [this](const http::authority& to, http::signer* by) -> std::shared_ptr<http::transport> {
        return std::make_shared<line>(*this, to, by);
    };
}

storage::store_kind fake_cloud::kind(storage::store_kind real) {
    auto make = std::move(real.make);
    real.make = [this, make = std::move(make)](const storage::destination& to,
                                               const storage::credential* with,
                                               storage::store_environment& env) {
        auto here = env;
        here.connect = transports();
        return make(to, with, here);
    };
    return real;
}

fake_request fake_cloud::arrive(const http::authority& to, const http::request& req) const {
    fake_request r;
    r.to = to;
    r.method = req.method;
    r.target = req.target;
    r.path = http::path_of(req);
    r.headers = req.headers;
    r.host = r.header("Host");
    r.parameters = read_parameters(r.query());
    r.body.reserve(http::body_size(req));
    for (const auto& piece : req.body)
        r.body.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    classify(r);
    return r;
}

void fake_cloud::remember(const fake_request& r) {
    ++calls[r.operation];
    seen.push_back(r);
    while (seen.size() > keep_seen) seen.pop_front();
}

task<result<http::response>> fake_cloud::receive(const http::authority& to, http::signer* by,
                                                 http::request& req, time_source::steady deadline) {
    if (shard_.time.now() >= deadline)
        co_return unreachable(to, "was not asked: the time for the request had ended",
                              asio::error::timed_out);
    if (!http::find_header(req.headers, "Host")) http::set_header(req.headers, "Host", http::host_header(to));
    if (by != nullptr) {
        auto done = by->sign(req, shard_.time.wall_now());
        if (!done.has_value()) co_return done.error();
    }
    const auto r = arrive(to, req);
    co_await asio::post(shard_.ex, use_task);  // no server answers before the call returns
    remember(r);
    const auto age = std::chrono::floor<std::chrono::milliseconds>(shard_.time.now() - born_);
    const auto* hit = faults.next(r.operation, r.key, age);
    // By value: a test may change the script while this request waits.
    const auto fault = hit == nullptr ? std::optional<fault_effect>() : *hit;
    const auto wait = latency + (fault ? fault->delay : std::chrono::milliseconds(0));
    const auto ready = shard_.time.now() + wait;
    if (wait.count() > 0) co_await shard_.time.sleep_until(std::min(ready, deadline));
    if (ready > deadline) {
        if (fault && fault->carried_out) serve(r, effect::carried_out);
        co_return unreachable(to, "did not answer in time", asio::error::timed_out);
    }
    if (fault && fault->refuse)
        co_return unreachable(to, "cannot be reached", asio::error::connection_refused);
    auto reply = answer(r, fault ? &*fault : nullptr);
    if (fault && fault->cut && *fault->cut < size_on_the_wire(reply))
        co_return unreachable(to, "ended the connection after " + std::to_string(*fault->cut) +
                                      " bytes of an answer");
    co_return reply;
}

http::response fake_cloud::answer(const fake_request& r, const fault_effect* fault) {
    http::response reply;
    if (fault == nullptr) {
        reply = serve(r, effect::carried_out);
    } else {
        const bool true_answer = fault->status == 0 && !fault->expired_token && fault->region.empty();
        const auto how =
            fault->lie || (!true_answer && !fault->carried_out) ? effect::none : effect::carried_out;
        if (true_answer || how == effect::carried_out) reply = serve(r, how);
        if (fault->expired_token) reply = expired(r);
        if (!fault->region.empty()) reply = redirect(r, fault->region);
        if (fault->status != 0) {
            reply = refuse(r, fault->status, fault->code, fault->message);
            if (fault->body) reply.body = *fault->body;
        }
        for (const auto& [name, value] : fault->headers) http::set_header(reply.headers, name, value);
    }
    if (http::find_header(reply.headers, "Date") == nullptr)
        reply.headers.emplace_back("Date", http::format_date(server_time()));
    if (http::find_header(reply.headers, "Content-Length") == nullptr)
        reply.headers.emplace_back("Content-Length", std::to_string(reply.body.size()));
    if (r.method == "HEAD") reply.body.clear();
    return reply;
}

std::string fake_cloud::next_id() {
    auto digits = std::to_string(++answers_);
    return std::string(16 - std::min<std::size_t>(16, digits.size()), '0') + digits;
}

std::string xml_text(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\r': out += "&#13;"; break;
            default: out += c;
        }
    }
    return out;
}

http::header_list kept_headers(const http::header_list& headers, std::string_view prefix,
                               std::initializer_list<std::string_view> names) {
    http::header_list out;
    for (const auto& header : headers) {
        const auto name = std::string_view(header.first);
        const bool wanted =
            http::same_name(name.substr(0, prefix.size()), prefix) ||
            std::ranges::any_of(names, [name](std::string_view n) { return http::same_name(n, name); });
        if (wanted) out.push_back(header);
    }
    return out;
}

http::response plain_answer(int status, std::string body, http::header_list headers) {
    return {status, std::move(headers), std::move(body), false};
}

http::response ranged_answer(const std::string& body, const std::string& range) {
    const auto text = std::string_view(range);
    const auto dash = text.find('-');
    if (!text.starts_with("bytes=") || dash == std::string_view::npos) return plain_answer(200, body);
    const auto first = storage::whole_number(text.substr(6, dash - 6));
    const auto last = storage::whole_number(text.substr(dash + 1));
    if (!first || (!last && dash + 1 < text.size())) return plain_answer(200, body);
    const auto size = std::to_string(body.size());
    if (*first >= body.size()) return plain_answer(416, {}, {{"Content-Range", "bytes */" + size}});
    const auto end = last ? std::min<std::uint64_t>(*last + 1, body.size()) : body.size();
    if (end <= *first) return plain_answer(200, body);
    const auto named = "bytes " + std::to_string(*first) + "-" + std::to_string(end - 1) + "/" + size;
    return plain_answer(206, body.substr(*first, end - *first), {{"Content-Range", named}});
}

}  // namespace firehose::fakes
