/// From addresses to a connected socket, through a proxy where there is one. Internal to http: not installed.
#pragma once
#include "http/options.hpp"
#include "http/resolver.hpp"
#include "http/url.hpp"
#include "http/watchdog.hpp"
#include "pipeline/error.hpp"

#include <string>
#include <string_view>

namespace firehose::http {

/// "https://host", and through which proxy when there is one.
std::string describe(const authority& to, const client_options& how);

/// `what` happened to the connection of that name; `ec` is left out where it says nothing more.
error connection_failed(std::string_view name, std::string_view what, const error_code& ec);
/// The dog closed it.
error connection_late(std::string_view name, const watchdog& dog);

/// Tries the addresses in turn. Throws operation_aborted when cancelled, as do all below.
task<result<>> dial(tcp_socket& socket, watchdog& dog, const authority& to, const addresses& where,
                    const client_options& how, time_source::steady deadline);

/// CONNECT (RFC 9110, 9.3.6): afterwards the socket leads to `to`. An answer that refuses is an error with
/// its status; stop where only a person can help. The proxy sees host and port, its own credentials and
/// what the caller does not encrypt.
task<result<>> open_tunnel(tcp_socket& socket, watchdog& dog, const authority& to, const client_options& how,
                           time_source::steady deadline);

}  // namespace firehose::http
