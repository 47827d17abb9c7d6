/// Which hosts may be told or asked for a secret without TLS: those that no router leads away from here.
#pragma once
#include "http/url.hpp"

#include <string>
#include <string_view>

namespace firehose::storage {

/// "localhost" or a loopback address. Numeric hosts count by what they are, however an IPv4 address is
/// wrapped into an IPv6 one; of names, which a name server could send anywhere, only "localhost" does.
bool is_loopback(std::string_view host);

/// An address where a cloud's hypervisor or agent answers: 169.254.0.0/16 or fd00:ec2::/32.
bool is_link_local(std::string_view host);

/// Why no credential may be asked for at this place; empty when it may. https may be anywhere, plain http on
/// this machine and at link-local addresses only.
std::string metadata_problem(const http::authority& to);

}  // namespace firehose::storage
