#include "stages/line_ranges.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace firehose::stages {

std::vector<std::uint64_t> starts_of_parts(std::uint64_t size, unsigned parts, std::uint64_t least) {
    const auto most = std::max<std::uint64_t>(1, size / std::max<std::uint64_t>(1, least));
    const auto count = std::clamp<std::uint64_t>(parts, 1, most);
    std::vector<std::uint64_t> starts;
    for (std::uint64_t i = 0; i < count; ++i) starts.push_back(size / count * i);
    return starts;
}

std::vector<line_range> ranges_from(const std::vector<std::uint64_t>& starts) {
    std::vector<line_range> out;
    for (std::size_t i = 0; i < starts.size(); ++i) {
        line_range one;
        one.begin = starts[i];
        if (i + 1 < starts.size()) one.end = starts[i + 1];
        out.push_back(one);
    }
    return out;
}

std::uint64_t size_in_parts(const std::filesystem::path& path) {
    struct stat about{};
    const bool regular = ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode);
    return regular ? static_cast<std::uint64_t>(about.st_size) : 0;
}

result<std::uint64_t> lines_before(const std::filesystem::path& path, std::uint64_t offset) {
    if (offset == 0) return 0;
    const auto end = offset - 1;  // a newline there begins the line at `offset`
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return system_call_error(disposition::retry, "open", path.string(), errno);
    std::vector<char> piece(1 << 20);
    std::uint64_t count = 1;
    int failed = 0;
    for (std::uint64_t at = 0; at < end && failed == 0;) {
        const auto wanted = std::min<std::uint64_t>(piece.size(), end - at);
        const auto n = ::pread(fd, piece.data(), wanted, static_cast<off_t>(at));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            failed = n < 0 ? errno : EIO;
            break;
        }
        count += static_cast<std::uint64_t>(std::count(piece.begin(), piece.begin() + n, '\n'));
        at += static_cast<std::uint64_t>(n);
    }
    ::close(fd);
    if (failed != 0) return system_call_error(disposition::retry, "read", path.string(), failed);
    return count;
}

}  // namespace firehose::stages
