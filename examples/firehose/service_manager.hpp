/// What a service manager (systemd) hands over and wants to be told.
#pragma once
#include "http/listener.hpp"
#include "pipeline/error.hpp"

#include <string>
#include <vector>

namespace firehose::app {

/// Its environment variables, read by main() and by nobody else.
struct service_manager {
    std::string notify_socket{};  ///< NOTIFY_SOCKET
    std::string listen_pid{};     ///< LISTEN_PID
    std::string listen_fds{};     ///< LISTEN_FDS
};

/// "READY=1", "STOPPING=1", "STATUS=...". Does nothing without a socket; a failure is not worth a word.
void notify(const service_manager& manager, const std::string& state);

/// The sockets it opened for us, which win over the configured addresses; empty when there are none.
result<std::vector<http::listening_socket>> inherited_sockets(const service_manager& manager);

}  // namespace firehose::app
