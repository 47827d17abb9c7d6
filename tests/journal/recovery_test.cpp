#include "storage/crc32c.hpp"
#include "tests/journal/fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <cerrno>

using namespace firehose;
using namespace firehose::storage;

namespace {

using strings = std::vector<std::string>;

// A journal of three segments with three records each, "1" to "9" with some weight.
struct damaged_journal : journal_fixture {
    damaged_journal() {
        journal_options how;
        how.segment_bytes = 3 * (journal_format::record_header_size + 100);
        auto j = open(disk, how);
        for (char c = '1'; c <= '9'; ++c) append(*j, text(c));
        segments = disk.files(directory);
        BOOST_REQUIRE(segments.size() == 3u);
    }
    static std::string text(char c) { return std::string(100, c); }
    static strings texts(std::string_view which) {
        strings out;
        for (const char c : which) out.push_back(text(c));
        return out;
    }
    // Where a record's header begins; all three segments look alike.
    static std::size_t at(std::size_t record) {
        return journal_format::segment_header_size + record * (journal_format::record_header_size + 100);
    }
    void change(std::size_t segment, const std::function<void(std::string&)>& how) {
        std::string bytes = disk.content(segments[segment]);
        how(bytes);
        disk.set_content(segments[segment], bytes);
    }
    void cut(std::size_t segment, std::size_t size) {
        change(segment, [size](std::string& s) { s.resize(size); });
    }
    // Opens twice: the second time nothing is new, and the journal is as good as any.
    void expect(std::string_view which) {
        auto j = open(disk);
        BOOST_TEST(values(recovered) == texts(which), boost::test_tools::per_element());
        const auto notes = log_lines.size();
        const auto ranges = count["journal_damaged_ranges"];
        const auto appended = append(*j, "new");
        BOOST_REQUIRE(appended.has_value());
        j.reset();
        j = open(disk);
        strings all = texts(which);
        all.push_back("new");
        BOOST_TEST(values(recovered) == all, boost::test_tools::per_element());
        BOOST_TEST(log_lines.size() == notes);  // each finding is logged and counted once
        BOOST_TEST(count["journal_damaged_ranges"] == ranges);
        BOOST_TEST(j->next_sequence() > appended->first);
    }
    std::uint64_t damaged() { return count["journal_damaged_ranges"]; }
    std::size_t quarantined() { return disk.files(std::string(directory) + "/quarantine").size(); }

    std::vector<std::filesystem::path> segments;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(journal_recovery, damaged_journal)

BOOST_AUTO_TEST_CASE(nothing_damaged) {
    expect("123456789");
    BOOST_TEST(damaged() == 0u);
    BOOST_TEST(count["journal_torn_bytes"] == 0u);
    BOOST_TEST(quarantined() == 0u);
}

BOOST_AUTO_TEST_CASE(truncated_last_record_is_cut) {
    cut(2, at(2) + 50);
    expect("12345678");
    BOOST_TEST(damaged() == 0u);
    BOOST_TEST(count["journal_torn_bytes"] == 50u);
    BOOST_TEST(disk.content(segments[2]).size() == at(2));
}

BOOST_AUTO_TEST_CASE(every_length_of_the_last_segment_starts) {
    const std::string whole = disk.content(segments[2]);
    for (std::size_t n = 0; n < whole.size(); ++n) {
        faults::memory_files copy;
        BOOST_REQUIRE(make_directories(copy, directory).has_value());
        for (std::size_t i = 0; i < 3; ++i)
            copy.set_content(segments[i], i == 2 ? whole.substr(0, n) : disk.content(segments[i]));
        open(copy);
        const std::size_t in_last = n < at(1) ? 0 : n < at(2) ? 1 : 2;
        BOOST_REQUIRE_EQUAL(recovered.size(), 6 + in_last);
    }
    BOOST_TEST(damaged() == 0u);  // all of these a crash may leave
}

BOOST_AUTO_TEST_CASE(record_cut_in_a_finished_file_does_not_hold_up_the_next) {
    cut(0, at(2) + 50);
    expect("12456789");
    BOOST_TEST(damaged() == 1u);
    BOOST_TEST(quarantined() == 1u);
}

BOOST_AUTO_TEST_CASE(checksum_mismatch_costs_one_record) {
    change(1, [](std::string& s) { s[at(1) + journal_format::record_header_size + 3] ^= 1; });
    expect("12346789");
    BOOST_TEST(damaged() == 1u);
    BOOST_TEST(count["journal_damaged_bytes"] == journal_format::record_header_size + 100);
    const auto kept = disk.files(std::string(directory) + "/quarantine");
    BOOST_REQUIRE(kept.size() == 1u);
    BOOST_TEST(disk.content(kept.front()) == disk.content(segments[1]).substr(at(1), at(2) - at(1)));
}

BOOST_AUTO_TEST_CASE(bad_lengths_cost_one_record) {
    for (const std::uint32_t length : {0u, 1u, 99u, 101u, 5000u, 0x7fffffffu, 0xffffffffu}) {
        damaged_journal one;
        one.change(1, [length](std::string& s) {
            journal_format::put_number(reinterpret_cast<std::byte*>(s.data()) + at(1) + 12, length);
        });
        one.expect("12346789");
        BOOST_TEST(one.damaged() == 1u);
    }
}

BOOST_AUTO_TEST_CASE(bad_length_at_the_end_is_a_torn_tail) {
    change(2, [](std::string& s) {
        journal_format::put_number(reinterpret_cast<std::byte*>(s.data()) + at(2) + 12, 5000u);
    });
    expect("12345678");
    BOOST_TEST(damaged() == 0u);
    BOOST_TEST(count["journal_torn_bytes"] == journal_format::record_header_size + 100);
    BOOST_TEST(quarantined() == 1u);  // nobody can tell it from damage, so the bytes are kept
}

BOOST_AUTO_TEST_CASE(zeroed_blocks) {
    change(0, [](std::string& s) {
        std::fill(s.begin() + 20, s.begin() + static_cast<long>(at(1)) + 10, '\0');
    });
    expect("3456789");
}

BOOST_AUTO_TEST_CASE(zeros_behind_the_last_record_are_cut) {
    change(2, [](std::string& s) { s.append(10'000, '\0'); });
    expect("123456789");
    BOOST_TEST(damaged() == 0u);
}

BOOST_AUTO_TEST_CASE(segment_header_gone) {
    change(1, [](std::string& s) { std::fill_n(s.begin(), journal_format::segment_header_size, 'x'); });
    expect("123456789");
    BOOST_TEST(damaged() == 1u);
}

BOOST_AUTO_TEST_CASE(missing_file_in_the_middle) {
    BOOST_REQUIRE(disk.remove(segments[1]).has_value());
    expect("123789");
}

BOOST_AUTO_TEST_CASE(file_of_length_0) {
    cut(1, 0);
    expect("123789");
    BOOST_TEST((disk.status(segments[1]).has_error()));
}

BOOST_AUTO_TEST_CASE(file_of_nothing_we_know_is_moved_aside) {
    change(1, [](std::string& s) { s = "this is not a journal"; });
    expect("123789");
    BOOST_TEST(damaged() == 1u);
    BOOST_TEST(disk.content(std::filesystem::path(directory) / "quarantine" / segments[1].filename()) ==
               "this is not a journal");
}

BOOST_AUTO_TEST_CASE(a_directory_where_a_file_should_be) {
    BOOST_REQUIRE(disk.remove(segments[1]).has_value());
    BOOST_REQUIRE(disk.make_directory(segments[1]).has_value());
    open(disk);
    BOOST_TEST(values(recovered) == texts("123789"), boost::test_tools::per_element());
    BOOST_TEST(count["journal_unreadable_files"] == 1u);
}

BOOST_AUTO_TEST_CASE(other_names_are_left_alone) {
    disk.set_content(std::string(directory) + "/notes.txt", "mine");
    disk.set_content(std::string(directory) + "/00000000000000000001.journal", "nor this");
    expect("123456789");
    BOOST_TEST(disk.content(std::string(directory) + "/notes.txt") == "mine");
}

BOOST_AUTO_TEST_CASE(file_from_a_newer_version_is_kept_and_not_looked_into) {
    std::string newer;
    change(1, [&newer](std::string& s) {
        auto* const bytes = reinterpret_cast<std::byte*>(s.data());
        journal_format::put_number(bytes + 8, journal_format::version + 1);
        journal_format::put_number(bytes + 36, crc32c(bytes_view(bytes, 36)));
        newer = s;
    });
    expect("123789");
    BOOST_TEST(count["journal_newer_files"] == 1u);
    BOOST_TEST(disk.content(std::filesystem::path(directory) / "quarantine" / segments[1].filename()) ==
               newer);
}

BOOST_AUTO_TEST_CASE(a_record_of_another_file_is_no_record_here) {
    const std::string other = disk.content(segments[0]).substr(at(0), at(1) - at(0));
    change(1, [&other](std::string& s) { s.replace(at(1), other.size(), other); });
    expect("12346789");
}

BOOST_AUTO_TEST_CASE(a_record_inside_a_payload_is_not_taken_for_one) {
    auto j = open(disk);
    const std::string inner = disk.content(segments[0]);  // with its salt, which no event can know
    append(*j, inner);
    j.reset();
    const auto fourth = disk.files(directory).back();
    std::string bytes = disk.content(fourth);
    bytes[journal_format::segment_header_size + 9] ^= 1;  // checksum of the outer record
    disk.set_content(fourth, bytes);
    expect("123456789");
}

BOOST_AUTO_TEST_CASE(unreadable_file_is_skipped_and_comes_back) {
    faults::faulty_files fs(disk);
    std::size_t opens = 0;
    fs.only([&opens](const std::string& call) { return call == "open" && opens++ == 0; });
    fs.fail(0, EACCES);
    open(fs);
    BOOST_TEST(values(recovered) == texts("456789"), boost::test_tools::per_element());
    BOOST_TEST(count["journal_unreadable_files"] == 1u);
    expect("123456789");
}

BOOST_AUTO_TEST_CASE(a_bad_spot_on_the_disk_costs_what_lies_on_it) {
    faults::faulty_files fs(disk);
    fs.only([](const std::string& call) { return call == "read"; });
    fs.fail(0, EIO, 2);  // the read and its repetition: the first segment is one page
    open(fs);
    BOOST_TEST(values(recovered) == texts("456789"), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(too_many_open_files_fails_the_start_instead_of_losing_records) {
    faults::faulty_files fs(disk);
    fs.only([](const std::string& call) { return call == "open"; });
    fs.fail(0, EMFILE);
    found_records found;
    BOOST_TEST(try_open(fs, found).has_error());
    expect("123456789");
}

BOOST_AUTO_TEST_CASE(read_only_directory_still_starts) {
    cut(0, at(2) + 50);
    cut(2, at(2) + 50);
    faults::faulty_files fs(disk);
    fs.only([](const std::string& call) {
        return call == "create" || call == "make_directory" || call == "rename" || call == "truncate" ||
               call == "remove" || call == "write";
    });
    fs.fail(1, EROFS, 1000);  // 0 is the journal's own directory, which is there
    found_records found;
    auto opened = try_open(fs, found);
    // The last segment cannot be opened for writing, which is not a lack of permission: it is skipped.
    BOOST_REQUIRE(opened.has_value());
    BOOST_TEST(found.size() >= 5u);
}

BOOST_AUTO_TEST_CASE(looking_changes_nothing) {
    cut(0, at(2) + 50);
    cut(2, at(2) + 50);
    std::map<std::filesystem::path, std::string> before;
    for (const auto& f : disk.files()) before[f] = disk.content(f);
    recovery_options how;
    how.what = recovery_options::mode::look;
    std::size_t seen = 0;
    auto found = recover_journal(disk, directory, how, [&seen](const recovered_record&) { ++seen; });
    BOOST_REQUIRE(found.has_value());
    BOOST_TEST(seen == 7u);
    BOOST_TEST(found->counts.damaged_ranges == 1u);
    std::map<std::filesystem::path, std::string> after;
    for (const auto& f : disk.files()) after[f] = disk.content(f);
    BOOST_TEST((before == after));
}

BOOST_AUTO_TEST_CASE(many_files) {
    faults::memory_files many;
    BOOST_REQUIRE(make_directories(many, directory).has_value());
    for (std::uint32_t i = 1; i <= 5000; ++i) {
        const journal_format::segment_name name{i * 10, i};
        std::string bytes(journal_format::segment_header_size + journal_format::record_header_size + 1, 'm');
        auto* const at = reinterpret_cast<std::byte*>(bytes.data());
        journal_format::encode_segment_header(
            name, 0, std::span<std::byte, journal_format::segment_header_size>(at, 40));
        journal_format::record_header h;
        h.length = h.count = 1;
        h.first = name.first;
        journal_format::seal_record(i, h, std::span(at + journal_format::segment_header_size, 33));
        many.set_content(std::filesystem::path(directory) / journal_format::to_file_name(name), bytes);
    }
    auto j = open(many);
    BOOST_TEST(recovered.size() == 5000u);
    BOOST_TEST(j->next_sequence() == 50'001u);
}

BOOST_AUTO_TEST_SUITE_END()
