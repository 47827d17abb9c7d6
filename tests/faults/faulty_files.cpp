#include "tests/faults/faulty_files.hpp"

#include <algorithm>

namespace firehose::faults {
namespace {

error injected(std::string_view call, const std::filesystem::path& path, int number) {
    return system_call_error(disposition::retry, call, path.native(), number);
}

}  // namespace

class faulty_files::wrapped_file final : public storage::file {
public:
    wrapped_file(faulty_files& in, std::unique_ptr<storage::file> base, std::filesystem::path path)
        : in_(in), base_(std::move(base)), path_(std::move(path)) {}

    result<std::size_t> write_some(std::span<const bytes_view> parts, std::uint64_t offset) override {
        const int number = in_.verdict("write");
        if (number > 0) {
            // A failed write may have written a part: exactly what must never be relied on.
            if (!parts.empty()) {
                const bytes_view half = parts.front().first(parts.front().size() / 2);
                (void)base_->write_some(std::span(&half, 1), offset);
            }
            return injected("write", path_, number);
        }
        if (number == short_transfer && !parts.empty() && parts.front().size() > 1) {
            const bytes_view half = parts.front().first(parts.front().size() / 2);
            return base_->write_some(std::span(&half, 1), offset);
        }
        return base_->write_some(parts, offset);
    }
    result<std::size_t> read_some(std::span<std::byte> into, std::uint64_t offset) override {
        const int number = in_.verdict("read");
        if (number > 0) return injected("read", path_, number);
        if (number == short_transfer) into = into.first((into.size() + 1) / 2);
        return base_->read_some(into, offset);
    }
    result<> sync() override {
        const int number = in_.verdict("sync");
        if (number > 0) return injected("fdatasync", path_, number);
        return base_->sync();
    }
    result<std::uint64_t> size() override { return base_->size(); }
    result<> truncate(std::uint64_t size) override {
        const int number = in_.verdict("truncate");
        if (number > 0) return injected("ftruncate", path_, number);
        return base_->truncate(size);
    }
    result<> lock() override {
        const int number = in_.verdict("lock");
        if (number > 0) return injected("flock", path_, number);
        return base_->lock();
    }

private:
    faulty_files& in_;
    std::unique_ptr<storage::file> base_;
    std::filesystem::path path_;
};

void faulty_files::fail(std::size_t first, int error_number, std::size_t length) {
    const std::scoped_lock lock(guard_);
    first_ = first;
    length_ = length;
    number_ = error_number;
    calls_ = 0;
    hit_ = false;
}

void faulty_files::only(std::function<bool(const std::string&)> which) {
    const std::scoped_lock lock(guard_);
    only_ = std::move(which);
}

void faulty_files::on_call(std::function<void(std::size_t, const std::string&)> hook) {
    const std::scoped_lock lock(guard_);
    hook_ = std::move(hook);
}

std::size_t faulty_files::calls() const {
    const std::scoped_lock lock(guard_);
    return calls_;
}

bool faulty_files::hit() const {
    const std::scoped_lock lock(guard_);
    return hit_;
}

int faulty_files::verdict(const std::string& call) {
    const std::scoped_lock lock(guard_);
    if (only_ && !only_(call)) return 0;
    const std::size_t n = calls_++;
    if (hook_) hook_(n, call);
    const bool fails = first_ != never && n >= first_ && n - first_ < length_;
    hit_ = hit_ || fails;
    return fails ? number_ : 0;
}

result<std::unique_ptr<storage::file>> faulty_files::open(const std::filesystem::path& path,
                                                          storage::open_how how) {
    const int number = verdict(how == storage::open_how::read ? "open" : "create");
    if (number > 0) return injected("open", path, number);
    auto opened = base_.open(path, how);
    if (opened.has_error()) return opened;
    return std::unique_ptr<storage::file>(std::make_unique<wrapped_file>(*this, std::move(*opened), path));
}

result<> faulty_files::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
    const int number = verdict("rename");
    return number > 0 ? injected("rename", from, number) : base_.rename(from, to);
}

result<> faulty_files::link(const std::filesystem::path& from, const std::filesystem::path& to) {
    const int number = verdict("link");
    return number > 0 ? injected("link", to, number) : base_.link(from, to);
}

result<> faulty_files::remove(const std::filesystem::path& path) {
    const int number = verdict("remove");
    return number > 0 ? injected("unlink", path, number) : base_.remove(path);
}

result<> faulty_files::make_directory(const std::filesystem::path& path) {
    const int number = verdict("make_directory");
    return number > 0 ? injected("mkdir", path, number) : base_.make_directory(path);
}

result<> faulty_files::remove_directory(const std::filesystem::path& path) {
    const int number = verdict("remove_directory");
    return number > 0 ? injected("rmdir", path, number) : base_.remove_directory(path);
}

result<> faulty_files::sync_directory(const std::filesystem::path& path) {
    const int number = verdict("sync_directory");
    return number > 0 ? injected("fsync", path, number) : base_.sync_directory(path);
}

result<std::vector<std::string>> faulty_files::list(const std::filesystem::path& path) {
    const int number = verdict("list");
    if (number > 0) return injected("opendir", path, number);
    return base_.list(path);
}

result<storage::entry_status> faulty_files::status(const std::filesystem::path& path) {
    const int number = verdict("status");
    if (number > 0) return injected("lstat", path, number);
    return base_.status(path);
}

}  // namespace firehose::faults
