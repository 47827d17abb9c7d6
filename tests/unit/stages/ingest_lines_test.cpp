#include "stages/ingest_lines.hpp"

#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <stdlib.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace firehose;
using stages::ingest_lines;
using stages::raw_event;

struct temporary_directory {
    temporary_directory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "ingest-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(pattern.data()));
        path = pattern;
    }
    ~temporary_directory() { std::filesystem::remove_all(path); }
    std::string file(const std::string& name, std::string_view content) const {
        const auto where = path / name;
        std::ofstream(where, std::ios::binary) << content;
        return where.string();
    }
    std::filesystem::path path;
};

/// A named pipe with its writing end, which is closed by end().
struct named_pipe {
    explicit named_pipe(const temporary_directory& in) : path((in.path / "pipe").string()) {
        BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    }
    ~named_pipe() { end(); }
    void open() {
        writer = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
        BOOST_REQUIRE(writer >= 0);
    }
    void write(std::string_view text) const {
        BOOST_REQUIRE(::write(writer, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    void end() {
        if (writer >= 0) ::close(std::exchange(writer, -1));
    }
    std::string path;
    int writer = -1;
};

/// One run of the source into an edge the test reads from.
struct reading {
    explicit reading(std::string path, ingest_lines::options how = {}, std::size_t edge_bytes = 64 << 20)
        : out(std::make_shared<edge<raw_event>>(shard.x.ex, edge_bytes)),
          source(std::move(path), with_books(std::move(how))),
          report(source.outcome()) {}

    ingest_lines::options with_books(ingest_lines::options how) {
        how.books = books;
        how.refused = [this](const stages::refusal& r) { refused.push_back(r); };
        return how;
    }
    started_task start() { return shard.start(source.run(sender<raw_event>(out), shard.x)); }
    /// Lets the shard run without waiting for a read that may block.
    void turn() {
        for (int i = 0; i < 100; ++i) {
            shard.io.restart();
            shard.io.poll();
        }
    }
    /// Takes what has arrived and gives it this verdict.
    std::size_t take(outcome what = outcome::stored) {
        std::size_t batches = 0;
        while (auto b = out->try_receive()) {
            ++batches;
            for (const auto& item : b->items()) {
                lines.emplace_back(as_text(item.bytes));
                numbers.push_back(item.line);
                offsets.push_back(item.offset);
            }
            b->take_ack().resolve(what);
        }
        return batches;
    }
    void read_to_the_end() {
        auto running = start();
        while (!running.done()) {
            shard.settle();
            if (take() == 0 && !running.done()) BOOST_FAIL("the source waits for something that cannot come");
            shard.settle();
        }
        BOOST_TEST(!running.failed());
        take();
    }

    shard_fixture shard{};
    std::shared_ptr<stages::account> books = std::make_shared<stages::account>();
    std::vector<stages::refusal> refused{};
    edge_ptr<raw_event> out;
    ingest_lines source;
    std::shared_ptr<const ingest_lines::report> report;
    std::vector<std::string> lines{};
    std::vector<std::uint64_t> numbers{};
    std::vector<std::uint64_t> offsets{};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ingesting_lines)

BOOST_AUTO_TEST_CASE(a_file_comes_line_by_line_with_numbers_and_offsets) {
    temporary_directory dir;
    reading r(dir.file("in", "one\r\n\ntwo\nthree"));
    r.read_to_the_end();
    BOOST_TEST((r.lines == std::vector<std::string>{"one", "two", "three"}));
    BOOST_TEST((r.numbers == std::vector<std::uint64_t>{1, 3, 4}));
    BOOST_TEST((r.offsets == std::vector<std::uint64_t>{0, 6, 10}));
    BOOST_TEST(r.report->complete);
    BOOST_TEST(!r.report->lost);
    BOOST_TEST(r.report->failure == "");
    BOOST_TEST(r.report->lines == 4);
    BOOST_TEST(r.report->bytes == 15);
    BOOST_TEST(r.out->ended());
}

BOOST_AUTO_TEST_CASE(an_empty_file_is_complete) {
    temporary_directory dir;
    reading r(dir.file("in", ""));
    r.read_to_the_end();
    BOOST_TEST(r.lines.empty());
    BOOST_TEST(r.report->complete);
    BOOST_TEST(r.report->lines == 0);
}

BOOST_AUTO_TEST_CASE(a_file_of_many_reads_arrives_whole) {
    temporary_directory dir;
    std::string text;
    std::vector<std::string> expected;
    for (int i = 0; i < 5000; ++i) {
        expected.push_back(std::string(static_cast<std::size_t>(i % 97) + 1, char('a' + i % 26)));
        text += expected.back() + "\n";
    }
    ingest_lines::options how;
    how.read_bytes = 1000;
    reading r(dir.file("in", text), how);
    r.read_to_the_end();
    BOOST_TEST((r.lines == expected));
    BOOST_TEST(r.report->bytes == text.size());
}

BOOST_AUTO_TEST_CASE(lines_over_the_limit_are_refused_counted_and_named) {
    temporary_directory dir;
    ingest_lines::options how;
    how.max_line = 5;
    how.read_bytes = 16;
    reading r(dir.file("in", "one\n" + std::string(1000, 'x') + "\ntwo\n123456"), how);
    r.read_to_the_end();
    BOOST_TEST((r.lines == std::vector<std::string>{"one", "two"}));
    BOOST_REQUIRE_EQUAL(r.refused.size(), 2);
    BOOST_TEST(r.refused[0].line == 2);
    BOOST_TEST(r.refused[0].offset == 4);
    BOOST_TEST(r.refused[0].reason == "longer than the limit of 5 bytes");
    BOOST_TEST(r.refused[1].line == 4);
    BOOST_TEST(r.books->refused() == 2);
    BOOST_TEST(r.report->complete);
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_a_failure_that_names_it) {
    temporary_directory dir;
    const auto path = (dir.path / "absent").string();
    reading r(path);
    r.read_to_the_end();
    BOOST_TEST(r.report->failure == "open(" + path + "): No such file or directory");
    BOOST_TEST(!r.report->complete);
    BOOST_TEST(r.out->ended());
}

BOOST_AUTO_TEST_CASE(a_directory_is_a_failure_that_names_it) {
    temporary_directory dir;
    reading r(dir.path.string());
    r.read_to_the_end();
    BOOST_TEST(r.report->failure == "read(" + dir.path.string() + "): Is a directory");
    BOOST_TEST(!r.report->complete);
}

BOOST_AUTO_TEST_CASE(a_pipe_is_read_as_it_comes_until_its_writer_closes_it) {
    temporary_directory dir;
    named_pipe pipe(dir);
    pipe.open();
    reading r(pipe.path);
    pipe.write("one\ntw");
    auto running = r.start();
    while (r.lines.empty()) {
        r.turn();
        r.take();
    }
    BOOST_TEST((r.lines == std::vector<std::string>{"one"}));
    pipe.write("o\nthree");
    pipe.end();
    while (!running.done()) {
        r.shard.settle();
        r.take();
    }
    BOOST_TEST((r.lines == std::vector<std::string>{"one", "two", "three"}));
    BOOST_TEST(r.report->complete);
}

BOOST_AUTO_TEST_CASE(a_drain_ends_the_wait_for_a_silent_pipe) {
    temporary_directory dir;
    named_pipe pipe(dir);
    pipe.open();
    reading r(pipe.path);
    auto running = r.start();
    r.turn();
    BOOST_TEST(!running.done());
    r.shard.stop.request_drain();
    r.turn();
    r.shard.settle();
    BOOST_TEST(running.done());
    BOOST_TEST(!running.failed());
    BOOST_TEST(!r.report->complete);
    BOOST_TEST(r.report->failure == "");
    BOOST_TEST(r.out->ended());
}

BOOST_AUTO_TEST_CASE(a_pipe_nobody_has_opened_yet_blocks_neither_the_shard_nor_a_drain) {
    temporary_directory dir;
    named_pipe pipe(dir);
    reading r(pipe.path);
    auto running = r.start();
    r.turn();
    BOOST_TEST(!running.done());
    r.shard.stop.request_drain();
    r.turn();
    r.shard.settle();
    BOOST_TEST(running.done());
    BOOST_TEST(!r.report->complete);
}

BOOST_AUTO_TEST_CASE(a_cancellation_ends_the_wait_for_a_silent_pipe) {
    temporary_directory dir;
    named_pipe pipe(dir);
    pipe.open();
    reading r(pipe.path);
    auto running = r.start();
    r.turn();
    running.cancel();
    r.turn();
    r.shard.settle();
    BOOST_TEST(running.done());
}

BOOST_AUTO_TEST_CASE(a_drain_waits_for_the_verdicts_of_what_was_read) {
    temporary_directory dir;
    named_pipe pipe(dir);
    pipe.open();
    pipe.write("one\n");
    reading r(pipe.path);
    auto running = r.start();
    std::optional<batch<raw_event>> held;
    while (!held) {
        r.turn();
        held = r.out->try_receive();
    }
    r.shard.stop.request_drain();
    r.turn();
    r.shard.settle();
    BOOST_TEST(!running.done());
    BOOST_TEST(r.out->ended());  // downstream may end meanwhile
    held->take_ack().resolve(outcome::spooled);
    r.shard.settle();
    BOOST_TEST(running.done());
    BOOST_TEST(!r.report->lost);
}

BOOST_AUTO_TEST_CASE(reading_pauses_while_too_many_batches_have_no_verdict) {
    temporary_directory dir;
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "0123456789\n";
    ingest_lines::options how;
    how.read_bytes = 110;
    how.max_in_flight = 3;
    reading r(dir.file("in", text), how);
    auto running = r.start();
    r.shard.settle();
    std::vector<batch<raw_event>> held;
    while (auto b = r.out->try_receive()) held.push_back(std::move(*b));
    BOOST_TEST(held.size() == 3);
    held.front().take_ack().resolve(outcome::stored);
    r.shard.settle();
    BOOST_TEST(r.take() == 1);
    held.clear();  // destroyed without a verdict: lost
    r.shard.settle();
    BOOST_TEST(running.done());
    BOOST_TEST(r.report->lost);
    BOOST_TEST(!r.report->complete);
}

BOOST_AUTO_TEST_CASE(a_lost_batch_ends_the_reading_and_the_others_are_waited_for) {
    temporary_directory dir;
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "0123456789\n";
    ingest_lines::options how;
    how.read_bytes = 110;
    how.max_in_flight = 2;
    reading r(dir.file("in", text), how);
    auto running = r.start();
    r.shard.settle();
    auto first = r.out->try_receive();
    auto second = r.out->try_receive();
    BOOST_REQUIRE(first);
    BOOST_REQUIRE(second);
    first->take_ack().resolve(outcome::lost);
    r.shard.settle();
    BOOST_TEST(!running.done());
    BOOST_TEST(r.out->ended());
    second->take_ack().resolve(outcome::stored);
    r.shard.settle();
    BOOST_TEST(running.done());
    BOOST_TEST(r.report->lost);
    BOOST_TEST(r.report->bytes < text.size());
}

BOOST_AUTO_TEST_CASE(a_receiver_that_is_gone_ends_the_reading) {
    temporary_directory dir;
    reading r(dir.file("in", "one\n"));
    r.out->abandon();
    auto running = r.start();
    r.shard.settle();
    BOOST_TEST(running.done());
    BOOST_TEST(!running.failed());
    BOOST_TEST(r.report->lost);
}

BOOST_AUTO_TEST_CASE(verdicts_may_come_after_a_cancelled_source_is_gone) {
    temporary_directory dir;
    auto r = std::make_unique<reading>(dir.file("in", "one\n"), ingest_lines::options{});
    auto running = r->start();
    r->shard.settle();
    auto held = r->out->try_receive();
    BOOST_REQUIRE(held);
    running.cancel();
    r->shard.settle();
    BOOST_TEST(running.done());
    held->take_ack().resolve(outcome::stored);
    r->shard.settle();
}

BOOST_AUTO_TEST_SUITE_END()
