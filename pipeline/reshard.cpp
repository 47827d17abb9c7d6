#include "pipeline/reshard.hpp"

namespace firehose::detail {

reshard_home::reshard_home(executor on, std::size_t targets) : changed(on), ex(on), targets_(targets) {}

std::optional<std::size_t> reshard_home::choose() const {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < targets_.size(); ++i)
        if (targets_[i].open && (!best || targets_[i].in_transit < targets_[*best].in_transit)) best = i;
    return best;
}

bool reshard_home::has_room(std::size_t target, std::size_t bytes, std::size_t limit) const {
    const auto used = targets_[target].in_transit;
    return used == 0 || used + bytes <= limit;
}

std::uint64_t reshard_home::book_out(ack_token ack, std::size_t target, std::size_t bytes) {
    targets_[target].in_transit += bytes;
    away_.emplace(++last_, journey{std::move(ack), target, bytes});
    return last_;
}

void reshard_home::unload(journey& j) {
    targets_[j.target].in_transit -= std::exchange(j.weight, 0);
    changed.wake_all();
}

void reshard_home::arrived(std::uint64_t id) {
    const auto at = away_.find(id);
    if (at != away_.end()) unload(at->second);
}

void reshard_home::settle(std::uint64_t id, outcome what) {
    const auto at = away_.find(id);
    if (at == away_.end()) return;  // given up meanwhile
    unload(at->second);
    auto ack = std::move(at->second.ack);
    away_.erase(at);
    ack.resolve(what);
}

void reshard_home::gone(std::size_t target) {
    targets_[target].open = false;
    changed.wake_all();
}

void reshard_home::give_up() {
    const auto lost = std::exchange(away_, {});  // the callbacks may look at us
}

ack_token verdict_by_post(std::shared_ptr<reshard_home> home, std::uint64_t id) {
    return ack_token([home = std::move(home), id](outcome what) mutable {
        const auto ex = home->ex;
        asio::post(ex, [h = std::move(home), id, what] { h->settle(id, what); });
    });
}

}  // namespace firehose::detail
