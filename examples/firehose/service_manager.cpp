#include "examples/firehose/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstring>

namespace firehose::app {

void notify(const service_manager& manager, const std::string& state) {
    const auto& path = manager.notify_socket;
    sockaddr_un to{};
    if (path.size() < 2 || path.size() >= sizeof(to.sun_path)) return;
    to.sun_family = AF_UNIX;
    std::memcpy(to.sun_path, path.data(), path.size());
    if (to.sun_path[0] == '@') to.sun_path[0] = '\0';  // an abstract name
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    (void)::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to),
                   length);
    ::close(fd);
}

result<std::vector<http::listening_socket>> inherited_sockets(const service_manager& manager) {
    std::vector<http::listening_socket> out;
    if (manager.listen_pid != std::to_string(::getpid())) return out;
    constexpr int first_descriptor = 3;
    constexpr int most = 64;
    int count = 0;
    const auto* const end = manager.listen_fds.data() + manager.listen_fds.size();
    std::from_chars(manager.listen_fds.data(), end, count);
    for (int i = 0; i < count && i < most; ++i) {
        auto one = http::adopt_socket(first_descriptor + i);
        if (one.has_error()) return one.error();
        out.push_back(std::move(*one));
    }
    return out;
}

}  // namespace firehose::app
