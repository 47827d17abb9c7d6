#include "storage/near_address.hpp"

#include <boost/asio/ip/address.hpp>

#include <optional>

namespace firehose::storage {

namespace {

namespace ip = boost::asio::ip;

std::optional<ip::address> numeric(std::string_view host) {
    boost::system::error_code wrong;
    auto address = ip::make_address(std::string(host), wrong);
    if (wrong) return std::nullopt;
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        return ip::address(ip::make_address_v4(ip::v4_mapped, address.to_v6()));
    return address;
}

}  // namespace

bool is_loopback(std::string_view host) {
    if (host == "localhost") return true;
    const auto address = numeric(host);
    return address && address->is_loopback();
}

bool is_link_local(std::string_view host) {
    const auto address = numeric(host);
    if (!address) return false;
    if (address->is_v4()) {
        const auto bytes = address->to_v4().to_bytes();
        return bytes[0] == 169 && bytes[1] == 254;
    }
    const auto bytes = address->to_v6().to_bytes();
    return bytes[0] == 0xfd && bytes[1] == 0 && bytes[2] == 0x0e && bytes[3] == 0xc2;
}

std::string metadata_problem(const http::authority& to) {
    if (to.tls || is_loopback(to.host) || is_link_local(to.host)) return {};
    return http::describe(to) + " may not be asked for credentials: without https only this machine and "
                                "link-local addresses may";
}

}  // namespace firehose::storage
