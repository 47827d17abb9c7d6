/// One destination's share of a directory spool. Internal to stages: not installed.
#pragma once
#include "stages/directory_spool.hpp"
#include "stages/drain_meter.hpp"
#include "stages/spool_journal.hpp"
#include "stages/spool_view.hpp"

namespace firehose::stages {

struct directory_spool::queue {
    queue(context& x, storage::file_system& fs, std::filesystem::path where, const options& how)
        : directory(where),
          records(x, fs, where, journal_options_of(how), limits_of(how)),
          dead_letters(x, fs, where / "parked", journal_options_of(how), limits_of(how)) {}

    static storage::journal_options journal_options_of(const options& how) {
        storage::journal_options out;
        out.segment_bytes = how.segment_bytes;
        out.max_payload = how.max_record;
        return out;
    }
    static spool_journal_limits limits_of(const options& how) {
        spool_journal_limits out;
        out.digest_from_bytes = how.digest_from_bytes;
        out.compact_from_bytes = how.compact_from_bytes;
        return out;
    }

    std::filesystem::path directory;
    storage::destination to{};
    bool described = false;  ///< destination.json is there
    spool_journal records;
    spool_journal dead_letters;
    drain_meter drain{};
};

/// What an append left in one journal, so that it can be taken back.
struct directory_spool::placed {
    spool_journal* in = nullptr;
    std::unique_ptr<spool_journal::appended> what{};
};

}  // namespace firehose::stages
