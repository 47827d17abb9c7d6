/// Cuts a stream of bytes into lines: plain state, no I/O.
#pragma once
#include "pipeline/bytes.hpp"
#include "stages/event.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

namespace firehose::stages {

/// The lines of a file that begin at `begin` or after it and before `end`, offsets in bytes: ranges that meet
/// share no line and leave none out, wherever their borders fall.
struct line_range {
    std::uint64_t begin = 0;
    std::uint64_t end = std::numeric_limits<std::uint64_t>::max();

    /// Where reading starts: one byte early, so that a line that begins at `begin` is known to begin there.
    std::uint64_t read_from() const noexcept { return begin == 0 ? 0 : begin - 1; }
};

/// Feed it by reading into space() and telling how much came: filled(). Each call returns the lines
/// that became whole, as views into the slab that was read into; only the unfinished tail moves on
/// to the next slab. Every slab has `padding` readable bytes behind its last line.
class line_splitter {
public:
    struct limits {
        std::size_t read_bytes = 256 << 10;
        std::size_t max_line = 16 << 20;
        std::size_t padding = 64;
    };
    /// Called for a line over the limit, once its number and offset are known.
    using too_long = std::function<void(std::uint64_t line, std::uint64_t offset)>;

    struct lines {
        std::vector<raw_event> items{};
        slab owner{};
        std::size_t bytes = 0;  ///< of the items
    };

    /// What is read is the input from range.read_from() on; lines are counted from there.
    line_splitter(limits how, too_long refuse, line_range range = {})
        : how_(how),
          refuse_(std::move(refuse)),
          end_of_range_(range.end),
          offset_(range.read_from()),
          passing_over_(range.begin > 0) {}

    /// Where to read the next bytes; valid until the next call of filled() or finish().
    std::span<std::byte> space();
    lines filled(std::size_t count);
    /// The last line, when the input does not end in a newline.
    lines finish();

    /// The range's last line was taken, or none of its own is left: nothing more needs to be read.
    bool past_the_range() const noexcept { return (passing_over_ ? offset_ : line_start()) >= end_of_range_; }

    std::uint64_t line_count() const noexcept { return line_; }
    std::uint64_t byte_count() const noexcept { return offset_ + (end_ - begin_); }

private:
    void take_line(std::size_t length, std::size_t with_newline, lines& out);
    lines cut(std::size_t scan_from);
    void move_tail(std::byte* to, std::size_t size) const;
    /// Of the unfinished line, in the input.
    std::uint64_t line_start() const noexcept { return skipping_ ? skip_start_ : offset_; }

    limits how_;
    too_long refuse_;
    std::uint64_t end_of_range_;
    std::shared_ptr<std::byte[]> block_{};
    std::size_t capacity_ = 0;      ///< of the block, padding excluded
    std::size_t floor_ = 0;         ///< what lies before is with others, padding included
    std::size_t begin_ = 0;         ///< of the unfinished line in the block
    std::size_t end_ = 0;           ///< of what was read
    std::uint64_t offset_;          ///< of begin_ in the input
    std::uint64_t line_ = 0;        ///< lines finished
    std::uint64_t skip_start_ = 0;  ///< where the line over the limit began
    bool skipping_ = false;         ///< inside a line over the limit
    bool passing_over_;             ///< inside the line that belongs to the range before
    bool shared_ = false;           ///< lines of the block were handed out since space()
};

}  // namespace firehose::stages
