#include "http/pool.hpp"

namespace firehose::http {

/// Outlives the pool when its handler is already queued.
struct pool::sweeper {
    sweeper(executor ex, pool* p) : wake(ex), of(p) {}
    timer wake;
    pool* of;
    bool armed = false;
};

pool::pool(context& shard, const client_options& how)
    : shard_(shard), how_(how), sweeper_(std::make_shared<sweeper>(shard.ex, this)) {}

pool::~pool() {
    sweeper_->of = nullptr;
    sweeper_->wake.cancel();
}

std::unique_ptr<connection> pool::take(const authority& to) {
    const auto found = shelves_.find(to);
    if (found == shelves_.end()) return nullptr;
    auto& idle = found->second.idle;
    const auto oldest = shard_.time.now() - how_.idle;
    while (!idle.empty()) {
        parked last = std::move(idle.back());
        idle.pop_back();
        if (last.since < oldest) {
            idle.clear();  // all others are older still
            break;
        }
        if (last.conn->quiet()) return std::move(last.conn);
    }
    return nullptr;
}

void pool::give_back(const authority& to, std::unique_ptr<connection> c) {
    if (!c->reusable() && !to.tls) return;
    shelf& at = shelves_[to];
    if (auto session = c->session()) at.session = std::move(session);
    if (!c->reusable()) return;
    if (at.idle.size() >= how_.idle_connections) at.idle.pop_front();
    at.idle.push_back({std::move(c), shard_.time.now()});
    schedule();
}

tls_session pool::session_for(const authority& to) const {
    const auto found = shelves_.find(to);
    return found == shelves_.end() ? tls_session{} : found->second.session;
}

void pool::close_idle() {
    for (auto& [to, at] : shelves_) at.idle.clear();
    sweeper_->wake.cancel();
}

std::size_t pool::idle() const noexcept {
    std::size_t total = 0;
    for (const auto& [to, at] : shelves_) total += at.idle.size();
    return total;
}

void pool::sweep() {
    const auto oldest = shard_.time.now() - how_.idle;
    for (auto& [to, at] : shelves_)
        while (!at.idle.empty() && at.idle.front().since <= oldest) at.idle.pop_front();
    if (idle() > 0) schedule();
}

void pool::schedule() {
    if (sweeper_->armed) return;
    sweeper_->armed = true;
    sweeper_->wake.expires_after(how_.idle);
    sweeper_->wake.async_wait([s = sweeper_](error_code ec) {
        s->armed = false;
        if (!ec && s->of != nullptr) s->of->sweep();
    });
}

}  // namespace firehose::http
