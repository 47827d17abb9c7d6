#include "stages/input_identity.hpp"

#include "storage/text_hash.hpp"

#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace firehose::stages {

std::optional<std::string> identity_of_file(const std::filesystem::path& path) {
    constexpr std::size_t enough = 64u << 10;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return std::nullopt;
    struct stat about{};
    std::optional<std::string> identity;
    if (::fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) {
        std::string start(enough, '\0');
        const auto count = ::pread(fd, start.data(), start.size(), 0);
        if (count >= 0) {
            start.resize(static_cast<std::size_t>(count));
            const auto line = std::string_view(start).substr(0, start.find('\n'));
            identity = std::to_string(about.st_dev) + ":" + std::to_string(about.st_ino) + ":" +
                       storage::sha256_hex(line);
        }
    }
    ::close(fd);
    return identity;
}

}  // namespace firehose::stages
