#include "storage/body_file.hpp"

#include "storage/crc32c.hpp"
#include "storage/journal_format.hpp"

#include <cerrno>
#include <utility>

namespace firehose::storage {

using journal_format::get_number;
using journal_format::put_number;

void body_sums::add(bytes_view more) {
    while (!more.empty()) {
        const auto in_step = size_ % step;
        if (in_step == 0) sums_.push_back(0);
        const auto some = more.first(std::min<std::size_t>(more.size(), step - in_step));
        sums_.back() = crc32c(some, sums_.back());
        size_ += some.size();
        more = more.subspan(some.size());
    }
}

std::optional<std::uint32_t> body_sums::sum_at(std::uint64_t index) const noexcept {
    return index < sums_.size() ? std::optional(sums_[index]) : std::nullopt;
}

std::string body_sums::encode() const {
    std::string out(8 + 4 * sums_.size(), '\0');
    auto* at = reinterpret_cast<std::byte*>(out.data());
    put_number<std::uint64_t>(at, size_);
    for (std::size_t i = 0; i < sums_.size(); ++i) put_number<std::uint32_t>(at + 8 + 4 * i, sums_[i]);
    return out;
}

std::optional<body_sums> body_sums::decode(bytes_view text) {
    if (text.size() < 8) return std::nullopt;
    body_sums out;
    out.size_ = get_number<std::uint64_t>(text.data());
    const auto steps = out.size_ / step + (out.size_ % step != 0 ? 1 : 0);
    if ((text.size() - 8) % 4 != 0 || (text.size() - 8) / 4 != steps) return std::nullopt;
    for (std::size_t at = 8; at < text.size(); at += 4)
        out.sums_.push_back(get_number<std::uint32_t>(text.data() + at));
    return out;
}

body_file::body_file(file_system& fs, std::filesystem::path path, body_sums sums,
                     std::shared_ptr<const void> keeps)
    : fs_(&fs),
      path_(std::move(path)),
      sums_(std::move(sums)),
      fingerprint_(sums_.encode()),
      keeps_(std::move(keeps)) {}

error body_file::damaged(std::uint64_t at) const {
    error_details d;
    d.code = error_code(EBADMSG, boost::system::system_category());
    d.context = "the body in " + path_.native() + " is not what was written there, near byte " +
                std::to_string(at) + "; check the disk";
    return {disposition::park, std::move(d)};
}

result<body_file::piece> body_file::read(byte_range which) const {
    auto opened = uninterrupted([&] { return fs_->open(path_, open_how::read); });
    if (opened.has_error() && is_errno(opened.error(), ENOENT))
        return error(disposition::park, opened.error().details());
    if (opened.has_error()) return opened.error();
    const auto begin = which.first / body_sums::step * body_sums::step;
    const auto wanted_end = which.first + which.count;
    const auto end = std::min(size(), (wanted_end + body_sums::step - 1) / body_sums::step * body_sums::step);
    const auto length = static_cast<std::size_t>(end - begin);
    auto bytes = std::make_shared_for_overwrite<std::byte[]>(length);
    const std::span<std::byte> all(bytes.get(), length);
    const auto got = read_fully(**opened, all, begin);
    if (got.has_error()) return got.error();
    if (*got < length) return damaged(begin + *got);
    for (std::size_t at = 0; at < length; at += body_sums::step) {
        const auto some = all.subspan(at, std::min<std::size_t>(body_sums::step, length - at));
        if (crc32c(some) != sums_.sum_at((begin + at) / body_sums::step)) return damaged(begin + at);
    }
    piece out;
    out.bytes =
        all.subspan(static_cast<std::size_t>(which.first - begin), static_cast<std::size_t>(which.count));
    out.backing = std::move(bytes);
    return out;
}

result<> body_file::sync() const {
    if (doubtful_)
        return error(disposition::retry,
                     "sync(" + path_.native() + "): failed before, so its bytes are doubtful");
    auto opened = uninterrupted([&] { return fs_->open(path_, open_how::update); });
    if (opened.has_error()) return opened.error();
    auto synced = (*opened)->sync();
    if (synced.has_error()) doubtful_ = true;
    return synced;
}

}  // namespace firehose::storage
