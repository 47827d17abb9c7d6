#include "stages/account.hpp"

#include <algorithm>

namespace firehose::stages {
namespace {

template <class Map> typename Map::mapped_type& find_or_add(Map& rows, std::string_view name) {
    const auto it = rows.find(name);
    if (it != rows.end()) return it->second;
    return rows.emplace(std::string(name), typename Map::mapped_type{}).first->second;
}

std::uint64_t& place(target_account& row, standing where) {
    switch (where) {
        case standing::delivered: return row.delivered;
        case standing::spooled: return row.spooled;
        case standing::parked: return row.parked;
        case standing::lost: return row.lost;
        case standing::in_flight: break;
    }
    return row.in_flight;
}

}  // namespace

void account::want(std::string_view service, std::uint64_t events) {
    auto& r = row(service);
    r.accepted += events;
    r.in_flight += events;
}

void account::move(std::string_view service, standing from, standing to, time_source::steady now,
                   std::uint64_t events) {
    auto& r = row(service);
    place(r, from) -= events;
    place(r, to) += events;
    if (from == standing::spooled) --r.spooled_records;
    if (to == standing::spooled) ++r.spooled_records;
    if (to == standing::delivered) r.last_delivered = now;
}

void target_account::add(const target_account& other) {
    accepted += other.accepted;
    delivered += other.delivered;
    spooled += other.spooled;
    parked += other.parked;
    lost += other.lost;
    in_flight += other.in_flight;
    spooled_records += other.spooled_records;
    last_delivered = std::max(last_delivered, other.last_delivered);
}

void account::add(const account& other) {
    accepted_ += other.accepted_;
    refused_ += other.refused_;
    for (const auto& [name, more] : other.targets_) row(name).add(more);
    for (const auto& [name, more] : other.backlog_) {
        auto& r = backlog_row(name);
        r.delivered += more.delivered;
        r.parked += more.parked;
    }
}

std::uint64_t account::lost() const noexcept {
    std::uint64_t n = 0;
    for (const auto& [name, row] : targets_) n += row.lost;
    return n;
}

bool account::closed() const noexcept {
    return std::ranges::all_of(
        targets_, [](const auto& named) { return named.second.in_flight == 0 && named.second.balances(); });
}

target_account& account::row(std::string_view service) { return find_or_add(targets_, service); }

backlog_account& account::backlog_row(std::string_view service) { return find_or_add(backlog_, service); }

}  // namespace firehose::stages
