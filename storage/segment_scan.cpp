#include "storage/segment_scan.hpp"

#include <algorithm>
#include <cstring>

namespace firehose::storage {
namespace {

using namespace journal_format;

constexpr std::size_t chunk = 1u << 20, page = 4096;
constexpr unsigned failing_pages_limit = 64;

// A sliding view of the file. Pages that cannot be read are zeros: damage like any other.
class window {
public:
    window(file& from, std::uint64_t size) : from_(from), size_(size) {}

    /// Everything buffered from `position` on: at least `least` bytes, if the file has them.
    bytes_view at(std::uint64_t position, std::size_t least) {
        least = static_cast<std::size_t>(std::min<std::uint64_t>(least, size_ - position));
        if (position < base_ || position + least > base_ + bytes_.size()) slide(position, least);
        return bytes_view(bytes_).subspan(static_cast<std::size_t>(position - base_));
    }
    std::uint64_t unreadable() const noexcept { return unreadable_; }

private:
    void slide(std::uint64_t position, std::size_t least) {
        std::size_t kept = 0;
        if (position >= base_ && position < base_ + bytes_.size()) {
            const auto skip = static_cast<std::size_t>(position - base_);
            kept = bytes_.size() - skip;
            std::memmove(bytes_.data(), bytes_.data() + skip, kept);
        }
        base_ = position;
        const auto want =
            static_cast<std::size_t>(std::min<std::uint64_t>(std::max(least, chunk), size_ - position));
        bytes_.resize(std::max(want, kept));
        if (bytes_.size() > kept) read(std::span(bytes_).subspan(kept), position + kept);
    }
    void read(std::span<std::byte> into, std::uint64_t position) {
        auto got = failing_ < failing_pages_limit ? read_fully(from_, into, position)
                                                  : result<std::size_t>(std::size_t{0});
        if (got.has_value() && failing_ < failing_pages_limit) {
            std::ranges::fill(into.subspan(*got), std::byte{0});
            return;
        }
        for (std::size_t done = 0; done < into.size(); done += page) {
            const auto one = into.subspan(done, std::min(page, into.size() - done));
            if (failing_ < failing_pages_limit) {
                got = read_fully(from_, one, position + done);
                if (got.has_value()) {
                    std::ranges::fill(one.subspan(*got), std::byte{0});
                    continue;
                }
                ++failing_;
            }
            std::ranges::fill(one, std::byte{0});
            unreadable_ += one.size();
        }
    }
    file& from_;
    std::uint64_t size_, base_ = 0, unreadable_ = 0;
    unsigned failing_ = 0;
    std::vector<std::byte> bytes_;
};

// Next place that looks like a record, from `position` on.
std::uint64_t next_candidate(window& bytes, std::uint32_t salt, std::uint64_t position, std::uint64_t size) {
    constexpr std::size_t pattern = 8;
    while (position + pattern <= size) {
        const bytes_view view = bytes.at(position, pattern);
        const std::size_t hit = find_record(salt, view, 0);
        if (hit != std::string_view::npos) return position + hit;
        position += view.size() - (pattern - 1);
    }
    return size;
}

}  // namespace

segment_scan scan_segment(file& from, std::uint64_t size, const segment_name& name, std::uint32_t max_payload,
                          const record_visitor& visit) {
    segment_scan found;
    found.size = size;
    found.end = name.first;
    if (size == 0) return found;
    window bytes(from, size);
    found.header = decode_segment_header(name, bytes.at(0, segment_header_size));
    if (found.header.state == header_state::newer_version) return found;

    std::uint64_t intact_until = 0;
    const auto close_damage = [&](std::uint64_t until) {
        if (until > intact_until) found.damage.push_back({intact_until, until});
    };
    std::uint64_t position = 0;
    if (found.header.state == header_state::good) position = intact_until = segment_header_size;
    while (position < size) {
        const auto header = decode_record_header(name.salt, bytes.at(position, record_header_size));
        if (header && header->length <= max_payload &&
            header->length <= size - position - record_header_size) {
            const std::size_t length = record_header_size + header->length;
            const bytes_view whole = bytes.at(position, length).first(length);
            if (checksum_matches(whole)) {
                close_damage(position);
                recovered_record record;
                record.where.first = header->first;
                record.where.segment = name;
                record.where.offset = static_cast<std::uint32_t>(position);
                record.where.length = static_cast<std::uint32_t>(length);
                record.type = header->type;
                record.count = header->count;
                record.payload = whole.subspan(record_header_size);
                visit(record);
                ++found.records;
                found.end = std::max(found.end, header->first + std::max(1u, header->count));
                position = intact_until = position + length;
                continue;
            }
        }
        position = next_candidate(bytes, name.salt, position + 1, size);
    }
    close_damage(size);
    found.unreadable_bytes = bytes.unreadable();
    return found;
}

result<> keep_range(file_system& fs, file& from, const damaged_range& range,
                    const std::filesystem::path& to) {
    std::filesystem::path temporary = to;
    temporary += ".tmp";
    (void)fs.remove(temporary);
    auto out = fs.open(temporary, open_how::create_new);
    if (out.has_error()) return out.error();
    window bytes(from, range.end);
    result<> done;
    for (std::uint64_t at = range.begin; at < range.end && done.has_value();) {
        const bytes_view piece = bytes.at(at, 1);
        done = write_fully(**out, std::span(&piece, 1), at - range.begin);
        at += piece.size();
    }
    if (done.has_value()) done = (*out)->sync();
    if (done.has_value()) done = fs.rename(temporary, to);
    if (done.has_value()) return fs.sync_directory(to.parent_path());
    (void)fs.remove(temporary);
    return done;
}

}  // namespace firehose::storage
