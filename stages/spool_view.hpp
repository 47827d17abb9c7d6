/// What a person sees of a spool: its records one by one, chosen by a filter, and whether its files are
/// intact.
#pragma once
#include "stages/spool_backend.hpp"
#include "storage/body_file.hpp"
#include "storage/file_system.hpp"
#include "storage/journal_format.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firehose::stages {

/// One kept record. `body` is valid during the call that is handed it, `file` as long as the record is there.
struct kept_record {
    /// "<hash of the destination>/<number>", of dead letters "<hash>/parked/<number>". Stays the same unless
    /// the record is parked, brought back, or written anew because it held an old file.
    std::string id{};
    bool parked = false;
    spool_header header{};
    bytes_view body{};
    std::shared_ptr<const storage::body_file> file{};  ///< where the body lies, and not in `body`

    std::uint64_t bytes() const noexcept { return file ? file->size() : body.size(); }
};

/// Which records: all conditions that are set must hold.
struct spool_filter {
    bool waiting = true;
    bool parked = true;
    std::string service{};
    std::string bucket{};
    std::string destination{};  ///< its hash, or "service bucket/prefix" as `spool ls` prints it
    std::string flow{};
    std::string error{};  ///< part of the last error's code, class or message, or its status; any case
    std::optional<time_source::wall> failed_before{};  ///< first
    std::vector<std::string> ids{};                    ///< record, event or key; any of them

    bool wants(const storage::destination& to) const;
    bool matches(const kept_record& one) const;
};

std::string record_id(const storage::destination& to, bool parked, storage::sequence number);

/// Hands every record that `which` lets pass to `visit`, oldest first within a destination, its dead letters
/// after the others; `visit` returns false to end. Needs no lock and changes nothing, so it works beside a
/// process that runs on the spool; then it is a moment's view, and records that leave meanwhile may be
/// missing. Returns how many could not be read. Memory: 48 bytes per record of one destination that is not
/// covered by a digest, and one record. Blocks.
result<std::uint64_t> visit_kept(storage::file_system& fs, const std::filesystem::path& data_dir,
                                 const spool_filter& which,
                                 const std::function<bool(const kept_record&)>& visit);

/// What lies in the spool of `data_dir`, without a lock and without changing anything, also while another
/// process runs on it; then it is a moment's view. Blocks.
result<std::vector<backlog>> inspect(storage::file_system& fs, const std::filesystem::path& data_dir,
                                     time_source::wall now);

/// One journal, read from end to end.
struct spool_check {
    storage::destination to{};
    bool parked = false;
    std::uint64_t intact = 0;          ///< journal records, marks included
    std::uint64_t undelivered = 0;     ///< spool records among them
    std::uint64_t damaged_ranges = 0;  ///< that no start has found and kept in quarantine/ yet
    std::uint64_t damaged_bytes = 0;
    std::uint64_t quarantined_files = 0;  ///< kept by earlier starts
    std::uint64_t quarantined_bytes = 0;
    std::uint64_t unreadable_files = 0;
    std::uint64_t newer_files = 0;
    std::uint64_t damaged_bodies = 0;  ///< of records, in files of their own
    std::vector<std::string> notes{};  ///< one sentence per finding

    bool good() const { return damaged_ranges + unreadable_files + newer_files + damaged_bodies == 0; }
};

/// Checks the checksum of every record, dead letters too. Changes nothing and needs no lock. An unfinished
/// write at the end of a journal is no damage: a process may be at it. Blocks.
result<std::vector<spool_check>> verify_spool(storage::file_system& fs,
                                              const std::filesystem::path& data_dir);

}  // namespace firehose::stages
