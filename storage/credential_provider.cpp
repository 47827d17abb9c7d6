#include "storage/credential_provider.hpp"

#include "pipeline/blocking.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace firehose::storage {

namespace {

constexpr std::size_t most_bytes = 64 * 1024;

struct closed_at_end {
    int fd = -1;
    ~closed_at_end() {
        if (fd >= 0) ::close(fd);
    }
};

void drop_line_end(std::string& text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
}

error unreadable(std::string_view call, const std::string& path) {
    return system_call_error(disposition::stop, call, path, errno);
}

}  // namespace

result<std::string> read_small_file(const std::string& path) {
    const closed_at_end in{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (in.fd < 0) return unreadable("open", path);
    std::string text;
    std::array<char, 4096> piece;
    for (;;) {
        const auto got = ::read(in.fd, piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return unreadable("read", path);
        if (got == 0) break;
        text.append(piece.data(), static_cast<std::size_t>(got));
        if (text.size() > most_bytes)
            return error(disposition::stop, path + " is longer than the 64 KiB of any credential");
    }
    drop_line_end(text);
    return text;
}

machine machine_without_variables() {
    machine out;
    out.variable = [](const std::string&) { return std::optional<std::string>(); };
    out.read = read_small_file;
    return out;
}

std::string provider_parts::variable(const std::string& name) const {
    auto value = on.variable ? on.variable(name) : std::nullopt;
    return value ? std::move(*value) : std::string();
}

error no_credentials_there(std::string context) {
    error_details d;
    d.context = std::move(context);
    d.provider_code = not_configured;
    return {disposition::stop, std::move(d)};
}

bool is_not_configured(const error& e) noexcept { return e.provider_code() == not_configured; }

task<result<std::string>> read_secret_file(const provider_parts& parts, std::string path) {
    const auto read = parts.on.read;
    auto work = [read, &path] { return read(path); };
    auto text = co_await run_blocking(parts.shard.blocking, std::move(work));
    co_return text;
}

}  // namespace firehose::storage
