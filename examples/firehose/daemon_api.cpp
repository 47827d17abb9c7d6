#include "examples/firehose/daemon.hpp"

#include "examples/firehose/come_again.hpp"
#include "examples/firehose/credentials_api.hpp"
#include "examples/firehose/flows_api.hpp"
#include "examples/firehose/openapi.hpp"
#include "examples/firehose/openapi_check.hpp"
#include "http/server_tls.hpp"
#include "pipeline/call_on.hpp"

#include <algorithm>
#include <fcntl.h>

namespace firehose::app {

std::string daemon::open_sockets() {
    if (how_.server.tokens.empty() && !how_.server.development)
        return "the configuration has no section \"server\" with tokens, so nobody could get in";
    auto inherited = inherited_sockets(manager_);
    if (inherited.has_error()) return inherited.error().context();
    auto& sockets = sockets_.emplace_back(std::move(*inherited));
    const bool ours = sockets.empty();
    if (ours)
        for (const auto& address : how_.server.listen) {
            auto one = http::listen_on(address, shards_ > 1);
            if (one.has_error()) return one.error().context();
            sockets.push_back(std::move(*one));
        }
    const bool everyone = how_.server.development && how_.server.tokens.empty();
    for (const auto& socket : sockets)
        if (everyone && !socket.loopback_only())
            return socket.address() + " can be reached from other machines: that needs tokens, "
                                      "\"development\" is for loopback addresses";
    for (const auto& socket : sockets)
        if (how_.server.check.guard.development && !socket.loopback_only())
            return socket.address() + " can be reached from other machines, which \"check\" with "
                                      "\"development\" would lead to this one";
    for (unsigned i = 1; i < shards_; ++i)
        if (auto problem = open_more_sockets(ours); !problem.empty()) return problem;
    return load_tls(how_.server.tls, tls_);
}

std::string daemon::open_more_sockets(bool ours) {
    std::vector<http::listening_socket> more;
    for (const auto& first : sockets_.front()) {
        auto one = ours ? http::listen_on(first.address(), true)
                        : http::adopt_socket(::fcntl(first.get(), F_DUPFD_CLOEXEC, 0));
        if (one.has_error()) return one.error().context();
        more.push_back(std::move(*one));
    }
    sockets_.push_back(std::move(more));
    return {};
}

std::string daemon::load_tls(const std::optional<http::server_tls_files>& from, certificates& into) {
    if (!from) return {};
    auto made = http::load_server_tls(*from);
    if (made.has_error()) return made.error().context();
    into = std::move(*made);
    return {};
}

void daemon::make_api(unsigned shard, context& x) {
    auto access = access_of(how_.server, x);
    api_backend backend;
    backend.ready = [this] { return ready_.load(); };
    backend.append = [this, shard](stages::log_append events) {
        return shard == 0 ? log_store_->append(std::move(events)) : append_from_afar(std::move(events));
    };
    backend.backlog = [this] { return call_on<std::string>(all_.front(), [this] { return backlog(); }); };
    backend.metrics = [this] { return call_on<std::string>(all_.front(), [this] { return metrics(); }); };
    backend.stream.read = [this, shard](stages::log_position from, std::size_t most) {
        return shard == 0 ? read_here(from, most) : read_from_afar(from, most);
    };
    backend.stream.admit = [this, &x](std::string_view user) { return rate_.take(user, x.time.now()); };
    auto settings = how_.server;
    settings.limits.connections = std::max<std::size_t>(1, settings.limits.connections / shards_);
    settings.ingest.max_bodies_in_memory /= shards_;
    apis_.push_back(
        std::make_unique<http_api>(x, settings, how_.shape, std::move(access), std::move(backend)));
    apis_.back()->server().use_tls(tls_);
    auto checks = how_.server.check;
    checks.at_once = std::max(1U, checks.at_once / shards_);
    auto admit = [this, &x](std::string_view user) { return check_rate_.take(user, x.time.now()); };
    checks_.push_back(
        std::make_unique<check_api>(x, std::move(checks), how_.http, stores_, std::move(admit)));
    checks_.back()->add_to(apis_.back()->routes());
    auto& routes = apis_.back()->routes();
    add_admin_routes(routes, "/flows",
                     [this](admin_request r) { return administer(&daemon::answer_flow, std::move(r)); });
    add_admin_routes(routes, "/credentials", [this](admin_request r) {
        return administer(&daemon::answer_credential, std::move(r));
    });
    if (shard != 0) return;
    for (const auto& socket : sockets_.front())
        x.log.info("listening",
                   {{"address", socket.address()}, {"tls", tls_ ? "yes" : "no"}, {"shards", shards_}});
}

access_table daemon::access_of(const server_settings& how, context& x) {
    return {how.tokens, how.development && how.tokens.empty(), x.random};
}

void daemon::check_description(context& x) {
    for (const auto& one : openapi_differences(openapi_json, apis_.front()->routes()))
        x.log.error("the description at /openapi.json is not that of this server", {{"where", one}});
}

task<> daemon::serve_http(unsigned shard) {
    if (shard == 0) check_description(*contexts_.front());
    co_await apis_[shard]->server().run(std::move(sockets_[shard]));
    asio::post(all_.front(), [this] {
        ++servers_ended_;
        changed_->wake_all();
    });
}

task<http::answer> daemon::administer(administration what, admin_request r) {
    auto kept = std::make_shared<admin_request>(std::move(r));
    std::function<task<http::answer>()> ask = [this, what, kept] { return (this->*what)(kept); };
    co_return co_await call_on(all_.front(), std::move(ask));
}

task<http::answer> daemon::answer_flow(std::shared_ptr<admin_request> r) {
    const call under_way(*this);
    if (!ready_ || !live_) co_return not_yet();
    flows_api api(*live_, log_);
    const bool changes = r->method != "GET";
    auto answered = co_await api.answer(std::move(*r));
    if (changes) name_rows();
    co_return answered;
}

task<http::answer> daemon::answer_credential(std::shared_ptr<admin_request> r) {
    const call under_way(*this);
    if (!ready_ || !live_) co_return not_yet();
    credentials_api api(*live_, *contexts_.front());
    auto answered = co_await api.answer(std::move(*r));
    co_return answered;
}

http::refusal daemon::not_yet() { return starting_or_stopping(); }

task<result<stages::log_receipt>> daemon::append_from_afar(stages::log_append events) {
    auto kept = std::make_shared<stages::log_append>(std::move(events));
    std::function<task<result<stages::log_receipt>>()> append = [this, kept] { return append_here(kept); };
    co_return co_await call_on(all_.front(), std::move(append));
}

error daemon::stopping() {
    error_details d;
    d.status = 503;
    d.provider_code = "temporarily_unavailable";
    d.context = "the server is stopping";
    return {disposition::retry, std::move(d)};
}

task<result<stages::log_receipt>> daemon::append_here(std::shared_ptr<stages::log_append> events) {
    const call under_way(*this);
    if (!log_store_) co_return stopping();
    co_return co_await log_store_->append(std::move(*events));
}

task<result<stages::log_slice>> daemon::read_here(stages::log_position from, std::size_t most) {
    const call under_way(*this);
    if (!window_) co_return stopping();
    co_return co_await window_->read(from, most);
}

task<result<stages::log_slice>> daemon::read_from_afar(stages::log_position from, std::size_t most) {
    std::function<task<result<stages::log_slice>>()> read = [this, from, most] {
        return read_here(from, most);
    };
    co_return co_await call_on(all_.front(), std::move(read));
}

}  // namespace firehose::app
