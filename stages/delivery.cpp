#include "stages/delivery.hpp"

#include <algorithm>

namespace firehose::stages {
namespace {

/// Lanes kept although nobody uses them, so that a flow that pauses finds its connections warm.
constexpr std::size_t most_idle_lanes = 1024;

/// A destination counts as asked for when one of this many last batches named it.
constexpr std::uint64_t recent_batches = 64;

const storage::credential* find_credential(const storage::credential_map& credentials,
                                           const std::string& id) {
    const auto found = credentials.find(id);
    return found == credentials.end() ? nullptr : &found->second;
}

}  // namespace

std::string check_destination(const storage::registry& stores, const storage::credential_map& credentials,
                              const storage::destination& to) {
    const auto* kind = stores.find(to.type);
    if (!kind) {
        std::string known;
        for (const auto& type : stores.types()) known.append(known.empty() ? "" : ", ").append(type);
        return "nobody knows the type \"" + to.type + "\"; known are " + known;
    }
    const auto* with = find_credential(credentials, to.credential_id);
    if (kind->needs_credential && !with) {
        if (to.credential_id.empty()) return "credential_id is required";
        return "credential " + to.credential_id + " does not exist";
    }
    return kind->check ? kind->check(to, with) : std::string();
}

delivery::delivery(context& x, parts with, delivery_options how)
    : x_(x), with_(std::move(with)), how_(how), room_changed_(x.ex) {}

const storage::credential* delivery::credential_of(const storage::destination& to) const {
    return find_credential(with_.credentials, to.credential_id);
}

std::string delivery::check(const storage::destination& to) const {
    return check_destination(with_.stores, with_.credentials, to);
}

std::shared_ptr<lane> delivery::lane_of(const storage::destination& to) {
    const auto known = lanes_.find(to);
    if (known != lanes_.end()) return known->second;
    if (lanes_.size() >= most_idle_lanes) forget_idle_lanes();

    const auto in_parts = with_.environment.settings_of(to).parts;
    auto fresh = std::make_shared<lane>(to, how_, in_parts, x_);
    make_store(*fresh);
    lanes_.emplace(to, fresh);
    return fresh;
}

void delivery::make_store(lane& of) {
    of.store.reset();
    of.unusable.reset();
    if (auto problem = check(of.to); !problem.empty()) {
        of.unusable = error(disposition::stop, storage::describe(of.to) + ": " + problem);
        return;
    }
    auto made = with_.stores.find(of.to.type)->make(of.to, credential_of(of.to), with_.environment);
    if (made)
        of.store = std::move(*made);
    else
        of.unusable = made.error();
}

void delivery::credential_changed(std::string_view id) {
    for (const auto& [to, l] : lanes_) {
        if (to.credential_id != id) continue;
        make_store(*l);
        l->gate.probe_now();
        l->gate_changed.wake_all();
    }
}

void delivery::forget_idle_lanes() {
    std::erase_if(lanes_, [](const auto& named) {
        return named.second.use_count() == 1 && named.second->gate.current() == breaker::state::closed;
    });
}

bool delivery::refuses(const storage::destination& to) const {
    const auto known = lanes_.find(to);
    if (known == lanes_.end()) return false;
    const auto& gate = known->second->gate;
    return gate.current() == breaker::state::open && x_.time.now() < gate.probe_at();
}

bool delivery::rests(const storage::destination& to) const {
    const auto known = lanes_.find(to);
    if (known == lanes_.end()) return false;
    return known->second->unusable || known->second->gate.current() == breaker::state::half_open ||
           refuses(to);
}

void delivery::probe_all() {
    for (const auto& [to, l] : lanes_) l->gate.probe_now();
}

bool delivery::has_room(const lane& l, std::size_t bytes) const {
    return l.queued_bytes == 0 || l.queued_bytes + bytes <= how_.queue_bytes;
}

bool delivery::others_run_dry(const lane& full) const {
    return std::ranges::any_of(lanes_, [&](const auto& named) {
        const auto& other = *named.second;
        const bool asked_for = other.last_wanted + recent_batches >= batches_;
        // One that fails is idle whatever is sent: it must not push a healthy one's events to the disk.
        const bool takes = other.gate.is_healthy() && !other.unusable;
        const bool nearly_idle = other.queued_bytes <= how_.queue_bytes / 4;
        return &other != &full && asked_for && takes && nearly_idle;
    });
}

}  // namespace firehose::stages
