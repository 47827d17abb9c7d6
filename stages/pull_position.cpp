#include "stages/pull_position.hpp"

#include "pipeline/blocking.hpp"
#include "storage/crc32c.hpp"
#include "storage/journal.hpp"

namespace firehose::stages {
namespace {

constexpr std::string_view file_name = "position";
constexpr std::size_t longest_text = 16 * 1024;

}  // namespace

std::string position_text(const std::string& position, const std::string& stream) {
    auto text = position + "\n" + stream + "\n";
    const auto check = storage::crc32c(as_bytes(text));
    return text.append(std::to_string(check)).append("\n");
}

result<std::string> parse_position_text(std::string_view text, const std::string& stream) {
    const auto first = text.find('\n');
    const auto second = first == std::string_view::npos ? first : text.find('\n', first + 1);
    if (second == std::string_view::npos || first == 0)
        return error(disposition::stop, "is damaged: put back a copy, or remove it to begin anew");
    std::string position(text.substr(0, first));
    const std::string of(text.substr(first + 1, second - first - 1));
    if (position_text(position, of) != text)
        return error(disposition::stop, "is damaged: put back a copy, or remove it to begin anew");
    if (of != stream)
        return error(disposition::stop, "belongs to " + of + ", not to " + stream +
                                            ": give the source another \"name\", or remove the file");
    return position;
}

pull_position::pull_position(context& x, storage::file_system& fs, std::filesystem::path directory,
                             std::string stream)
    : x_(x), fs_(fs), directory_(std::move(directory)), stream_(std::move(stream)) {}

/// On the blocking pool.
result<> pull_position::take() {
    auto made = storage::make_directories(fs_, directory_);
    if (made.has_error()) return made;
    auto locked = storage::lock_directory(fs_, directory_);
    if (locked.has_error()) return locked.error();
    lock_ = std::move(*locked);
    const auto path = directory_ / file_name;
    auto opened = storage::uninterrupted([&] { return fs_.open(path, storage::open_how::read); });
    if (opened.has_error()) {
        if (storage::is_errno(opened.error(), ENOENT)) return {};
        return opened.error();
    }
    std::string text(longest_text, '\0');
    auto got = storage::read_fully(**opened, std::as_writable_bytes(std::span(text)), 0);
    if (got.has_error()) return got.error();
    auto parsed = parse_position_text(std::string_view(text).substr(0, *got), stream_);
    if (parsed.has_error()) return error(disposition::stop, path.native() + " " + parsed.error().context());
    stored_ = std::move(*parsed);
    return {};
}

task<result<std::unique_ptr<pull_position>>> pull_position::open(context& x, storage::file_system& fs,
                                                                 std::filesystem::path directory,
                                                                 std::string stream) {
    std::unique_ptr<pull_position> made(new pull_position(x, fs, std::move(directory), std::move(stream)));
    auto take = [&self = *made] { return self.take(); };
    auto taken = co_await run_blocking(x.blocking, std::move(take));
    if (taken.has_error()) co_return taken.error();
    co_return made;
}

task<result<>> pull_position::save(std::string position) {
    const auto text = position_text(position, stream_);
    auto write = [&] { return storage::replace_file(fs_, directory_ / file_name, as_bytes(text)); };
    auto written = co_await run_blocking(x_.blocking, std::move(write));
    if (written.has_value()) stored_ = std::move(position);
    co_return written;
}

}  // namespace firehose::stages
