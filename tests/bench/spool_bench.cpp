// A large backlog: fills a directory spool, opens it again, and drains it, with the memory each step took.
//   spool_bench [RECORDS [DIRECTORY [fill|open|drain|all]]]      10 million are about 11 GB of disk
// With a DIRECTORY what was made stays there, for `firehose spool ls` and for the other steps.
#include "pipeline/log.hpp"
#include "stages/directory_spool.hpp"
#include "tests/contract/real_shard.hpp"
#include "tests/contract/temporary_directory.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

using namespace firehose;
using namespace firehose::stages;

namespace {

constexpr std::size_t at_once = 1024;
constexpr std::size_t body_bytes = 800;

double seconds_since(std::chrono::steady_clock::time_point begun) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

/// Resident now and at most, in MB.
std::string memory() {
    std::ifstream status("/proc/self/status");
    std::string line, out;
    while (std::getline(status, line))
        if (line.starts_with("VmHWM") || line.starts_with("VmRSS")) out += " " + line;
    for (char& c : out)
        if (c == '\t') c = ' ';
    return out;
}

class bench {
public:
    bench(std::uint64_t records, std::filesystem::path data_dir)
        : records_(records), data_dir_(std::move(data_dir)) {}

    task<> fill(context& x) {
        auto spool = co_await open(x);
        const auto begun = std::chrono::steady_clock::now();
        std::string body(body_bytes, 'x');
        for (std::uint64_t n = 0; n < records_;) {
            std::vector<std::string> bodies;
            std::vector<spool_entry> entries;
            for (std::size_t i = 0; i < at_once && n < records_; ++i, ++n) {
                const auto id = std::to_string(n);
                bodies.push_back("{\"id\":\"" + id + "\",\"text\":\"" + body + "\"}");
                entries.push_back(entry(x, id));
            }
            for (std::size_t i = 0; i < entries.size(); ++i) entries[i].body = as_bytes(bodies[i]);
            auto kept = co_await spool->append(entries);
            if (kept.has_error()) throw std::runtime_error(kept.error().context());
        }
        const double took = seconds_since(begun);
        std::printf("filled  %llu records in %.1f s, %.0f/s;%s\n", number(records_), took,
                    static_cast<double>(records_) / took, memory().c_str());
    }

    task<> drain(context& x) {
        auto spool = co_await open(x);
        const auto begun = std::chrono::steady_clock::now();
        std::uint64_t done = 0;
        const settlement what = delivered();
        lease_query which;
        which.max_records = at_once;
        for (;;) {
            auto got = co_await spool->lease(which);
            if (got.has_error()) throw std::runtime_error(got.error().context());
            if (got->empty()) break;
            // Together, as uploads do that end in the same moment: they share their syncs.
            const leased_records& all = *got;
            co_await settle_all(x, *spool, all, what);
            done += all.size();
        }
        const double took = seconds_since(begun);
        std::printf("drained %llu records in %.1f s, %.0f/s;%s\n", number(done), took,
                    static_cast<double>(done) / took, memory().c_str());
    }

    task<std::unique_ptr<directory_spool>> open(context& x) {
        const auto begun = std::chrono::steady_clock::now();
        const directory_spool_options how;
        auto opened = co_await directory_spool::open(x, files_, data_dir_, how);
        if (opened.has_error()) throw std::runtime_error(opened.error().context());
        std::uint64_t records = 0;
        for (const auto& row : (*opened)->contents()) records += row.records;
        std::printf("opened  %llu records in %.2f s;%s\n", number(records), seconds_since(begun),
                    memory().c_str());
        co_return std::move(*opened);
    }

private:
    using leased_records = std::vector<leased_record>;
    static unsigned long long number(std::uint64_t n) { return n; }

    static spool_entry entry(context& x, const std::string& id) {
        spool_entry e;
        e.header.event_id = id;
        e.header.group_id = "group";
        e.header.flow_id = "5fd4371e940df5a34a3888b2";
        e.header.to.service = "aws";
        e.header.to.type = "s3";
        e.header.to.bucket = "backlog";
        e.header.to.credential_id = "507f1f77bcf86cd799439011";
        e.header.key = "group/" + id + ".json";
        e.header.first_failed_at = x.time.wall_now();
        e.header.next_at = e.header.first_failed_at;
        e.header.last_error.disposition = "retry";
        e.header.last_error.message = "connect: Connection refused";
        return e;
    }

    static task<> settle_one(directory_spool& spool, lease_id lease, settlement what) {
        auto done = co_await spool.settle(lease, what);
        if (done.has_error()) throw std::runtime_error(done.error().context());
    }
    task<> settle_all(context& x, directory_spool& spool, const leased_records& all, const settlement& what) {
        return with_scope(x.ex,
                          [&spool, &all, &what](task_scope& s) { return start_all(spool, all, what, s); });
    }
    static task<> start_all(directory_spool& spool, const leased_records& all, const settlement& what,
                            task_scope& s) {
        for (const leased_record& one : all) s.spawn(settle_one(spool, one.lease, what));
        co_return;
    }

    std::uint64_t records_;
    std::filesystem::path data_dir_;
    storage::system_files files_{};
};

}  // namespace

int main(int argc, char** argv) {
    const std::uint64_t records = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 20'000;
    const contract::temporary_directory scratch;
    const std::filesystem::path where = argc > 2 ? argv[2] : scratch.path.string();
    const std::string step = argc > 3 ? argv[3] : "all";
    contract::real_shard shard;
    bench b(records, where);
    if (step == "fill" || step == "all") shard.run(b.fill(shard.x));
    if (step == "open" || step == "all") shard.run(b.open(shard.x)).reset();
    if (step == "drain" || step == "all") shard.run(b.drain(shard.x));
}
