/// Objects as files below one directory: whole, on the disk, and never outside it.
#pragma once
#include "pipeline/wait_queue.hpp"
#include "storage/registry.hpp"
#include "storage/store.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace firehose::storage {

class file_calls;
class directory_tree;

struct directory_options {
    /// From so many puts at once they share one syncfs(2). See the class.
    std::size_t sync_together_from = 8;
    std::size_t largest_group = 512;  ///< puts written by one job of the blocking pool
    std::size_t page_size = 1000;     ///< of list()
    file_calls* calls = nullptr;      ///< for tests of failing disks; null: the system's
};

/// The root is base/bucket, where bucket is one or more ordinary path components; it is created by the
/// first put(). The key a/b.json is the file root/a/b.json.
///
/// Inside: a key or bucket with an empty part, ".", "..", a NUL, a part over 255 bytes or over 1024 bytes
/// in all is refused (park). Paths are walked one component at a time and symbolic links are never
/// followed, so nothing outside the root is touched even when somebody plants links below it.
///
/// Durable: an object is written under a temporary name in root/.firehose-tmp, synced, renamed, and its
/// directory synced, before put() succeeds. A name holds a whole object or the one before, also after
/// kill -9 or a power cut. Temporary files of a killed process are removed by the next one's first put();
/// a lock tells them from those of a living one, so several processes may share a root.
///
/// Group commit: an fsync costs 0.4 ms for a small file, because each waits for a commit of the file
/// system's journal. Puts that arrive while a commit runs are therefore gathered, written by one job,
/// and, from `sync_together_from` of them, made durable by one syncfs(2) for all bodies and one for
/// all names: 200 files in 5 ms instead of 76. It also writes out what others have pending on that file
/// system, which is why a few files are synced one by one. Linux reports write errors from syncfs since 5.8.
///
/// Single shard. Calls block a thread of context::blocking, never the shard. Cancellation takes a put out
/// as long as its group has not begun; after that it waits for the group's end, because the job reads the
/// caller's bytes, and the object is stored. A disk that hangs therefore hangs the call; deadlines are
/// looked at before a group begins.
///
/// Errors: no space, I/O error, too many open files: retry. No permission, read-only, base directory
/// missing, bucket unusable: stop. A key that cannot be a file, or whose way is barred by a file or a link:
/// park. Each names the path and what to do about it.
class directory_store final : public store {
public:
    directory_store(context& x, std::filesystem::path base, std::string bucket, directory_options how = {});
    directory_store(const directory_store&) = delete;
    ~directory_store() override;

    const capabilities& can() const noexcept override { return can_; }
    task<result<object_info>> put(const std::string& key, const payload& body, const put_options& how,
                                  time_source::steady deadline) override;
    task<result<object_info>> put_file(const std::string& key, const body_file& body, const put_options& how,
                                       time_source::steady deadline) override;
    task<result<object_info>> head(const std::string& key, time_source::steady deadline) override;
    task<result<page>> list(const std::string& prefix, const std::string& from,
                            time_source::steady deadline) override;
    /// Leaves the folders of the object's path, even when they are empty now.
    task<result<>> remove(const std::string& key, time_source::steady deadline) override;
    /// Not offered: can().max_parts is 0 and this is always an error.
    task<result<std::unique_ptr<multipart>>> start_multipart(const std::string& key, const put_options& how,
                                                             time_source::steady deadline) override;
    task<result<object_body>> get(const std::string& key, byte_range which,
                                  time_source::steady deadline) override;
    /// The base directory is there; the bucket too, or it could be made by the first put().
    task<result<>> check(time_source::steady deadline) override;

private:
    struct waiting;
    task<result<object_info>> put_in_turn(waiting mine);
    task<> settle(waiting& mine);
    task<> commit();
    std::vector<waiting*> take_group();

    context& x_;
    directory_options how_;
    capabilities can_;
    std::unique_ptr<directory_tree> tree_;
    std::vector<waiting*> queue_;
    bool committing_ = false;
    wait_queue changed_;
};

/// `"type": "directory"`. The bucket is a folder below the directory of the configuration file; absolute
/// paths and ".." are refused, since an event may name its own.
store_kind directory_kind();

}  // namespace firehose::storage
