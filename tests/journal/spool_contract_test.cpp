#include "stages/directory_spool.hpp"
#include "stages/memory_spool.hpp"
#include "storage/file_system.hpp"
#include "tests/contract/spool_contract.hpp"
#include "tests/contract/temporary_directory.hpp"
#include "tests/faults/memory_files.hpp"
#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace firehose;
using namespace firehose::stages;

namespace {

void report(const std::vector<std::string>& broken) {
    for (const std::string& one : broken) BOOST_ERROR(one);
    BOOST_TEST(broken.empty());
}

// Opens a directory spool again and again over the same files.
struct reopened {
    shard_fixture& shard;
    storage::file_system& fs;
    std::filesystem::path data_dir;
    directory_spool_options how;
    std::unique_ptr<directory_spool> spool{};

    task<spool_backend*> open() {
        spool.reset();
        auto opened = co_await directory_spool::open(shard.x, fs, data_dir, how);
        if (opened.has_error()) throw std::runtime_error(opened.error().context());
        spool = std::move(*opened);
        co_return spool.get();
    }
    std::vector<std::string> check() {
        shard.run(open());
        contract::spool_options options;
        options.reopen = [this] { return open(); };
        options.pass_time = [this] { shard.time.advance(std::chrono::seconds(1)); };
        return shard.run(contract::check_spool(*spool, shard.x, std::move(options)));
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(spool_contract, shard_fixture)

BOOST_AUTO_TEST_CASE(memory_spool_keeps_it) {
    memory_spool spool(time);
    contract::spool_options options;
    options.pass_time = [this] { time.advance(std::chrono::seconds(1)); };
    report(run(contract::check_spool(spool, x, std::move(options))));
}

BOOST_AUTO_TEST_CASE(directory_spool_keeps_it_in_memory) {
    faults::memory_files disk;
    reopened over{*this, disk, "/data", {}};
    report(over.check());
}

BOOST_AUTO_TEST_CASE(directory_spool_keeps_it_with_tiny_segments) {
    faults::memory_files disk;
    directory_spool_options how;
    how.segment_bytes = 1;
    reopened over{*this, disk, "/data", how};
    report(over.check());
}

BOOST_AUTO_TEST_CASE(directory_spool_keeps_it_on_a_disk) {
    const contract::temporary_directory dir;
    storage::system_files disk;
    reopened over{*this, disk, dir.path / "data", {}};
    report(over.check());
}

BOOST_AUTO_TEST_CASE(the_suite_notices_a_spool_that_breaks_its_word) {
    struct forgetful final : spool_backend {
        explicit forgetful(const time_source& t) : real(t) {}
        task<result<>> append(std::span<const spool_entry> e) override {
            return real.append(e.first(e.size() / 2));
        }
        task<result<>> park(std::span<const spool_entry> e) override { return real.park(e); }
        task<result<std::vector<leased_record>>> lease(const lease_query& q) override {
            return real.lease(q);
        }
        task<result<>> settle(lease_id l, const settlement& s) override { return real.settle(l, s); }
        std::vector<backlog> contents() const override { return real.contents(); }
        memory_spool real;
    } spool(time);
    BOOST_TEST(run(contract::check_spool(spool, x, {})).size() > 5u);
}

BOOST_AUTO_TEST_SUITE_END()
