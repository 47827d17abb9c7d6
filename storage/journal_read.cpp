// Reading what was appended: by place, and in order.
#include "pipeline/blocking.hpp"
#include "storage/journal.hpp"
#include "storage/journal_commit.hpp"

#include <algorithm>
#include <cerrno>

namespace firehose::storage {

using namespace journal_format;

namespace {

error damaged(const std::filesystem::path& path, std::uint64_t offset) {
    error_details d;
    d.code = error_code(EBADMSG, boost::system::system_category());
    d.context = path.native() + " is damaged at byte " + std::to_string(offset) +
                ": the record there is not what was written";
    return {disposition::park, std::move(d)};
}

struct segment_file {
    segment_name name{};
    std::unique_ptr<file> from{};
};

result<slab> read_slab(file& from, std::uint64_t offset, std::size_t length, std::size_t& got) {
    auto block = std::make_shared_for_overwrite<std::byte[]>(length);
    auto read = read_fully(from, std::span(block.get(), length), offset);
    if (read.has_error()) return read.error();
    got = *read;
    return slab(std::move(block));
}

result<journal_record> read_one(file& from, const std::filesystem::path& path, record_location where,
                                std::uint32_t max_payload) {
    if (where.length == 0) {
        std::array<std::byte, record_header_size> start{};
        auto got = read_fully(from, start, where.offset);
        if (got.has_error()) return got.error();
        const auto header = decode_record_header(where.segment.salt, bytes_view(start).first(*got));
        if (!header || header->length > max_payload) return damaged(path, where.offset);
        where.length = static_cast<std::uint32_t>(record_header_size + header->length);
    }
    std::size_t got = 0;
    auto block = read_slab(from, where.offset, where.length, got);
    if (block.has_error()) return block.error();
    const bytes_view whole(block->get(), got);
    const auto header = decode_record_header(where.segment.salt, whole);
    if (!header || (where.first != 0 && header->first != where.first) ||
        record_header_size + header->length != where.length || got != where.length ||
        !checksum_matches(whole))
        return damaged(path, where.offset);
    journal_record record;
    record.where = where;
    record.type = header->type;
    record.count = header->count;
    record.payload = whole.subspan(record_header_size);
    record.backing = std::move(*block);
    return record;
}

// Reads on from `offset` of one segment; stops at the byte budget. Damage is passed over.
class block_reader {
public:
    block_reader(file& from, const segment_info& of, sequence wanted, std::size_t max_bytes,
                 std::uint32_t max_payload)
        : from_(from), of_(of), wanted_(wanted), max_bytes_(max_bytes), max_payload_(max_payload) {}

    result<> run(std::uint64_t offset) {
        std::size_t ask = std::max<std::size_t>(max_bytes_, 64u << 10);
        while (offset < of_.size && !full_) {
            std::size_t got = 0;
            const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(ask, of_.size - offset));
            auto block = read_slab(from_, offset, length, got);
            if (block.has_error()) return block.error();
            const std::size_t used = parse(*block, got, offset, ask);
            offset += used;

            if (got < length) break;
        }
        return {};
    }

    std::vector<journal_record> records{};

private:
    // How far it got. Leaves `ask` large enough for the record that did not fit.
    std::size_t parse(const slab& block, std::size_t got, std::uint64_t offset, std::size_t& ask) {
        const bytes_view bytes(block.get(), got);
        const bool to_end = offset + got >= of_.size;
        std::size_t at = offset == 0 ? std::min(segment_header_size, got) : 0;
        while (at < got && !full_) {
            const auto header = decode_record_header(of_.name.salt, bytes.subspan(at));
            if (header && header->length <= max_payload_) {
                const std::size_t length = record_header_size + header->length;
                if (length <= got - at && checksum_matches(bytes.subspan(at, length))) {
                    take(block, bytes.subspan(at, length), *header, offset + at);
                    if (!full_) at += length;
                    continue;
                }
                if (length > got - at && !to_end && at == 0 && length > ask) {
                    ask = length;
                    return 0;
                }
                if (length > got - at && !to_end && at > 0) return at;
            }
            if (got - at < record_header_size && !to_end) return at > 0 ? at : got;
            const std::size_t next = find_record(of_.name.salt, bytes, at + 1);
            at = next != std::string_view::npos ? next : to_end ? got : std::max(at + 1, got - 7);
        }
        return at;
    }
    void take(const slab& block, bytes_view whole, const record_header& header, std::uint64_t offset) {
        if (header.first + std::max(1u, header.count) <= wanted_) return;
        if (!records.empty() && used_ + whole.size() > max_bytes_) {
            full_ = true;
            return;
        }
        used_ += whole.size();
        wanted_ = header.first + std::max(1u, header.count);
        journal_record record;
        record.where = {header.first, of_.name, static_cast<std::uint32_t>(offset),
                        static_cast<std::uint32_t>(whole.size())};
        record.type = header.type;
        record.count = header.count;
        record.payload = whole.subspan(record_header_size);
        record.backing = block;
        records.push_back(std::move(record));
    }
    file& from_;
    const segment_info& of_;
    sequence wanted_;
    std::size_t max_bytes_, used_ = 0;
    std::uint32_t max_payload_;
    bool full_ = false;
};

}  // namespace

std::vector<result<journal_record>> read_records(file_system& fs, const std::filesystem::path& directory,
                                                 const std::vector<record_location>& where,
                                                 std::uint32_t max_payload) {
    std::vector<result<journal_record>> out;
    out.reserve(where.size());
    segment_file open_one;  // neighbours mostly lie in one segment
    for (const record_location& one : where) {
        const auto path = directory / to_file_name(one.segment);
        if (!open_one.from || open_one.name != one.segment) {
            auto opened = uninterrupted([&] { return fs.open(path, open_how::read); });
            if (opened.has_error()) {
                open_one.from.reset();
                out.push_back(opened.error());
                continue;
            }
            open_one.name = one.segment;
            open_one.from = std::move(*opened);
        }
        out.push_back(read_one(*open_one.from, path, one, max_payload));
    }
    return out;
}

task<std::vector<result<journal_record>>> journal::read(std::vector<record_location> where) {
    auto work = [this, &where] { return read_records(fs_, directory_, where, options_.max_payload); };
    co_return co_await run_blocking(x_.blocking, std::move(work));
}

// The first segment behind `after` with a sequence from `from` on.
std::optional<segment_info> journal::segment_from(sequence from, const segment_name& after) const {
    const auto fits = [&](const segment_info& one) { return one.end > from && one.name > after; };
    const auto found = std::ranges::find_if(sealed_, fits);
    if (found != sealed_.end()) return *found;
    return current_info_.end != 0 && fits(current_info_) ? std::optional(current_info_) : std::nullopt;
}

task<result<std::vector<journal_record>>> journal::read_from(sequence from, std::size_t max_bytes) {
    segment_name passed{};
    for (;;) {
        const auto next = segment_from(from, passed);
        if (!next) co_return std::vector<journal_record>();
        const segment_info& one = *next;
        passed = one.name;
        std::uint64_t offset = index_.offset_before(one.name, from);
        if (const auto hint = hints_.find(from); hint != hints_.end() && hint->second.segment == one.name)
            offset = hint->second.offset;
        auto work = [&]() -> result<std::vector<journal_record>> {
            auto opened =
                uninterrupted([&] { return fs_.open(directory_ / to_file_name(one.name), open_how::read); });
            if (opened.has_error()) {
                // Removed since the list was made: what it held is gone on purpose.
                if (is_errno(opened.error(), ENOENT)) return std::vector<journal_record>();
                return opened.error();
            }
            block_reader reader(**opened, one, from, max_bytes, options_.max_payload);
            auto done = reader.run(offset);
            if (done.has_error()) return done.error();
            return std::move(reader.records);
        };
        auto found = co_await run_blocking(x_.blocking, std::move(work));
        if (found.has_error()) co_return found.error();
        if (found->empty()) continue;
        const journal_record& last = found->back();
        if (hints_.size() >= hints_limit) hints_.erase(hints_.begin());
        read_hint hint;
        hint.segment = one.name;
        hint.offset = last.where.offset + last.where.length;
        hints_.insert_or_assign(last.where.first + std::max(1u, last.count), hint);
        co_return std::move(*found);
    }
}

}  // namespace firehose::storage
