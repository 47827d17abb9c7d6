/// Which hosts and addresses may be connected to when somebody else chose them.
#pragma once
#include "http/url.hpp"
#include "pipeline/error.hpp"

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::http {

/// All addresses that begin with the first `length` bits of `base`.
struct network {
    boost::asio::ip::address base{};
    unsigned length = 0;

    /// Never true between the two families.
    bool holds(const boost::asio::ip::address& a) const;
};

/// "10.0.0.0/8" or "fd00::/8"; a bare address is a network of one. Nothing when it is neither, or has bits
/// behind its length.
std::optional<network> parse_network(std::string_view text);

/// What makes an address unfit for a public server, as "loopback (127.0.0.0/8)"; empty for those that are
/// fit. The blocks are those of IANA's special-purpose registries for IPv4 and IPv6 (RFC 6890 and its
/// successors), all of them, also those that are reachable; multicast; what lies outside of 2000::/3; and the
/// address at which Azure's machines find their host. An IPv4 address inside an IPv6 one that leads there
/// (mapped, or NAT64's 64:ff9b::/96) is judged itself; those of 6to4 and Teredo are refused as a whole.
std::string special_purpose(const boost::asio::ip::address& a);

/// Keeps a client from being led to places that only look like public servers: a name may be anything's, and
/// what it stands for may change between two looks. So the client asks three times: about the authority,
/// before anything is looked up; about all addresses its name has, of which one unfit one refuses all; and
/// about the other end of the connection it got. What is dialled is what was looked at. Pure.
struct address_guard {
    bool development = false;               ///< loopback addresses, http and any port are fit too
    std::vector<std::uint16_t> ports{443};  ///< empty: any
    std::vector<network> networks{};        ///< fit although special: the operator's own

    /// Its scheme, its port, and how its host is spelled; numbers must be plain, and are judged at once.
    result<> check(const authority& to) const;
    /// All of them; none is an error too.
    result<> check(const authority& to, std::span<const boost::asio::ip::address> where) const;
    /// The other end of a connection that was made to `dialled`.
    result<> check_peer(const authority& to, const boost::asio::ip::address& dialled,
                        const boost::asio::ip::address& peer) const;
    /// Why not; empty when it may be connected to.
    std::string problem(const boost::asio::ip::address& a) const;
};

}  // namespace firehose::http
