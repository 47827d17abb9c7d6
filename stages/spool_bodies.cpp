#include "stages/spool_bodies.hpp"

#include <algorithm>
#include <cerrno>

namespace firehose::stages {
namespace {

bool is_plain_name(std::string_view name) {
    return !name.empty() &&
           std::ranges::all_of(name, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

void spool_bodies::open() {
    const auto names = fs_.list(folder_);
    if (names.has_error()) return;
    for (const auto& name : *names) {
        const auto status = fs_.status(folder_ / name);
        if (status.has_error() || status->kind != storage::entry_kind::file) continue;
        sizes_[name] = status->size;
        bytes_ += status->size;
    }
}

result<> spool_bodies::keep(const storage::body_file& body, const std::string& name) {
    if (!made_) {
        auto ready = storage::make_directories(fs_, folder_.parent_path(), folder_name);
        if (ready.has_error()) return ready;
        made_ = true;
    }
    auto done = body.sync();
    if (done.has_value()) done = name_or_copy(body, folder_ / name);
    if (done.has_value()) done = fs_.sync_directory(folder_);
    if (done.has_error()) {
        (void)fs_.remove(folder_ / name);
        return done;
    }
    sizes_[name] = body.size();
    bytes_ += body.size();
    return done;
}

result<> spool_bodies::name_or_copy(const storage::body_file& body, const std::filesystem::path& path) {
    auto named = fs_.link(body.path(), path);
    if (named.has_value()) return named;
    const auto cannot = {EXDEV, EPERM, EMLINK, ENOSYS, EOPNOTSUPP};
    if (std::ranges::none_of(cannot, [&](int why) { return storage::is_errno(named.error(), why); }))
        return named;
    auto opened = fs_.open(path, storage::open_how::create_new);
    if (opened.has_error()) return opened.error();
    std::uint64_t at = 0;
    auto copied = storage::read_in_steps(body, [&](bytes_view some) {
        auto written = storage::write_fully(**opened, std::span(&some, 1), at);
        at += some.size();
        return written;
    });
    return copied.has_error() ? copied : (*opened)->sync();
}

void spool_bodies::drop_all() {
    while (!sizes_.empty()) {
        const auto name = sizes_.begin()->first;
        drop(name);
    }
}

void spool_bodies::drop(const std::string& name) {
    (void)fs_.remove(folder_ / name);
    const auto known = sizes_.extract(name);
    if (known) bytes_ -= known.mapped();
}

std::shared_ptr<const storage::body_file> spool_bodies::find(const std::string& name,
                                                             bytes_view fingerprint) const {
    auto sums = storage::body_sums::decode(fingerprint);
    if (!sums || !is_plain_name(name)) return nullptr;
    return std::make_shared<const storage::body_file>(fs_, folder_ / name, std::move(*sums));
}

}  // namespace firehose::stages
