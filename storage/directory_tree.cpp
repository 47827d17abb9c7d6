#include "storage/directory_tree.hpp"

#include "storage/multipart_plan.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace firehose::storage {
namespace {

constexpr std::size_t longest_name = 255;
constexpr std::size_t longest_key = 1024;  // as in S3
constexpr std::size_t deepest_key = 128;
constexpr std::size_t few_directories = 4;
constexpr int walking = O_PATH | O_DIRECTORY | O_NOFOLLOW;

disposition what_to_do(int code) noexcept {
    switch (code) {
        case EACCES:
        case EPERM:
        case EROFS:
        case EXDEV:
        case EOPNOTSUPP:
        case ENOSYS: return disposition::stop;
        case ENAMETOOLONG:
        case EISDIR:
        case ENOTEMPTY:
        case ENOTDIR:
        case ELOOP:
        case EFBIG:
        case EILSEQ:
        case EINVAL: return disposition::park;
        default: return disposition::retry;
    }
}

std::string_view advice(int code) noexcept {
    switch (code) {
        case ENOSPC:
        case EDQUOT: return "; free some space there, delivery is tried again";
        case EACCES:
        case EPERM: return "; let the user this runs as write there";
        case EROFS: return "; the file system is mounted read-only";
        case EMFILE:
        case ENFILE: return "; raise the limit of open files";
        case EISDIR: return "; there is a folder of that name";
        case ENOTDIR:
        case ELOOP:
            return "; a part of the path is a file or a symbolic link, and links are not followed: another "
                   "prefix or "
                   "folder is needed";
        case EXDEV: return "; another file system is mounted inside the folder: make it a bucket of its own";
        case EFBIG: return "; larger than the file system or the process's limit allows";
        case EIO: return "; the disk may be failing, see the kernel's log";
        default: return "";
    }
}

bool is_gone(const error_code& code) noexcept {
    return code == boost::system::errc::no_such_file_or_directory ||
           code == boost::system::errc::not_a_directory;
}

}  // namespace

struct directory_tree::writing {
    tree_put* request = nullptr;
    std::vector<std::string> key{};
    std::string temporary{};  // empty: none exists
};

path_parts split_path(std::string_view path) {
    path_parts out;
    if (path.size() > longest_key)
        out.problem = "it is longer than " + std::to_string(longest_key) + " bytes";
    if (path.empty()) out.problem = "it is empty";
    for (std::size_t from = 0; out.problem.empty() && from <= path.size();) {
        const auto end = std::min(path.find('/', from), path.size());
        const auto part = path.substr(from, end - from);
        from = end + 1;
        if (part.empty()) {
            out.problem = "it begins or ends with a slash or has two in a row";
        } else if (part == "." || part == "..") {
            out.problem = "it has the part \"" + std::string(part) + "\"";
        } else if (part.find('\0') != std::string_view::npos) {
            out.problem = "it has a NUL byte";
        } else if (part.size() > longest_name) {
            out.problem = "it has a part of more than " + std::to_string(longest_name) + " bytes";
        } else if (part == temporary_folder) {
            out.problem = "\"" + std::string(temporary_folder) + "\" is reserved";
        } else if (out.parts.size() == deepest_key) {
            out.problem = "it has more than " + std::to_string(deepest_key) + " parts";
        }
        out.parts.emplace_back(part);
    }
    return out;
}

directory_tree::directory_tree(std::filesystem::path base, const std::string& bucket,
                               std::size_t sync_together_from, file_calls& calls)
    : base_(base.empty() ? "." : std::move(base)), sync_together_from_(sync_together_from), calls_(calls) {
    auto split = split_path(bucket);
    bucket_ = std::move(split.parts);
    if (!split.problem.empty())
        problem_ = "the folder \"" + bucket + "\" cannot be used: " + split.problem +
                   "; name a folder below " + base_.string();
}

directory_tree::~directory_tree() {
    if (!temporary_) return;
    auto root = open_root(false);
    if (!root) return;
    auto all = enter(*root, std::string(temporary_folder), false);
    if (!all) return;
    calls_.remove(all->fd.get(), temporary_name_.c_str(), AT_REMOVEDIR);
    calls_.remove(root->fd.get(), std::string(temporary_folder).c_str(), AT_REMOVEDIR);  // unless in use
}

error directory_tree::failed(std::string_view call, const std::string& path, int code) const {
    error_details d;
    d.code = error_code(code, boost::system::system_category());
    d.context.append(call)
        .append("(")
        .append(path)
        .append("): ")
        .append(d.code.message())
        .append(advice(code));
    return {what_to_do(code), std::move(d)};
}

error directory_tree::refused(std::string_view key, const std::string& problem) const {
    return {disposition::park,
            "the key \"" + std::string(key) + "\" cannot be a file in " + root_path() + ": " + problem};
}

error directory_tree::absent(std::string_view key) const {
    error_details d;
    d.context = "there is no object \"" + std::string(key) + "\" in " + root_path();
    d.provider_code = not_found;
    return {disposition::park, std::move(d)};
}

error directory_tree::sync_failed(std::string_view call, const std::string& path, int code) const {
    const auto e = failed(call, path, code);
    return {e.what() == disposition::retry ? disposition::retry : disposition::stop, e.details()};
}

std::string directory_tree::root_path() const {
    auto path = base_.string();
    for (const auto& part : bucket_) path.append("/").append(part);
    return path;
}

result<directory_tree::place> directory_tree::open_base() const {
    place base;
    base.path = base_.string();
    const int fd = calls_.open(AT_FDCWD, base.path.c_str(), O_PATH | O_DIRECTORY, 0);
    if (fd < 0) {
        const auto e = failed("open", base.path, -fd);
        if (fd == -ENOENT)
            return error(disposition::stop, e.context() + "; create the folder or correct the configuration");
        return error(e.what() == disposition::park ? disposition::stop : e.what(), e.details());
    }
    base.fd = descriptor(fd);
    return base;
}

result<directory_tree::place> directory_tree::enter(const place& from, const std::string& name, bool create) {
    place next;
    next.path = from.path + "/" + name;
    int fd = calls_.open(from.fd.get(), name.c_str(), walking, 0);
    if (fd == -ENOENT && create) {
        const int made = calls_.make_directory(from.fd.get(), name.c_str(), 0777);
        if (made < 0 && made != -EEXIST) return failed("mkdir", next.path, -made);
        unsynced_.insert(from.path);
        fd = calls_.open(from.fd.get(), name.c_str(), walking, 0);
    }
    if (fd < 0) return failed("open", next.path, -fd);
    next.fd = descriptor(fd);
    return next;
}

result<directory_tree::place> directory_tree::open_root(bool create) {
    if (!problem_.empty()) return error(disposition::stop, problem_);
    auto at = open_base();
    for (const auto& part : bucket_) {
        if (!at) return at;
        auto next = enter(*at, part, create);
        if (!next && next.error().what() == disposition::park)  // a wrong bucket is not the event's fault
            return error(disposition::stop, next.error().details());
        at = std::move(next);
    }
    return at;
}

result<directory_tree::place> directory_tree::open_parent(const std::vector<std::string>& key, bool create) {
    auto at = open_root(create);
    for (std::size_t i = 0; at && i + 1 < key.size(); ++i) at = enter(*at, key[i], create);
    return at;
}

result<> directory_tree::open_temporary() {
    struct stat s{};
    if (temporary_ && calls_.status(temporary_.get(), "", s) == 0 && s.st_nlink > 0) return {};
    temporary_ = descriptor();
    auto root = open_root(true);
    if (!root) return root.error();
    const std::string folder(temporary_folder);
    for (int attempt = 0; attempt < 100; ++attempt) {
        const int made = calls_.make_directory(root->fd.get(), folder.c_str(), 0700);
        if (made < 0 && made != -EEXIST) return failed("mkdir", root->path + "/" + folder, -made);
        auto all = enter(*root, folder, false);
        if (!all) continue;  // its last user took it away
        clear_leftovers(*all);
        temporary_name_ = std::to_string(attempt);
        const auto path = all->path + "/" + temporary_name_;
        const int own = calls_.make_directory(all->fd.get(), temporary_name_.c_str(), 0700);
        if (own == -EEXIST || own == -ENOENT) continue;
        if (own < 0) return failed("mkdir", path, -own);
        descriptor mine(
            calls_.open(all->fd.get(), temporary_name_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0));
        // Between the two calls somebody who clears leftovers may have taken it for one.
        if (!mine || calls_.lock(mine.get()) < 0 || calls_.status(mine.get(), "", s) < 0 || s.st_nlink == 0)
            continue;
        temporary_ = std::move(mine);
        return {};
    }
    return error(disposition::retry,
                 "no folder for temporary files could be made in " + root->path + "/" + folder);
}

std::vector<directory_tree::entry> directory_tree::read_directory(int at, error_code& ec) {
    std::vector<entry> found;
    const int fd = calls_.open(at, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR* opened = fd < 0 ? nullptr : ::fdopendir(fd);
    if (!opened) {
        ec = error_code(fd < 0 ? -fd : errno, boost::system::system_category());
        if (fd >= 0) descriptor(fd).release();
        return found;
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> closing(opened, ::closedir);
    for (errno = 0; const dirent* next = ::readdir(opened); errno = 0) {
        const std::string_view name = next->d_name;
        if (name == "." || name == ".." || name == temporary_folder) continue;
        auto kind = next->d_type;
        if (kind == DT_UNKNOWN) {
            struct stat s{};
            if (calls_.status(at, next->d_name, s) < 0) continue;
            kind = S_ISDIR(s.st_mode) ? DT_DIR : S_ISREG(s.st_mode) ? DT_REG : DT_LNK;
        }
        if (kind == DT_DIR || kind == DT_REG) found.push_back({std::string(name), kind == DT_DIR});
    }
    if (errno != 0) ec = error_code(errno, boost::system::system_category());
    return found;
}

void directory_tree::clear_leftovers(const place& all) {
    error_code ignored;
    for (const auto& folder : read_directory(all.fd.get(), ignored)) {
        if (!folder.is_directory) continue;
        const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
        const descriptor old(calls_.open(all.fd.get(), folder.name.c_str(), flags, 0));
        if (!old || calls_.lock(old.get()) < 0) continue;  // its owner lives
        for (const auto& file : read_directory(old.get(), ignored))
            calls_.remove(old.get(), file.name.c_str(), 0);
        calls_.remove(all.fd.get(), folder.name.c_str(), AT_REMOVEDIR);
    }
}

result<> directory_tree::write_body(int file, const tree_put& request, const std::string& path) {
    if (!request.file) return write_bytes(file, *request.body, path);
    return read_in_steps(*request.file, [&](bytes_view some) {
        const payload piece{some};
        return write_bytes(file, piece, path);
    });
}

result<> directory_tree::write_bytes(int file, const payload& body, const std::string& path) {
    std::vector<iovec> parts;
    for (const auto piece : body)
        if (!piece.empty()) parts.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
    for (std::size_t at = 0; at < parts.size();) {
        const auto count = static_cast<int>(std::min<std::size_t>(parts.size() - at, IOV_MAX));
        auto written = calls_.write(file, &parts[at], count);
        if (written == -EINTR) continue;
        if (written == 0) written = -EIO;  // cannot happen for a regular file, and would never end
        if (written < 0) return failed("write", path, static_cast<int>(-written));
        for (auto left = static_cast<std::size_t>(written); left > 0;) {
            auto& part = parts[at];
            const auto taken = std::min(left, part.iov_len);
            part.iov_base = static_cast<std::byte*>(part.iov_base) + taken;
            part.iov_len -= taken;
            left -= taken;
            if (part.iov_len == 0) ++at;
        }
    }
    return {};
}

result<> directory_tree::write_temporary(writing& object, bool sync) {
    auto name = std::to_string(next_name_++);
    const auto path = root_path() + "/" + std::string(temporary_folder) + "/" + temporary_name_ + "/" + name;
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    const descriptor file(calls_.open(temporary_.get(), name.c_str(), flags, 0666));
    if (!file) return failed("open", path, -file.get());
    object.temporary = std::move(name);
    auto written = write_body(file.get(), *object.request, path);
    if (!written || !sync) return written;
    const int synced = calls_.sync(file.get());
    if (synced < 0) return sync_failed("fsync", path, -synced);
    return {};
}

int directory_tree::place_if_absent(const writing& object, int parent) {
    const auto* from = object.temporary.c_str();
    const auto* to = object.key.back().c_str();
    int placed = calls_.rename(temporary_.get(), from, parent, to, RENAME_NOREPLACE);
    if (placed == -EINVAL || placed == -ENOSYS)  // the file system does not know the flag
        placed = calls_.link(temporary_.get(), from, parent, to);
    return placed;
}

/// True when a whole file with these very bytes lies under the key: a repeated run, or a delivery whose
/// verdict was lost. Writing it anew would make a file and free another, which costs most of a put.
bool directory_tree::is_there_already(const writing& object, bool sync) {
    auto parent = open_parent(object.key, false);
    if (!parent) return false;
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    const descriptor file(calls_.open(parent->fd.get(), object.key.back().c_str(), flags, 0));
    struct stat s{};
    if (!file || ::fstat(file.get(), &s) < 0 || !S_ISREG(s.st_mode)) return false;
    const auto& request = *object.request;
    const std::uint64_t size = request.file ? request.file->size() : size_of(*request.body);
    if (static_cast<std::uint64_t>(s.st_size) != size) return false;
    std::vector<std::byte> chunk(64 << 10);
    off_t at = 0;
    const auto continues_with = [&](bytes_view piece) {
        while (!piece.empty()) {
            const auto n = ::pread(file.get(), chunk.data(), std::min(chunk.size(), piece.size()), at);
            if (n <= 0) return false;
            const auto part = piece.first(static_cast<std::size_t>(n));
            if (std::memcmp(part.data(), chunk.data(), part.size()) != 0) return false;
            piece = piece.subspan(part.size());
            at += n;
        }
        return true;
    };
    if (request.file) {
        const auto compared = read_in_steps(*request.file, [&](bytes_view some) -> result<> {
            if (!continues_with(some)) return error(disposition::retry, "another body");
            return {};
        });
        if (compared.has_error()) return false;
    } else if (!std::ranges::all_of(*request.body, continues_with)) {
        return false;
    }
    return !sync || calls_.sync(file.get()) == 0;  // its writer may not have come so far
}

/// Renames the temporary file, or finds that nothing had to be written.
result<> directory_tree::put_in_place(writing& object) {
    auto& request = *object.request;
    auto parent = open_parent(object.key, true);
    if (!parent) return parent.error();
    const auto& name = object.key.back();
    const int fd = parent->fd.get();
    const int placed = object.temporary.empty() ? 0
                       : request.only_if_absent
                           ? place_if_absent(object, fd)
                           : calls_.rename(temporary_.get(), object.temporary.c_str(), fd, name.c_str(), 0);
    const bool was_there = request.only_if_absent && placed == -EEXIST;
    if (placed < 0 && !was_there) return failed("rename", parent->path + "/" + name, -placed);
    unsynced_.insert(parent->path);  // even of an object that was there: its writer may not be so far
    auto info = describe(*parent, name, request.key);
    if (!info) return info.error();
    request.outcome.emplace(std::move(*info));
    return {};
}

void directory_tree::drop_temporary(writing& object) {
    if (!object.temporary.empty()) calls_.remove(temporary_.get(), object.temporary.c_str(), 0);
    object.temporary.clear();
}

result<> directory_tree::sync_names(bool everything) {
    if (everything || unsynced_.size() > few_directories) {
        const int synced = calls_.sync_file_system(temporary_.get());
        if (synced < 0) return sync_failed("syncfs", root_path(), -synced);
        unsynced_.clear();
        return {};
    }
    while (!unsynced_.empty()) {
        const auto path = *unsynced_.begin();
        auto at = open_base();
        for (auto from = base_.string().size() + 1; at && from < path.size();) {
            const auto end = std::min(path.find('/', from), path.size());
            at = enter(*at, path.substr(from, end - from), false);
            from = end + 1;
        }
        if (!at && at.error().what() != disposition::stop && is_gone(at.error().code())) {
            unsynced_.erase(unsynced_.begin());  // somebody removed it, and what was in it
            continue;
        }
        if (!at) return at.error();
        const descriptor directory(calls_.open(at->fd.get(), ".", O_RDONLY | O_DIRECTORY, 0));
        if (!directory) return failed("open", path, -directory.get());
        const int synced = calls_.sync(directory.get());
        if (synced < 0) return sync_failed("fsync", path, -synced);
        unsynced_.erase(unsynced_.begin());
    }
    return {};
}

void directory_tree::put(std::span<tree_put* const> group) {
    std::vector<writing> objects;
    auto ready = open_temporary();
    for (auto* request : group) {
        if (!ready) {
            request->outcome.emplace(ready.error());
            continue;
        }
        auto split = split_path(request->key);
        if (!split.problem.empty()) {
            request->outcome.emplace(refused(request->key, split.problem));
            continue;
        }
        objects.push_back({request, std::move(split.parts), {}});
    }

    const auto refuse = [this](writing& object, const error& why) {
        drop_temporary(object);
        object.request->outcome.emplace(why);
    };
    const bool together = group.size() >= sync_together_from_;
    for (auto& object : objects) {
        if (is_there_already(object, !together)) continue;
        auto written = write_temporary(object, !together);
        if (!written) refuse(object, written.error());
    }
    if (together) {
        const int synced = calls_.sync_file_system(temporary_.get());
        for (auto& object : objects)
            if (synced < 0 && !object.request->outcome)
                refuse(object, sync_failed("syncfs", root_path(), -synced));
    }
    bool placed_any = false;
    for (auto& object : objects) {
        if (object.request->outcome) continue;
        auto placed = put_in_place(object);
        if (!placed) object.request->outcome.emplace(placed.error());
        placed_any = placed_any || placed.has_value();
        drop_temporary(object);  // what a rename took away is not there any more
    }
    if (!placed_any) return;
    auto durable = sync_names(first_);
    if (durable) {
        first_ = false;
        return;
    }
    for (auto& object : objects)
        if (object.request->outcome->has_value()) object.request->outcome.emplace(durable.error());
}

result<object_info> directory_tree::describe(const place& parent, const std::string& name,
                                             std::string_view key) {
    struct stat s{};
    const int found = calls_.status(parent.fd.get(), name.c_str(), s);
    if (found == -ENOENT || (found == 0 && S_ISDIR(s.st_mode))) return absent(key);
    if (found < 0) return failed("stat", parent.path + "/" + name, -found);
    return describe(s, parent.path + "/" + name, key);
}

result<object_info> directory_tree::describe(const struct stat& s, const std::string& path,
                                             std::string_view key) {
    if (!S_ISREG(s.st_mode)) return refused(key, path + " is a link or a device, not an ordinary file");
    object_info info;
    info.key = key;
    info.size = static_cast<std::uint64_t>(s.st_size);
    info.etag = std::to_string(s.st_mtim.tv_sec) + "." + std::to_string(s.st_mtim.tv_nsec) + "-" +
                std::to_string(info.size);
    return info;
}

result<directory_tree::place> directory_tree::find_parent(std::string_view key, std::string& name) {
    auto split = split_path(key);
    if (!split.problem.empty()) return refused(key, split.problem);
    auto parent = open_parent(split.parts, false);
    const bool nowhere =
        !parent && parent.error().what() != disposition::stop && is_gone(parent.error().code());
    if (nowhere) return absent(key);
    name = std::move(split.parts.back());
    return parent;
}

result<object_info> directory_tree::head(std::string_view key) {
    std::string name;
    auto parent = find_parent(key, name);
    if (!parent) return parent.error();
    return describe(*parent, name, key);
}

result<> directory_tree::remove(std::string_view key) {
    std::string name;
    auto parent = find_parent(key, name);
    auto there = parent ? describe(*parent, name, key) : result<object_info>(parent.error());
    if (!there && is_not_found(there.error())) return {};
    if (!there) return there.error();
    const int removed = calls_.remove(parent->fd.get(), name.c_str(), 0);
    if (removed < 0 && removed != -ENOENT) return failed("unlink", parent->path + "/" + name, -removed);
    const descriptor directory(calls_.open(parent->fd.get(), ".", O_RDONLY | O_DIRECTORY, 0));
    if (!directory) return failed("open", parent->path, -directory.get());
    const int synced = calls_.sync(directory.get());
    if (synced < 0) return sync_failed("fsync", parent->path, -synced);
    return {};
}

/// Size and bytes come from one open file, so they belong together whatever is renamed meanwhile.
result<object_body> directory_tree::read(std::string_view key, byte_range which) {
    std::string name;
    auto parent = find_parent(key, name);
    if (!parent) return parent.error();
    const auto path = parent->path + "/" + name;
    const descriptor file(calls_.open(parent->fd.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0));
    if (file.get() == -ENOENT) return absent(key);
    if (!file) return failed("open", path, -file.get());
    struct stat s{};
    if (::fstat(file.get(), &s) < 0) return failed("stat", path, errno);
    if (S_ISDIR(s.st_mode)) return absent(key);
    auto info = describe(s, path, key);
    if (!info) return info.error();
    object_body out;
    out.info = std::move(*info);
    if (which.first >= out.info.size) return out;
    out.bytes.resize(static_cast<std::size_t>(std::min(which.count, out.info.size - which.first)));
    for (std::size_t at = 0; at < out.bytes.size();) {
        const auto n = ::pread(file.get(), out.bytes.data() + at, out.bytes.size() - at,
                               static_cast<off_t>(which.first + at));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return failed("read", path, n < 0 ? errno : EIO);
        at += static_cast<std::size_t>(n);
    }
    return out;
}

result<> directory_tree::check() {
    auto base = open_base();
    if (!base) return base.error();
    auto root = open_root(false);
    const auto missing = boost::system::errc::no_such_file_or_directory;
    if (root || root.error().code() == missing) return {};
    return root.error();
}

struct directory_tree::walk {
    const std::string& prefix;
    const std::string& from;
    std::size_t limit;
    std::size_t depth = 0;
    bool full = false;
    page answer{};
};

result<page> directory_tree::list(const std::string& prefix, const std::string& from, std::size_t limit) {
    walk state{prefix, from, limit};
    const auto slash = prefix.rfind('/');
    std::vector<std::string> folders;
    if (slash != std::string::npos) {
        auto split = split_path(std::string_view(prefix).substr(0, slash));
        if (!split.problem.empty()) return page();  // no key can begin like that
        folders = std::move(split.parts);
    }
    folders.emplace_back();  // open_parent() leaves the last part out
    auto start = open_parent(folders, false);
    if (!start) {
        const bool nothing = start.error().what() != disposition::stop && is_gone(start.error().code());
        if (nothing) return page();
        return start.error();
    }
    state.depth = folders.size();
    auto listed =
        list_directory(state, *start, slash == std::string::npos ? "" : prefix.substr(0, slash + 1));
    if (!listed) return listed.error();
    if (state.full) state.answer.next = state.answer.items.back().key;
    return std::move(state.answer);
}

result<> directory_tree::list_directory(walk& state, const place& at, const std::string& key) {
    error_code ec;
    auto entries = read_directory(at.fd.get(), ec);
    if (ec) return failed("readdir", at.path, ec.value());
    for (auto& e : entries)
        if (e.is_directory) e.name.push_back('/');  // which is what keys below it compare with
    std::ranges::sort(entries, {}, &entry::name);
    for (auto& e : entries) {
        const auto name = key + e.name;
        if (e.is_directory) {
            const bool may_match = name.starts_with(state.prefix) || state.prefix.starts_with(name);
            const bool listed_before = name < state.from && !state.from.starts_with(name);
            if (!may_match || listed_before || state.depth == deepest_key) continue;
            e.name.pop_back();
            auto below = enter(at, e.name, false);
            if (!below && below.error().what() == disposition::stop) return below.error();
            if (!below) continue;  // removed or replaced a moment ago
            ++state.depth;
            auto listed = list_directory(state, *below, name);
            --state.depth;
            if (!listed || state.full) return listed;
            continue;
        }
        if (!name.starts_with(state.prefix) || name <= state.from) continue;
        if (state.answer.items.size() == state.limit) {
            state.full = true;
            return {};
        }
        auto info = describe(at, e.name, name);
        if (info) state.answer.items.push_back(std::move(*info));
    }
    return {};
}

}  // namespace firehose::storage
