#include "stages/line_splitter.hpp"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace firehose;
using stages::line_splitter;

struct refused_line {
    std::uint64_t line, offset;
    bool operator==(const refused_line&) const = default;
};
struct cut_line {
    std::string text;
    std::uint64_t line, offset;
    bool operator==(const cut_line&) const = default;
};
std::ostream& operator<<(std::ostream& out, const refused_line& r) {
    return out << "line " << r.line << " at " << r.offset;
}
std::ostream& operator<<(std::ostream& out, const cut_line& c) {
    return out << "line " << c.line << " at " << c.offset << " (" << c.text.size() << " bytes)";
}

struct outcome_of_cutting {
    std::vector<cut_line> lines{};
    std::vector<refused_line> refused{};
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
    std::size_t largest_space = 0;
};

/// What any splitter must find, written the slow way.
outcome_of_cutting naive(std::string_view text, std::size_t max_line) {
    outcome_of_cutting out;
    out.bytes = text.size();
    for (std::size_t at = 0; at < text.size();) {
        auto end = text.find('\n', at);
        const auto next = end == text.npos ? text.size() : end + 1;
        if (end == text.npos) end = text.size();
        auto line = text.substr(at, end - at);
        if (line.ends_with('\r')) line.remove_suffix(1);
        ++out.count;
        if (line.size() > max_line)
            out.refused.push_back({out.count, at});
        else if (line.find_first_not_of(" \t\r") != line.npos)
            out.lines.push_back({std::string(line), out.count, at});
        at = next;
    }
    return out;
}

/// Feeds `text` in chunks of what `next_chunk` says. Everything handed out is read at the end, after the
/// splitter has moved on, and compared: views must stay what they were as long as their slab.
template <class F> outcome_of_cutting cut(std::string_view text, line_splitter::limits how, F next_chunk) {
    outcome_of_cutting out;
    line_splitter splitter(
        how, [&](std::uint64_t line, std::uint64_t offset) { out.refused.push_back({line, offset}); });
    std::vector<line_splitter::lines> kept;
    const auto keep = [&](line_splitter::lines found) {
        std::size_t bytes = 0;
        for (const auto& item : found.items) bytes += item.bytes.size();
        BOOST_TEST(found.bytes == bytes);
        BOOST_TEST((found.items.empty() || found.owner));
        if (!found.items.empty()) kept.push_back(std::move(found));
    };
    for (std::size_t at = 0; at < text.size();) {
        const auto space = splitter.space();
        BOOST_REQUIRE(!space.empty());
        out.largest_space = std::max(out.largest_space, space.size());
        const auto n = std::min({next_chunk(), space.size(), text.size() - at});
        std::memcpy(space.data(), text.data() + at, n);
        at += n;
        keep(splitter.filled(n));
        BOOST_TEST(splitter.byte_count() == at);
    }
    static_cast<void>(splitter.space());  // as a reader does before it learns that the input has ended
    keep(splitter.finish());
    out.count = splitter.line_count();
    out.bytes = splitter.byte_count();
    for (const auto& found : kept) {
        for (const auto& item : found.items) {
            out.lines.push_back({std::string(as_text(item.bytes)), item.line, item.offset});
            // A parser may read this far; the sanitizers watch.
            std::byte sum{};
            for (std::size_t i = 0; i < how.padding; ++i) sum ^= *(item.bytes.data() + item.bytes.size() + i);
            static_cast<void>(sum);
        }
    }
    return out;
}

void check_same(const outcome_of_cutting& got, const outcome_of_cutting& expected) {
    BOOST_CHECK_EQUAL_COLLECTIONS(got.lines.begin(), got.lines.end(), expected.lines.begin(),
                                  expected.lines.end());
    BOOST_CHECK_EQUAL_COLLECTIONS(got.refused.begin(), got.refused.end(), expected.refused.begin(),
                                  expected.refused.end());
    BOOST_TEST(got.count == expected.count);
    BOOST_TEST(got.bytes == expected.bytes);
}

/// The same text in every chunk size, from byte by byte to all at once.
void check_in_all_chunk_sizes(const std::string& text, std::size_t max_line, std::size_t read_bytes = 16) {
    const auto expected = naive(text, max_line);
    for (std::size_t chunk = 1; chunk <= text.size() + 1; ++chunk) {
        BOOST_TEST_CONTEXT("chunks of " << chunk) {
            check_same(cut(text, {read_bytes, max_line, 64}, [chunk] { return chunk; }), expected);
        }
    }
}

std::string random_text(std::mt19937_64& random, std::size_t max_line) {
    std::string text;
    const auto lines = random() % 12;
    for (std::size_t i = 0; i < lines; ++i) {
        const auto kind = random() % 8;
        // Mostly around the limit, where the mistakes are.
        const auto around = std::max<std::size_t>(max_line, 3) - 3 + random() % 7;
        const auto length = kind < 2 ? around : kind == 2 ? max_line * (2 + random() % 4) : random() % 9;
        for (std::size_t j = 0; j < length; ++j) {
            static constexpr std::string_view alphabet = "abc{} \t\r\0\xff";
            text.push_back(kind == 3 ? ' ' : alphabet[random() % alphabet.size()]);
        }
        if (random() % 3 == 0) text.push_back('\r');
        if (i + 1 < lines || random() % 2) text.push_back('\n');
    }
    return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(splitting_lines)

BOOST_AUTO_TEST_CASE(any_text_in_any_chunks_gives_the_lines_of_a_naive_splitter) {
    const std::uint64_t seed = std::random_device()();
    BOOST_TEST_MESSAGE("seed " << seed);
    std::mt19937_64 random(seed);
    for (int round = 0; round < 3000; ++round) {
        const std::size_t max_line = random() % 40;
        const std::size_t read_bytes = 4 + random() % 60;
        const auto text = random_text(random, max_line);
        const auto chunk_limit = 1 + random() % 50;
        BOOST_TEST_CONTEXT("seed " << seed << ", round " << round << ", limit " << max_line << ", reads of "
                                   << read_bytes << ", chunks up to " << chunk_limit) {
            const auto got = cut(text, {read_bytes, max_line, 64},
                                 [&] { return std::size_t{1} + random() % chunk_limit; });
            check_same(got, naive(text, max_line));
        }
    }
}

BOOST_AUTO_TEST_CASE(line_endings_of_both_kinds_and_none_at_the_end) {
    check_in_all_chunk_sizes("one\ntwo\r\nthree", 100);
    check_in_all_chunk_sizes("one\r\ntwo\r\n", 100);
    check_in_all_chunk_sizes("a\rb\n\rc\n", 100);
    check_in_all_chunk_sizes("one\r", 100);
    check_in_all_chunk_sizes("", 100);
    check_in_all_chunk_sizes("\n", 100);
    check_in_all_chunk_sizes("\r\n", 100);
}

BOOST_AUTO_TEST_CASE(blank_lines_are_counted_and_passed_over) {
    const std::string text = "\n \t\r\n{}\n\n\r\n[]\n   ";
    check_in_all_chunk_sizes(text, 100);
    const auto got = cut(text, {16, 100, 64}, [] { return std::size_t{1000}; });
    BOOST_REQUIRE_EQUAL(got.lines.size(), 2);
    BOOST_TEST(got.lines[0] == (cut_line{"{}", 3, 5}));
    BOOST_TEST(got.lines[1] == (cut_line{"[]", 6, 11}));
    BOOST_TEST(got.count == 7);
}

BOOST_AUTO_TEST_CASE(nul_bytes_and_broken_utf8_are_bytes_like_others) {
    using namespace std::string_literals;
    check_in_all_chunk_sizes("\0\n\0\0x\xff\xfe\n\xc3"s, 100);
}

BOOST_AUTO_TEST_CASE(lines_over_the_limit_are_refused_wherever_they_stand) {
    const std::string big(50, 'x');
    check_in_all_chunk_sizes(big + "\nok\nfine\n", 10);
    check_in_all_chunk_sizes("ok\n" + big + "\nfine\n", 10);
    check_in_all_chunk_sizes("ok\nfine\n" + big + "\n", 10);
    check_in_all_chunk_sizes("ok\nfine\n" + big, 10);
    check_in_all_chunk_sizes(big + "\n" + big + "\r\n" + big, 10);
    check_in_all_chunk_sizes(big, 10);
    check_in_all_chunk_sizes(std::string(50, ' ') + "\nok", 10);
}

BOOST_AUTO_TEST_CASE(exactly_the_limit_is_accepted_whatever_ends_the_line) {
    const std::string limit(10, 'x');
    const std::string over(11, 'x');
    for (const char* end : {"\n", "\r\n", ""}) {
        check_in_all_chunk_sizes("ok\n" + limit + end, 10);
        check_in_all_chunk_sizes("ok\n" + over + end, 10);
        const auto got = cut(limit + end, {16, 10, 64}, [] { return std::size_t{1}; });
        BOOST_TEST(got.lines.size() == 1);
        BOOST_TEST(got.refused.empty());
    }
    check_in_all_chunk_sizes(limit + "\r\r\n", 10);
    check_in_all_chunk_sizes(limit + "\ry\n", 10);
}

BOOST_AUTO_TEST_CASE(a_line_of_many_megabytes_is_refused_in_bounded_memory) {
    const std::string tail = "\nok\n";
    constexpr std::size_t max_line = 1000;
    line_splitter splitter({256, max_line, 64}, [](std::uint64_t line, std::uint64_t offset) {
        BOOST_TEST(line == 2);
        BOOST_TEST(offset == 3);
    });
    std::size_t largest = 0;
    const auto feed = [&](std::string_view text) {
        std::size_t found = 0;
        while (!text.empty()) {
            const auto space = splitter.space();
            largest = std::max(largest, space.size());
            const auto n = std::min(space.size(), text.size());
            std::memcpy(space.data(), text.data(), n);
            text.remove_prefix(n);
            found += splitter.filled(n).items.size();
        }
        return found;
    };
    BOOST_TEST(feed("ok\n") == 1);
    const std::string megabyte(1 << 20, 'x');
    for (int i = 0; i < 20; ++i) BOOST_TEST(feed(megabyte) == 0);
    BOOST_TEST(feed(tail) == 1);
    BOOST_TEST(largest <= 2 * (max_line + 256));
    BOOST_TEST(splitter.line_count() == 3);
    BOOST_TEST(splitter.byte_count() == 3 + (20U << 20U) + tail.size());
}

BOOST_AUTO_TEST_CASE(small_reads_share_a_block) {
    // A pipe that brings a line at a time must not cost a block per line while the lines wait.
    line_splitter splitter({64 << 10, 1 << 20, 64}, [](auto, auto) {});
    std::set<const std::byte*> blocks;
    std::vector<slab> held;
    constexpr std::string_view line = "{\"a\":1}\n{\"b\"";  // one whole line and the head of the next
    for (int i = 0; i < 100; ++i) {
        auto space = splitter.space();
        std::memcpy(space.data(), line.data(), line.size());
        auto found = splitter.filled(line.size());
        BOOST_REQUIRE(found.items.size() == 1);
        held.push_back(found.owner);
        blocks.insert(found.owner.get());
    }
    BOOST_TEST(blocks.size() == 1);
}

BOOST_AUTO_TEST_CASE(a_long_line_within_the_limit_arrives_whole) {
    std::string line;
    for (int i = 0; line.size() < 300'000; ++i) line += std::to_string(i);
    const auto text = "{}\n" + line + "\n[]\n";
    for (const std::size_t chunk : {1'000U, 4'096U, 65'536U}) {
        const auto got = cut(text, {4096, 1 << 20, 64}, [chunk] { return chunk; });
        check_same(got, naive(text, 1 << 20));
    }
}

BOOST_AUTO_TEST_SUITE_END()
