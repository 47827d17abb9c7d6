#include "storage/file_system.hpp"
#include "storage/journal.hpp"
#include "tests/contract/temporary_directory.hpp"
#include "tests/faults/faulty_files.hpp"
#include "tests/faults/memory_files.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

using namespace firehose;
using namespace firehose::storage;

namespace {

unsigned mode_of(const std::filesystem::path& path) {
    struct stat s{};
    BOOST_REQUIRE(::lstat(path.c_str(), &s) == 0);
    return s.st_mode & 07777u;
}

std::string read_back(file_system& fs, const std::filesystem::path& path) {
    auto opened = fs.open(path, open_how::read);
    BOOST_REQUIRE(opened.has_value());
    std::vector<std::byte> bytes(1000);
    auto got = read_fully(**opened, bytes, 0);
    BOOST_REQUIRE(got.has_value());
    return std::string(as_text(bytes_view(bytes).first(*got)));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(files)

BOOST_AUTO_TEST_CASE(new_files_and_directories_are_for_us_alone_and_links_are_not_followed) {
    const contract::temporary_directory dir;
    system_files fs;
    BOOST_TEST(make_directories(fs, dir.path / "a" / "b" / "c").has_value());
    BOOST_TEST(make_directories(fs, dir.path / "a" / "b" / "c").has_value());
    BOOST_TEST(mode_of(dir.path / "a") == 0700u);
    BOOST_TEST(mode_of(dir.path / "a/b/c") == 0700u);
    BOOST_TEST(replace_file(fs, dir.path / "a/f", as_bytes("one")).has_value());
    BOOST_TEST(replace_file(fs, dir.path / "a/f", as_bytes("two")).has_value());
    BOOST_TEST(mode_of(dir.path / "a/f") == 0600u);
    BOOST_TEST(read_back(fs, dir.path / "a/f") == "two");
    BOOST_TEST((*fs.list(dir.path / "a") == std::vector<std::string>{"b", "f"}));
    BOOST_TEST(is_errno(fs.open(dir.path / "a/f", open_how::create_new).error(), EEXIST));
    std::filesystem::create_symlink("f", dir.path / "a/link");
    for (const open_how how : {open_how::read, open_how::update, open_how::create, open_how::create_new})
        BOOST_TEST(fs.open(dir.path / "a/link", how).has_error());
    BOOST_TEST((fs.status(dir.path / "a/link")->kind == entry_kind::other));
}

BOOST_AUTO_TEST_CASE(a_fifo_in_the_way_does_not_hang) {
    const contract::temporary_directory dir;
    system_files fs;
    BOOST_REQUIRE(::mkfifo((dir.path / "f").c_str(), 0600) == 0);
    BOOST_TEST((fs.status(dir.path / "f")->kind == entry_kind::other));
    auto opened = fs.open(dir.path / "f", open_how::read);  // returns: that is the test
    BOOST_TEST(opened.has_value());
}

BOOST_AUTO_TEST_CASE(a_directory_has_one_owner_and_nobody_else_may_write_to_it) {
    const contract::temporary_directory dir;
    system_files fs;
    {
        auto first = lock_directory(fs, dir.path);
        BOOST_REQUIRE(first.has_value());
        auto second = lock_directory(fs, dir.path);
        BOOST_REQUIRE(second.has_error());
        BOOST_TEST(second.error().context().find("in use by another process") != std::string::npos);
        BOOST_TEST((second.error().what() == disposition::stop));
    }
    BOOST_TEST(lock_directory(fs, dir.path).has_value());
    BOOST_REQUIRE(::chmod(dir.path.c_str(), 0770) == 0);
    auto refused = lock_directory(fs, dir.path);
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST(refused.error().context().find("chmod 700") != std::string::npos);
    BOOST_REQUIRE(::chmod(dir.path.c_str(), 0755) == 0);
    BOOST_TEST(lock_directory(fs, dir.path).has_value());
}

BOOST_AUTO_TEST_CASE(short_and_interrupted_transfers_are_finished) {
    for (const int trouble : {EINTR, faults::faulty_files::short_transfer})
        for (std::size_t n = 0; n < 4; ++n) {
            faults::memory_files disk;
            faults::faulty_files fs(disk);
            auto opened = fs.open("/f", open_how::create_new);
            BOOST_REQUIRE(opened.has_value());
            fs.fail(n, trouble, 3);
            const std::vector<bytes_view> parts{as_bytes("hello "), as_bytes(""), as_bytes("wide "),
                                                as_bytes("world")};
            BOOST_TEST(write_fully(**opened, parts, 0).has_value());
            BOOST_TEST(read_back(disk, "/f") == "hello wide world");
        }
}

BOOST_AUTO_TEST_CASE(the_memory_disk_forgets_what_was_not_synced) {
    using namespace faults;
    memory_files disk;
    BOOST_REQUIRE(make_directories(disk, "/d").has_value());
    auto f = *disk.open("/d/f", open_how::create_new);
    const auto put = [&](std::string_view text, std::uint64_t at) {
        const bytes_view part = as_bytes(text);
        BOOST_REQUIRE(write_fully(*f, std::span(&part, 1), at).has_value());
    };
    put("durable", 0);
    BOOST_REQUIRE(f->sync().has_value());
    BOOST_TEST(disk.after_power_cut(unsynced_data::kept, unsynced_names::lost)->files().empty());
    BOOST_REQUIRE(disk.sync_directory("/d").has_value());
    put(" or not", 7);
    const auto left = [&](unsynced_data how) {
        return disk.after_power_cut(how, unsynced_names::lost)->content("/d/f");
    };
    BOOST_TEST(left(unsynced_data::lost) == "durable");
    BOOST_TEST(left(unsynced_data::kept) == "durable or not");
    BOOST_TEST(left(unsynced_data::torn) == "durable or ");
    BOOST_TEST(left(unsynced_data::zeros) == std::string("durable") + std::string(7, '\0'));
    BOOST_REQUIRE(disk.remove("/d/f").has_value());
    BOOST_TEST(left(unsynced_data::lost) == "durable");
    BOOST_TEST(disk.after_power_cut(unsynced_data::lost, unsynced_names::kept)->files().empty());
}

BOOST_AUTO_TEST_SUITE_END()
