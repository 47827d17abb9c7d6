/// What the journal tests share: a shard, a file system in memory, short ways to append and to look.
#pragma once
#include "storage/journal.hpp"
#include "tests/faults/faulty_files.hpp"
#include "tests/faults/memory_files.hpp"
#include "tests/support/shard_fixture.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace firehose {

/// What a recovery visits: payload by sequence.
using found_records = std::map<storage::sequence, std::string>;

class journal_fixture : public shard_fixture {
public:
    static constexpr const char* directory = "/j";

    result<std::unique_ptr<storage::journal>> try_open(storage::file_system& fs, found_records& found,
                                                       storage::journal_options how = {}) {
        storage::record_visitor visit = [&found](const storage::recovered_record& r) {
            found[r.where.first] = as_text(r.payload);
        };
        return run(storage::journal::open(x, fs, directory, how, std::move(visit)));
    }
    std::unique_ptr<storage::journal> open(storage::file_system& fs, storage::journal_options how = {}) {
        recovered.clear();
        auto opened = try_open(fs, recovered, how);
        if (opened.has_error()) throw std::runtime_error(opened.error().context());
        return std::move(*opened);
    }
    task<result<std::vector<storage::record_location>>>
    append_one(storage::journal& to, std::string payload,
               storage::durability how = storage::durability::synced) {
        storage::journal_input input;
        input.type = 1;
        input.body = as_bytes(payload);
        auto inputs = std::span<const storage::journal_input>(&input, 1);
        co_return co_await to.append(inputs, how);
    }
    result<storage::record_location> append(storage::journal& to, std::string payload) {
        auto done = run(append_one(to, std::move(payload)));
        if (done.has_error()) return done.error();
        return done->front();
    }

    faults::memory_files disk;
    found_records recovered;
};

inline std::vector<std::string> values(const found_records& found) {
    std::vector<std::string> out;
    for (const auto& one : found) out.push_back(one.second);
    return out;
}

}  // namespace firehose
