#include "stages/line_splitter.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace firehose::stages {
namespace {

bool blank(bytes_view line) {
    return std::ranges::all_of(as_text(line), [](char c) { return c == ' ' || c == '\t' || c == '\r'; });
}

}  // namespace

std::span<std::byte> line_splitter::space() {
    const auto tail = end_ - begin_;
    const auto enough = how_.read_bytes / 4;
    if (shared_ && capacity_ - end_ >= how_.padding + tail + enough) {
        // Lines of this block are with others, who may look a padding past them: go on behind that.
        move_tail(block_.get() + end_ + how_.padding, tail);
        floor_ = end_ + how_.padding;
        begin_ = floor_;
        end_ = floor_ + tail;
    } else if (!block_ || shared_ || capacity_ - end_ < enough) {
        // A long line doubles its block, so that the moves of its tail stay linear in its length.
        const auto wanted = tail + std::max(how_.read_bytes, tail);
        auto fresh = std::make_shared_for_overwrite<std::byte[]>(wanted + how_.padding);
        move_tail(fresh.get(), tail);
        std::memset(fresh.get() + wanted, 0, how_.padding);
        block_ = std::move(fresh);
        capacity_ = wanted;
        floor_ = 0;
        begin_ = 0;
        end_ = tail;
    }
    shared_ = false;
    return {block_.get() + end_, capacity_ - end_};
}

void line_splitter::move_tail(std::byte* to, std::size_t size) const {
    if (size) std::memmove(to, block_.get() + begin_, size);
}

line_splitter::lines line_splitter::filled(std::size_t count) {
    const auto scan_from = end_;
    end_ += count;
    return cut(scan_from);
}

line_splitter::lines line_splitter::cut(std::size_t scan_from) {
    lines out;
    const auto* base = block_.get();
    while (!past_the_range()) {
        const auto* newline =
            static_cast<const std::byte*>(std::memchr(base + scan_from, '\n', end_ - scan_from));
        if (!newline) break;
        const auto after = static_cast<std::size_t>(newline - base) + 1;
        take_line(after - 1 - begin_, after - begin_, out);
        scan_from = after;
    }
    // A carriage return that was read last may be half of the line's end, which does not count.
    const bool half_an_end =
        end_ > begin_ && block_[static_cast<std::ptrdiff_t>(end_) - 1] == std::byte{'\r'};
    if (skipping_ || passing_over_ || end_ - begin_ > how_.max_line + (half_an_end ? 1 : 0)) {
        // Forget what was read of it; the line is refused when its end is known, or is another range's.
        if (!skipping_) skip_start_ = offset_;
        skipping_ = true;
        offset_ += end_ - begin_;
        if (out.items.empty())
            end_ = begin_ = floor_;
        else
            begin_ = end_;
    }
    if (!out.items.empty()) {
        out.owner = block_;
        shared_ = true;
    }
    return out;
}

void line_splitter::take_line(std::size_t length, std::size_t with_newline, lines& out) {
    if (std::exchange(passing_over_, false)) {
        skipping_ = false;
        begin_ += with_newline;
        offset_ += with_newline;
        return;
    }
    ++line_;
    bytes_view text(block_.get() + begin_, length);
    if (!text.empty() && text.back() == std::byte{'\r'}) text = text.first(text.size() - 1);
    if (skipping_ || text.size() > how_.max_line) {
        refuse_(line_, skipping_ ? skip_start_ : offset_);
    } else if (!blank(text)) {
        out.items.push_back({text, line_, offset_});
        out.bytes += text.size();
    }
    skipping_ = false;
    begin_ += with_newline;
    offset_ += with_newline;
}

line_splitter::lines line_splitter::finish() {
    lines out;
    if ((end_ == begin_ && !skipping_) || past_the_range()) return out;
    take_line(end_ - begin_, end_ - begin_, out);
    if (!out.items.empty()) {
        out.owner = block_;
        shared_ = true;
    }
    return out;
}

}  // namespace firehose::stages
