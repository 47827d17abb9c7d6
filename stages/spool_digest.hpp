/// What one finished segment of a spool journal holds, kept beside it so that a start need not read it.
#pragma once
#include "stages/spool_record.hpp"
#include "storage/journal_recovery.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace firehose::stages {

/// One record of a segment as an index needs it. 40 bytes in the file.
struct digest_put {
    storage::sequence record = 0;
    std::uint32_t offset = 0;        ///< in the segment
    std::uint32_t length = 0;        ///< of the journal record
    std::uint32_t body = 0;          ///< bytes
    std::uint32_t body_sum = 0;      ///< CRC-32C of the body
    std::uint32_t first_failed = 0;  ///< seconds since 1970
    std::uint32_t attempts = 0;
    std::int64_t next_at = 0;  ///< wall clock ticks
};

/// What a segment says about a record, of its own or of an earlier one. 26 bytes in the file.
struct digest_mark {
    std::uint16_t type = 0;  ///< spool_record::kind: failed, leased, returned
    std::uint32_t attempts = 0;
    std::uint32_t offset = 0;  ///< in the segment
    storage::sequence record = 0;
    std::int64_t next_at = 0;
};

/// A pure function of the segment's bytes. Everything but `puts` is read at a start.
struct segment_digest {
    storage::segment_info segment{};
    std::int64_t modified = 0;                 ///< of the segment's file when it was read
    std::uint64_t foreign = 0;                 ///< intact records that are none of a spool's
    std::string header{};                      ///< JSON of the last put
    std::string why{};                         ///< JSON of the last failure, when that came later
    std::uint64_t records = 0;                 ///< puts
    std::uint64_t bytes = 0;                   ///< of their bodies
    storage::sequence first = 0;               ///< of the puts
    std::int64_t due_from = 0;                 ///< the earliest next_at
    std::uint32_t oldest = 0;                  ///< the earliest first_failed
    std::vector<digest_mark> marks{};          ///< in order, but of records that are not settled here
    std::vector<storage::sequence> settled{};  ///< after the marks; sorted
    std::vector<digest_put> puts{};            ///< in the order of the segment
};

/// Collects a digest while a segment's records are visited. Memory: what the digest will need; of marks that
/// are settled in the same segment, as nearly all are while a backlog is drained, a bounded number.
class digest_builder {
public:
    void add(const storage::recovered_record& record);
    segment_digest take(const storage::segment_info& of, std::int64_t modified);

private:
    void add_put(const storage::recovered_record& record, const spool_record::put_view& put);
    void add_mark(const digest_mark& mark);
    void forget_settled_marks();

    static constexpr std::size_t marks_at_first = 65'536;
    segment_digest made_;
    std::size_t forget_at_ = marks_at_first;  // so many marks
};

/// The `index/` directory of a journal. A digest that is missing, damaged or older than its segment is as
/// good as none: the segment is read instead. Everything in it may be deleted at any time. Blocking.
class digest_folder {
public:
    /// look: nothing is written or removed.
    enum class use { own, look };

    /// Only segments of `from_bytes` get a digest: smaller ones are as quickly read.
    digest_folder(storage::file_system& fs, std::filesystem::path journal, std::uint32_t max_payload,
                  std::uint64_t from_bytes, use how)
        : fs_(fs),
          journal_(std::move(journal)),
          folder_(journal_ / "index"),
          max_payload_(max_payload),
          from_bytes_(from_bytes),
          how_(how) {}

    /// Without its puts; nothing unless it is of the segment as it is now.
    std::optional<segment_digest> find(const storage::journal_format::segment_name& segment,
                                       const storage::entry_status& now) const;
    /// From the digest, or else from the segment itself.
    std::vector<digest_put> puts(const storage::journal_format::segment_name& segment) const;
    /// Makes the segment durable, then writes. False: it has none, which does not matter.
    bool write(const segment_digest& digest) const;
    /// Reads a segment nobody appends to any more and writes its digest. Nothing when that failed.
    std::optional<segment_digest> make(const storage::journal_format::segment_name& segment) const;
    void remove(const storage::journal_format::segment_name& segment) const;
    /// Removes what belongs to no segment of the list.
    void keep_only(const std::vector<storage::segment_info>& segments) const;

private:
    std::filesystem::path path_of(const storage::journal_format::segment_name& segment) const;

    storage::file_system& fs_;
    std::filesystem::path journal_, folder_;
    std::uint32_t max_payload_;
    std::uint64_t from_bytes_;
    use how_;
};

}  // namespace firehose::stages
