#include "http/address_guard.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace firehose::http {

namespace {

namespace ip = boost::asio::ip;

struct block {
    std::string_view network;
    std::string_view what;
};

/// https://www.iana.org/assignments/iana-ipv4-special-registry, and what is no host's: multicast.
constexpr std::array ipv4_blocks = {
    block{"0.0.0.0/8", "this network"},
    block{"10.0.0.0/8", "private"},
    block{"100.64.0.0/10", "shared by a provider's customers"},
    block{"127.0.0.0/8", "loopback"},
    block{"168.63.129.16/32", "the host of a machine at Azure"},  // public, but only that machine gets there
    block{"169.254.0.0/16", "link-local"},
    block{"172.16.0.0/12", "private"},
    block{"192.0.0.0/24", "protocol assignments"},
    block{"192.0.2.0/24", "documentation"},
    block{"192.31.196.0/24", "AS112"},
    block{"192.52.193.0/24", "AMT"},
    block{"192.88.99.0/24", "6to4 relays"},
    block{"192.168.0.0/16", "private"},
    block{"192.175.48.0/24", "AS112"},
    block{"198.18.0.0/15", "benchmarks"},
    block{"198.51.100.0/24", "documentation"},
    block{"203.0.113.0/24", "documentation"},
    block{"224.0.0.0/4", "multicast"},
    block{"240.0.0.0/4", "reserved"},
};

/// https://www.iana.org/assignments/iana-ipv6-special-registry; the last row is not there, but everything
/// global is inside 2000::/3 (iana-ipv6-address-space).
constexpr std::array ipv6_blocks = {
    block{"::/128", "unspecified"},
    block{"::1/128", "loopback"},
    block{"::/96", "IPv4-compatible"},
    block{"64:ff9b:1::/48", "local translation to IPv4"},
    block{"100::/64", "discard-only"},
    block{"100:0:0:1::/64", "dummy"},
    block{"2001::/32", "Teredo"},
    block{"2001::/23", "protocol assignments"},
    block{"2001:db8::/32", "documentation"},
    block{"2002::/16", "6to4"},
    block{"2620:4f:8000::/48", "AS112"},
    block{"3fff::/20", "documentation"},
    block{"5f00::/16", "segment routing"},
    block{"fc00::/7", "unique local"},
    block{"fe80::/10", "link-local"},
    block{"fec0::/10", "site-local"},
    block{"ff00::/8", "multicast"},
};

const network& global_unicast() {
    static const network all = *parse_network("2000::/3");
    return all;
}

bool same_start(const unsigned char* a, const unsigned char* b, unsigned bits) {
    const unsigned whole = bits / 8;
    if (!std::equal(a, a + whole, b)) return false;
    if (bits % 8 == 0) return true;
    const unsigned shift = 8 - bits % 8;
    return (a[whole] >> shift) == (b[whole] >> shift);
}

/// The IPv4 address that an IPv6 one stands for, where packets go to that one.
ip::address meant_by(const ip::address& a) {
    if (!a.is_v6()) return a;
    const auto bytes = a.to_v6().to_bytes();
    static const network nat64 = *parse_network("64:ff9b::/96");
    if (!a.to_v6().is_v4_mapped() && !nat64.holds(a)) return a;
    return ip::address_v4({bytes[12], bytes[13], bytes[14], bytes[15]});
}

template <std::size_t N> std::string found_in(const std::array<block, N>& blocks, const ip::address& a) {
    for (const auto& each : blocks)
        if (parse_network(each.network)->holds(a))
            return std::string(each.what).append(" (").append(each.network).append(")");
    return {};
}

bool is_loopback_address(const ip::address& a) { return meant_by(a).is_loopback(); }

bool digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_name_text(std::string_view host) {
    return std::ranges::all_of(
        host, [](char c) { return (c >= 'a' && c <= 'z') || digit(c) || c == '-' || c == '.' || c == '_'; });
}

/// What resolvers may take for a number: 127.1, 0x7f.1, 017700000001, 2130706433.
bool ends_in_number(std::string_view host) {
    const auto dot = host.rfind('.');
    const auto last = dot == std::string_view::npos ? host : host.substr(dot + 1);
    return last.starts_with("0x") || (!last.empty() && std::ranges::all_of(last, digit));
}

bool is_local_name(std::string_view host) { return host == "localhost" || host.ends_with(".localhost"); }

error refused(const authority& to, std::string_view why) {
    error_details d;
    d.code = boost::asio::error::access_denied;
    d.context = describe(to).append(" must not be connected to: ").append(why);
    return {disposition::stop, std::move(d)};
}

std::string says(const ip::address& a, const std::string& why) {
    return "it is at " + a.to_string() + ", which is " + why +
           "; use a public server, or allow the network in the configuration's guard";
}

}  // namespace

bool network::holds(const ip::address& a) const {
    if (a.is_v4() != base.is_v4()) return false;
    if (a.is_v4()) {
        const auto mine = base.to_v4().to_bytes();
        const auto its = a.to_v4().to_bytes();
        return same_start(mine.data(), its.data(), length);
    }
    const auto mine = base.to_v6().to_bytes();
    const auto its = a.to_v6().to_bytes();
    return same_start(mine.data(), its.data(), length);
}

std::optional<network> parse_network(std::string_view text) {
    const auto slash = std::min(text.find('/'), text.size());
    error_code wrong;
    network out;
    out.base = ip::make_address(std::string(text.substr(0, slash)), wrong);
    if (wrong || (out.base.is_v6() && out.base.to_v6().scope_id() != 0)) return std::nullopt;
    const unsigned most = out.base.is_v4() ? 32 : 128;
    out.length = most;
    if (slash == text.size()) return out;
    const auto digits = text.substr(slash + 1);
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), out.length);
    if (problem != std::errc{} || end != digits.data() + digits.size() || out.length > most)
        return std::nullopt;
    // "10.1.2.3/8" is more likely a mistake than a way to write 10.0.0.0/8.
    auto beyond = out;
    beyond.length = most;
    if (out.base.is_v4()) {
        const auto ones = out.length == 0 ? 0U : ~0U << (32 - out.length);
        beyond.base = ip::address_v4(out.base.to_v4().to_uint() & ones);
    } else {
        auto bytes = out.base.to_v6().to_bytes();
        for (unsigned bit = out.length; bit < most; ++bit)
            bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] & ~(0x80U >> bit % 8));
        beyond.base = ip::address_v6(bytes);
    }
    if (beyond.base != out.base) return std::nullopt;
    return out;
}

std::string special_purpose(const ip::address& a) {
    const auto meant = meant_by(a);
    if (meant.is_v4()) return found_in(ipv4_blocks, meant);
    auto found = found_in(ipv6_blocks, meant);
    if (found.empty() && !global_unicast().holds(meant)) return "outside of what is global (2000::/3)";
    return found;
}

std::string address_guard::problem(const ip::address& a) const {
    if (development && is_loopback_address(a)) return {};
    const auto allowed = [&](const network& each) { return each.holds(a) || each.holds(meant_by(a)); };
    if (std::ranges::any_of(networks, allowed)) return {};
    if (a.is_v6() && a.to_v6().scope_id() != 0) return "of one link only";
    return special_purpose(a);
}

result<> address_guard::check(const authority& to) const {
    if (!to.tls && !development) return refused(to, "it must be https");
    const bool any_port = development || ports.empty();
    if (!any_port && std::ranges::find(ports, to.port) == ports.end())
        return refused(to, "port " + std::to_string(to.port) + " is not one of those allowed");
    error_code not_numeric;
    const auto numeric = ip::make_address(to.host, not_numeric);
    if (!not_numeric) {
        const auto why = problem(numeric);
        return why.empty() ? result<>() : refused(to, says(numeric, why));
    }
    std::string_view host = to.host;
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host.empty() || !is_name_text(host)) return refused(to, "its host is neither a name nor an address");
    if (ends_in_number(host)) return refused(to, "its host is a number, but not a plain address");
    if (is_local_name(host) && !problem(ip::address_v4::loopback()).empty())
        return refused(to, "its host is this machine");
    return {};
}

result<> address_guard::check(const authority& to, std::span<const ip::address> where) const {
    if (where.empty()) return refused(to, "its host has no address");
    for (const auto& each : where) {
        const auto why = problem(each);
        if (!why.empty()) return refused(to, says(each, why));
    }
    return {};
}

result<> address_guard::check_peer(const authority& to, const ip::address& dialled,
                                   const ip::address& peer) const {
    const auto why = problem(peer);
    if (!why.empty()) return refused(to, says(peer, why));
    return peer == dialled ? result<>() : refused(to, "the connection ended up somewhere else");
}

}  // namespace firehose::http
