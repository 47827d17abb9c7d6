/// A body that lies in a file instead of in memory: of a large object, on its way or in the spool.
#pragma once
#include "pipeline/bytes.hpp"
#include "storage/file_system.hpp"
#include "storage/store.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firehose::storage {

/// Length and checksums of a body: CRC-32C of each MiB, collected while it is written.
class body_sums {
public:
    static constexpr std::uint64_t step = 1u << 20;

    void add(bytes_view more);
    std::uint64_t size() const noexcept { return size_; }
    /// Of the bytes from `index` steps on, `step` of them or what there is.
    std::optional<std::uint32_t> sum_at(std::uint64_t index) const noexcept;

    /// Little-endian: u64 size, then a u32 for each step. Equal for equal bodies.
    std::string encode() const;
    /// Empty for bytes that encode() does not write.
    static std::optional<body_sums> decode(bytes_view text);

private:
    std::uint64_t size_ = 0;
    std::vector<std::uint32_t> sums_{};
};

/// Does not change any more, or only grows beyond `size()`. Any thread.
class body_file {
public:
    /// Whoever removes the file waits until `keeps` is let go of, unless it is null.
    body_file(file_system& fs, std::filesystem::path path, body_sums sums,
              std::shared_ptr<const void> keeps = nullptr);

    std::uint64_t size() const noexcept { return sums_.size(); }
    const std::filesystem::path& path() const noexcept { return path_; }
    /// What stands for the bytes in a spool record: body_sums::encode().
    bytes_view fingerprint() const noexcept { return as_bytes(fingerprint_); }

    struct piece {
        slab backing{};
        bytes_view bytes{};  ///< in `backing`
    };
    /// That part of it, which must lie inside, compared with its checksums; reads a MiB more at most on
    /// either side. Blocks. A file that is gone, too short or damaged is an error with disposition park and
    /// code EBADMSG or ENOENT, what the system refuses one with retry.
    result<piece> read(byte_range which) const;
    /// fdatasync(2). Blocks. Once it has failed, nobody knows what is on the disk, and it fails for ever.
    result<> sync() const;

private:
    error damaged(std::uint64_t at) const;

    file_system* fs_;
    std::filesystem::path path_;
    body_sums sums_;
    std::string fingerprint_;
    std::shared_ptr<const void> keeps_;
    mutable std::atomic<bool> doubtful_{false};
};

/// Hands all bytes to `take` (result<>(bytes_view)), some MiB at a time, until it fails. Blocks.
template <class F> result<> read_in_steps(const body_file& from, F take) {
    constexpr std::uint64_t at_once = 4 * body_sums::step;
    for (std::uint64_t at = 0; at < from.size(); at += at_once) {
        const auto some = from.read({at, std::min(at_once, from.size() - at)});
        if (some.has_error()) return some.error();
        result<> taken = take(some->bytes);
        if (taken.has_error()) return taken;
    }
    return {};
}

}  // namespace firehose::storage
