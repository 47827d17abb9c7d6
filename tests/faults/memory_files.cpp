#include "tests/faults/memory_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace firehose::faults {

using storage::entry_kind;
using storage::open_how;

namespace {

struct pending_write {
    std::uint64_t offset = 0;
    std::string bytes{};
    bool truncation = false;  // to `offset`
};

void apply_write(std::string& to, const pending_write& w, std::size_t part = std::string::npos) {
    if (w.truncation) {
        to.resize(w.offset);
        return;
    }
    const std::size_t n = std::min(part, w.bytes.size());
    if (to.size() < w.offset + n) to.resize(w.offset + n);
    to.replace(w.offset, n, w.bytes, 0, n);
}

error failed(std::string_view call, const std::filesystem::path& path, int number) {
    return system_call_error(disposition::retry, call, path.native(), number);
}

}  // namespace

struct memory_files::node {
    entry_kind kind = entry_kind::file;
    bool writable_by_others = false;
    bool locked = false;
    std::int64_t modified = 0;
    std::string now{}, durable{};
    std::vector<pending_write> pending{};
};

class memory_files::open_file final : public storage::file {
public:
    open_file(memory_files& in, std::shared_ptr<node> n, std::filesystem::path path)
        : guard_(in.guard_), node_(std::move(n)), path_(std::move(path)) {}
    ~open_file() override {
        const std::scoped_lock lock(guard_);
        if (mine_) node_->locked = false;
    }
    result<std::size_t> write_some(std::span<const bytes_view> parts, std::uint64_t offset) override {
        const std::scoped_lock lock(guard_);
        pending_write w;
        w.offset = offset;
        for (const bytes_view part : parts) w.bytes += as_text(part);
        apply_write(node_->now, w);
        const std::size_t n = w.bytes.size();
        ++node_->modified;
        node_->pending.push_back(std::move(w));
        return n;
    }
    result<std::size_t> read_some(std::span<std::byte> into, std::uint64_t offset) override {
        const std::scoped_lock lock(guard_);
        if (node_->kind != entry_kind::file) return failed("read", path_, EISDIR);
        if (offset >= node_->now.size()) return std::size_t{0};
        const std::size_t n = std::min(into.size(), node_->now.size() - offset);
        std::memcpy(into.data(), node_->now.data() + offset, n);
        return n;
    }
    result<> sync() override {
        const std::scoped_lock lock(guard_);
        node_->durable = node_->now;
        node_->pending.clear();
        return {};
    }
    result<std::uint64_t> size() override {
        const std::scoped_lock lock(guard_);
        return static_cast<std::uint64_t>(node_->now.size());
    }
    result<> truncate(std::uint64_t size) override {
        const std::scoped_lock lock(guard_);
        node_->now.resize(size);
        ++node_->modified;
        node_->pending.push_back({size, {}, true});
        return {};
    }
    result<> lock() override {
        const std::scoped_lock lock(guard_);
        if (node_->locked) return failed("flock", path_, EWOULDBLOCK);
        node_->locked = mine_ = true;
        return {};
    }

private:
    std::mutex& guard_;
    std::shared_ptr<node> node_;
    std::filesystem::path path_;
    bool mine_ = false;
};

memory_files::memory_files() {
    auto root = std::make_shared<node>();
    root->kind = entry_kind::directory;
    now_["/"] = durable_["/"] = root;
}

memory_files::~memory_files() = default;

result<std::unique_ptr<storage::file>> memory_files::open(const std::filesystem::path& path, open_how how) {
    const std::scoped_lock lock(guard_);
    auto it = now_.find(path);
    if (it != now_.end() && how == open_how::create_new) return failed("open", path, EEXIST);
    if (it != now_.end() && it->second->kind == entry_kind::directory) return failed("open", path, EISDIR);
    if (it == now_.end()) {
        if (how == open_how::read || how == open_how::update || !now_.contains(path.parent_path()))
            return failed("open", path, ENOENT);
        it = now_.emplace(path, std::make_shared<node>()).first;
    }
    return std::unique_ptr<storage::file>(std::make_unique<open_file>(*this, it->second, path));
}

result<> memory_files::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
    const std::scoped_lock lock(guard_);
    const auto it = now_.find(from);
    if (it == now_.end() || !now_.contains(to.parent_path())) return failed("rename", from, ENOENT);
    now_[to] = it->second;
    now_.erase(from);
    return {};
}

result<> memory_files::link(const std::filesystem::path& from, const std::filesystem::path& to) {
    const std::scoped_lock lock(guard_);
    const auto it = now_.find(from);
    if (it == now_.end() || !now_.contains(to.parent_path())) return failed("link", to, ENOENT);
    if (it->second->kind == entry_kind::directory) return failed("link", to, EPERM);
    if (!now_.try_emplace(to, it->second).second) return failed("link", to, EEXIST);
    return {};
}

result<> memory_files::remove(const std::filesystem::path& path) {
    const std::scoped_lock lock(guard_);
    const auto it = now_.find(path);
    if (it == now_.end()) return failed("unlink", path, ENOENT);
    if (it->second->kind == entry_kind::directory) return failed("unlink", path, EISDIR);
    now_.erase(it);
    return {};
}

result<> memory_files::make_directory(const std::filesystem::path& path) {
    const std::scoped_lock lock(guard_);
    if (now_.contains(path)) return failed("mkdir", path, EEXIST);
    if (!now_.contains(path.parent_path())) return failed("mkdir", path, ENOENT);
    auto made = std::make_shared<node>();
    made->kind = entry_kind::directory;
    now_[path] = std::move(made);
    return {};
}

result<> memory_files::remove_directory(const std::filesystem::path& path) {
    const std::scoped_lock lock(guard_);
    const auto it = now_.find(path);
    if (it == now_.end()) return failed("rmdir", path, ENOENT);
    if (it->second->kind != entry_kind::directory) return failed("rmdir", path, ENOTDIR);
    for (const auto& one : now_)
        if (one.first != path && one.first.parent_path() == path) return failed("rmdir", path, ENOTEMPTY);
    now_.erase(it);
    return {};
}

result<> memory_files::sync_directory(const std::filesystem::path& path) {
    const std::scoped_lock lock(guard_);
    if (!now_.contains(path)) return failed("open", path, ENOENT);
    std::erase_if(durable_,
                  [&](const auto& one) { return one.first != path && one.first.parent_path() == path; });
    for (const auto& one : now_)
        if (one.first.parent_path() == path) durable_.insert_or_assign(one.first, one.second);
    return {};
}

result<std::vector<std::string>> memory_files::list(const std::filesystem::path& path) {
    const std::scoped_lock lock(guard_);
    const auto it = now_.find(path);
    if (it == now_.end()) return failed("opendir", path, ENOENT);
    if (it->second->kind != entry_kind::directory) return failed("opendir", path, ENOTDIR);
    std::vector<std::string> names;
    for (const auto& one : now_)
        if (one.first != path && one.first.parent_path() == path) names.push_back(one.first.filename());
    std::sort(names.begin(), names.end());
    return names;
}

result<storage::entry_status> memory_files::status(const std::filesystem::path& path) {
    const std::scoped_lock lock(guard_);
    const auto it = now_.find(path);
    if (it == now_.end()) return failed("lstat", path, ENOENT);
    storage::entry_status out;
    out.kind = it->second->kind;
    out.size = it->second->now.size();
    out.modified = it->second->modified;
    out.writable_by_others = it->second->writable_by_others;
    return out;
}

std::unique_ptr<memory_files> memory_files::after_power_cut(unsynced_data data, unsynced_names names) const {
    const std::scoped_lock lock(guard_);
    auto out = std::make_unique<memory_files>();
    // In the order of paths, so that a directory comes before what is in it: what lost its directory is gone.
    for (const auto& [path, n] : names == unsynced_names::kept ? now_ : durable_) {
        if (path == "/" || !out->now_.contains(path.parent_path())) continue;
        auto copy = std::make_shared<node>();
        copy->kind = n->kind;
        copy->writable_by_others = n->writable_by_others;
        copy->modified = n->modified;  // a disk that kept the time and not the bytes
        copy->durable = n->durable;
        for (std::size_t i = 0; i < n->pending.size() && data != unsynced_data::lost; ++i) {
            const pending_write& w = n->pending[i];
            const bool last = i + 1 == n->pending.size();
            if (data == unsynced_data::zeros && !w.truncation)
                copy->durable.resize(std::max<std::size_t>(copy->durable.size(), w.offset + w.bytes.size()));
            else
                apply_write(copy->durable, w,
                            last && data == unsynced_data::torn ? w.bytes.size() * 2 / 3 : std::string::npos);
        }
        copy->now = copy->durable;
        out->now_[path] = out->durable_[path] = std::move(copy);
    }
    return out;
}

std::unique_ptr<memory_files> memory_files::after_kill() const {
    return after_power_cut(unsynced_data::kept, unsynced_names::kept);
}

std::string memory_files::content(const std::filesystem::path& path) const {
    const std::scoped_lock lock(guard_);
    const auto it = now_.find(path);
    return it == now_.end() ? std::string() : it->second->now;
}

void memory_files::set_content(const std::filesystem::path& path, std::string bytes) {
    const std::scoped_lock lock(guard_);
    auto& n = now_[path];
    if (!n) n = std::make_shared<node>();
    n->now = n->durable = std::move(bytes);
    ++n->modified;
    n->pending.clear();
    durable_[path] = n;
}

void memory_files::rot_content(const std::filesystem::path& path, std::string bytes) {
    const std::scoped_lock lock(guard_);
    auto& n = now_.at(path);
    n->now = n->durable = std::move(bytes);
}

void memory_files::set_writable_by_others(const std::filesystem::path& path) {
    const std::scoped_lock lock(guard_);
    now_.at(path)->writable_by_others = true;
}

std::vector<std::filesystem::path> memory_files::files(const std::filesystem::path& under) const {
    const std::scoped_lock lock(guard_);
    std::vector<std::filesystem::path> out;
    const std::string start = under == "/" ? "/" : under.native() + "/";
    for (const auto& [path, n] : now_)
        if (n->kind == entry_kind::file && path.native().starts_with(start)) out.push_back(path);
    return out;
}

}  // namespace firehose::faults
