/// What the spool tests share: a shard, a directory spool that can be opened again, entries by number.
#pragma once
#include "stages/directory_spool.hpp"
#include "tests/faults/faulty_files.hpp"
#include "tests/faults/memory_files.hpp"
#include "tests/support/shard_fixture.hpp"

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace firehose {

class spool_fixture : public shard_fixture {
public:
    using spool_ptr = std::unique_ptr<stages::directory_spool>;

    result<spool_ptr> try_open(storage::file_system& fs, stages::directory_spool_options how = {}) {
        return run(stages::directory_spool::open(x, fs, "/data", how));
    }
    spool_ptr open(storage::file_system& fs, stages::directory_spool_options how = {}) {
        auto opened = try_open(fs, how);
        if (opened.has_error()) throw std::runtime_error(opened.error().context());
        return std::move(*opened);
    }
    stages::spool_entry entry(const std::string& bucket, const std::string& id, std::size_t size = 20) {
        bodies.push_back(id + std::string(size, '.'));
        stages::spool_entry e;
        e.header.event_id = id;
        e.header.to.service = "aws";
        e.header.to.type = "s3";
        e.header.to.bucket = bucket;
        e.header.key = id + ".json";
        e.header.attempts = 1;
        e.body = as_bytes(bodies.back());
        return e;
    }
    /// Lets everything be delivered; returns how often each id came. Bodies are checked.
    std::map<std::string, int> deliver_all(stages::directory_spool& from) {
        std::map<std::string, int> seen;
        for (;;) {
            stages::lease_query all;
            auto got = run(from.lease(all));
            if (got.has_error()) throw std::runtime_error(got.error().context());
            if (got->empty()) return seen;
            for (const auto& one : *got) {
                if (!as_text(one.body).starts_with(one.header.event_id + "."))
                    throw std::runtime_error("wrong body");
                ++seen[one.header.event_id];
                stages::settlement what = stages::delivered();
                auto done = run(from.settle(one.lease, what));
                if (done.has_error()) throw std::runtime_error(done.error().context());
            }
        }
    }

    faults::memory_files disk;
    std::deque<std::string> bodies;
};

}  // namespace firehose
