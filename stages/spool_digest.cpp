#include "stages/spool_digest.hpp"

#include "storage/crc32c.hpp"
#include "storage/segment_scan.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

namespace firehose::stages {
namespace {

namespace kind = spool_record::kind;
using storage::journal_format::get_number;
using storage::journal_format::put_number;
using storage::journal_format::segment_name;

// magic, CRC-32C of the head behind this line, its length, CRC-32C of the puts, their count
constexpr std::string_view magic = "\xf1spidx\x01\n";
constexpr std::size_t preface = 24, put_size = 40, mark_size = 26;
constexpr std::uint32_t longest_head = 1u << 30;

class writer {
public:
    template <class N> void number(N value) {
        const std::size_t at = text.size();
        text.resize(at + sizeof(N));
        put_number<N>(reinterpret_cast<std::byte*>(text.data()) + at, value);
    }
    void string(std::string_view value) {
        number<std::uint32_t>(static_cast<std::uint32_t>(value.size()));
        text += value;
    }
    std::string text{};
};

// Reads past the end give zeros and make good() false.
class reader {
public:
    explicit reader(bytes_view bytes) : left_(bytes) {}
    template <class N> N number() {
        if (left_.size() < sizeof(N)) {
            good_ = false;
            return {};
        }
        const N value = get_number<N>(left_.data());
        left_ = left_.subspan(sizeof(N));
        return value;
    }
    std::string string() {
        const auto length = number<std::uint32_t>();
        if (length > left_.size()) good_ = false;
        if (!good_) return {};
        std::string out(as_text(left_.first(length)));
        left_ = left_.subspan(length);
        return out;
    }
    bool has(std::uint64_t count, std::size_t each) const { return good_ && count <= left_.size() / each; }
    bool good() const { return good_; }

private:
    bytes_view left_;
    bool good_ = true;
};

std::int64_t ticks(time_source::wall t) { return t.time_since_epoch().count(); }

std::string encode_head(const segment_digest& d) {
    writer w;
    w.number<std::uint64_t>(d.segment.name.first);
    w.number<std::uint32_t>(d.segment.name.salt);
    w.number<std::uint64_t>(d.segment.end);
    w.number<std::uint64_t>(d.segment.size);
    w.number<std::uint64_t>(static_cast<std::uint64_t>(ticks(d.segment.created)));
    w.number<std::uint64_t>(static_cast<std::uint64_t>(d.modified));
    w.number<std::uint64_t>(d.foreign);
    w.string(d.header);
    w.string(d.why);
    w.number<std::uint64_t>(d.records);
    w.number<std::uint64_t>(d.bytes);
    w.number<std::uint64_t>(d.first);
    w.number<std::uint64_t>(static_cast<std::uint64_t>(d.due_from));
    w.number<std::uint32_t>(d.oldest);
    w.number<std::uint64_t>(d.marks.size());
    for (const digest_mark& one : d.marks) {
        w.number<std::uint16_t>(one.type);
        w.number<std::uint32_t>(one.attempts);
        w.number<std::uint32_t>(one.offset);
        w.number<std::uint64_t>(one.record);
        w.number<std::uint64_t>(static_cast<std::uint64_t>(one.next_at));
    }
    w.number<std::uint64_t>(d.settled.size());
    for (const storage::sequence one : d.settled) w.number<std::uint64_t>(one);
    return std::move(w.text);
}

std::optional<segment_digest> decode_head(bytes_view head) {
    reader r(head);
    segment_digest d;
    d.segment.name.first = r.number<std::uint64_t>();
    d.segment.name.salt = r.number<std::uint32_t>();
    d.segment.end = r.number<std::uint64_t>();
    d.segment.size = r.number<std::uint64_t>();
    d.segment.created =
        time_source::wall(time_source::wall::duration(static_cast<std::int64_t>(r.number<std::uint64_t>())));
    d.modified = static_cast<std::int64_t>(r.number<std::uint64_t>());
    d.foreign = r.number<std::uint64_t>();
    d.header = r.string();
    d.why = r.string();
    d.records = r.number<std::uint64_t>();
    d.bytes = r.number<std::uint64_t>();
    d.first = r.number<std::uint64_t>();
    d.due_from = static_cast<std::int64_t>(r.number<std::uint64_t>());
    d.oldest = r.number<std::uint32_t>();
    const auto marks = r.number<std::uint64_t>();
    if (!r.has(marks, mark_size)) return std::nullopt;
    d.marks.resize(marks);
    for (digest_mark& one : d.marks) {
        one.type = r.number<std::uint16_t>();
        one.attempts = r.number<std::uint32_t>();
        one.offset = r.number<std::uint32_t>();
        one.record = r.number<std::uint64_t>();
        one.next_at = static_cast<std::int64_t>(r.number<std::uint64_t>());
    }
    const auto settled = r.number<std::uint64_t>();
    if (!r.has(settled, 8)) return std::nullopt;
    d.settled.resize(settled);
    for (storage::sequence& one : d.settled) one = r.number<std::uint64_t>();
    if (!r.good()) return std::nullopt;
    return d;
}

std::string encode_puts(const std::vector<digest_put>& puts) {
    writer w;
    w.text.reserve(puts.size() * put_size);
    for (const digest_put& one : puts) {
        w.number<std::uint64_t>(one.record);
        w.number<std::uint32_t>(one.offset);
        w.number<std::uint32_t>(one.length);
        w.number<std::uint32_t>(one.body);
        w.number<std::uint32_t>(one.body_sum);
        w.number<std::uint32_t>(one.first_failed);
        w.number<std::uint32_t>(one.attempts);
        w.number<std::uint64_t>(static_cast<std::uint64_t>(one.next_at));
    }
    return std::move(w.text);
}

std::vector<digest_put> decode_puts(bytes_view bytes) {
    reader r(bytes);
    std::vector<digest_put> puts(bytes.size() / put_size);
    for (digest_put& one : puts) {
        one.record = r.number<std::uint64_t>();
        one.offset = r.number<std::uint32_t>();
        one.length = r.number<std::uint32_t>();
        one.body = r.number<std::uint32_t>();
        one.body_sum = r.number<std::uint32_t>();
        one.first_failed = r.number<std::uint32_t>();
        one.attempts = r.number<std::uint32_t>();
        one.next_at = static_cast<std::int64_t>(r.number<std::uint64_t>());
    }
    return puts;
}

struct digest_file {
    std::unique_ptr<storage::file> from{};
    std::vector<std::byte> head{};
    std::uint32_t puts_sum = 0, puts = 0;
};

std::optional<digest_file> open_digest(storage::file_system& fs, const std::filesystem::path& path) {
    auto opened = storage::uninterrupted([&] { return fs.open(path, storage::open_how::read); });
    if (opened.has_error()) return std::nullopt;
    digest_file out;
    out.from = std::move(*opened);
    std::array<std::byte, preface> start{};
    auto got = storage::read_fully(*out.from, start, 0);
    if (got.has_error() || *got < preface || !as_text(start).starts_with(magic)) return std::nullopt;
    reader r(bytes_view(start).subspan(magic.size()));
    const auto sum = r.number<std::uint32_t>(), length = r.number<std::uint32_t>();
    out.puts_sum = r.number<std::uint32_t>();
    out.puts = r.number<std::uint32_t>();
    const auto size = out.from->size();
    if (length > longest_head || size.has_error() ||
        *size != preface + length + std::uint64_t{out.puts} * put_size)
        return std::nullopt;
    out.head.resize(length);
    got = storage::read_fully(*out.from, out.head, preface);
    if (got.has_error() || *got < length || storage::crc32c(out.head) != sum) return std::nullopt;
    return out;
}

}  // namespace

void digest_builder::add_put(const storage::recovered_record& record, const spool_record::put_view& put) {
    digest_put one;
    one.record = record.where.first;
    one.offset = record.where.offset;
    one.length = record.where.length;
    one.body = static_cast<std::uint32_t>(put.body.size());
    one.body_sum = storage::crc32c(put.body);
    const auto failed = put.when.first_failed_at.time_since_epoch();
    one.first_failed =
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(failed).count());
    one.attempts = put.when.attempts;
    one.next_at = ticks(put.when.next_at);
    made_.puts.push_back(one);
    made_.bytes += one.body;
    made_.header.assign(as_text(put.header));
    made_.why.clear();
}

void digest_builder::add(const storage::recovered_record& record) {
    digest_mark mark;
    mark.type = record.type;
    mark.offset = record.where.offset;
    switch (record.type) {
        case kind::put:
            if (const auto put = spool_record::parse_put(record.payload)) return add_put(record, *put);
            break;
        case kind::moved:
            if (const auto moved = spool_record::parse_moved(record.payload)) {
                made_.settled.push_back(moved->from);
                return add_put(record, moved->put);
            }
            break;
        case kind::settled:
            for (const storage::sequence one : spool_record::parse_sequences(record.payload))
                made_.settled.push_back(one);
            return;
        case kind::failed:
            if (const auto what = spool_record::parse_failed(record.payload)) {
                mark.record = what->record;
                mark.attempts = what->attempts;
                mark.next_at = ticks(what->next_at);
                add_mark(mark);
                made_.why.assign(as_text(what->why));
                return;
            }
            break;
        case kind::leased:
        case kind::returned:
            for (const auto& one : spool_record::parse_attempts(record.payload)) {
                mark.record = one.record;
                mark.attempts = one.attempts;
                add_mark(mark);
            }
            return;
        default: break;
    }
    ++made_.foreign;
}

void digest_builder::add_mark(const digest_mark& mark) {
    made_.marks.push_back(mark);
    if (made_.marks.size() < forget_at_) return;
    forget_settled_marks();
    forget_at_ = std::max(marks_at_first, made_.marks.size() * 2);
}

void digest_builder::forget_settled_marks() {
    std::sort(made_.settled.begin(), made_.settled.end());
    std::erase_if(made_.marks, [this](const digest_mark& one) {
        return std::ranges::binary_search(made_.settled, one.record);
    });
}

segment_digest digest_builder::take(const storage::segment_info& of, std::int64_t modified) {
    made_.segment = of;
    made_.modified = modified;
    made_.records = made_.puts.size();
    made_.due_from = std::numeric_limits<std::int64_t>::max();
    made_.oldest = std::numeric_limits<std::uint32_t>::max();
    made_.first = std::numeric_limits<storage::sequence>::max();
    for (const digest_put& one : made_.puts) {
        made_.due_from = std::min(made_.due_from, one.next_at);
        made_.oldest = std::min(made_.oldest, one.first_failed);
        made_.first = std::min(made_.first, one.record);
    }
    forget_settled_marks();
    forget_at_ = marks_at_first;
    return std::exchange(made_, {});
}

std::filesystem::path digest_folder::path_of(const segment_name& segment) const {
    return folder_ / (storage::journal_format::to_file_name(segment) + ".index");
}

std::optional<segment_digest> digest_folder::find(const segment_name& segment,
                                                  const storage::entry_status& now) const {
    const auto file = open_digest(fs_, path_of(segment));
    if (!file) return std::nullopt;
    auto head = decode_head(file->head);
    if (!head || head->segment.name != segment || head->segment.size != now.size ||
        head->modified != now.modified || head->records != file->puts)
        return std::nullopt;
    return head;
}

std::vector<digest_put> digest_folder::puts(const segment_name& segment) const {
    if (const auto file = open_digest(fs_, path_of(segment))) {
        std::vector<std::byte> bytes(std::size_t{file->puts} * put_size);
        const auto got = storage::read_fully(*file->from, bytes, preface + file->head.size());
        if (got.has_value() && *got == bytes.size() && storage::crc32c(bytes) == file->puts_sum)
            return decode_puts(bytes);
    }
    auto read = make(segment);
    return read ? std::move(read->puts) : std::vector<digest_put>();
}

bool digest_folder::write(const segment_digest& digest) const {
    if (how_ == use::look || digest.segment.size < from_bytes_) return false;
    const auto source = journal_ / storage::journal_format::to_file_name(digest.segment.name);
    auto opened = storage::uninterrupted([&] { return fs_.open(source, storage::open_how::read); });
    if (opened.has_error() || (*opened)->sync().has_error()) return false;
    opened->reset();
    const std::string head = encode_head(digest), puts = encode_puts(digest.puts);
    writer out;
    out.text = magic;
    out.number<std::uint32_t>(storage::crc32c(as_bytes(head)));
    out.number<std::uint32_t>(static_cast<std::uint32_t>(head.size()));
    out.number<std::uint32_t>(storage::crc32c(as_bytes(puts)));
    out.number<std::uint32_t>(static_cast<std::uint32_t>(digest.puts.size()));
    out.text += head;
    out.text += puts;
    if (storage::make_directories(fs_, journal_, "index").has_error()) return false;
    return storage::replace_file(fs_, path_of(digest.segment.name), as_bytes(out.text)).has_value();
}

std::optional<segment_digest> digest_folder::make(const segment_name& segment) const {
    const auto path = journal_ / storage::journal_format::to_file_name(segment);
    const auto status = storage::uninterrupted([&] { return fs_.status(path); });
    if (status.has_error() || status->kind != storage::entry_kind::file) return std::nullopt;
    auto opened = storage::uninterrupted([&] { return fs_.open(path, storage::open_how::read); });
    if (opened.has_error()) return std::nullopt;
    digest_builder builder;
    const storage::record_visitor visit = [&builder](const storage::recovered_record& r) { builder.add(r); };
    const auto scan = storage::scan_segment(**opened, status->size, segment, max_payload_, visit);
    storage::segment_info info;
    info.name = segment;
    info.end = scan.end;
    info.size = scan.size;
    info.created = time_source::wall(std::chrono::duration_cast<time_source::wall::duration>(
        std::chrono::nanoseconds(scan.header.created)));
    auto made = builder.take(info, status->modified);
    if (scan.damage.empty()) (void)write(made);
    return made;
}

void digest_folder::remove(const segment_name& segment) const { (void)fs_.remove(path_of(segment)); }

void digest_folder::keep_only(const std::vector<storage::segment_info>& segments) const {
    if (how_ == use::look) return;
    std::set<std::string> known;
    for (const storage::segment_info& one : segments) known.insert(path_of(one.name).filename());
    const auto names = storage::uninterrupted([&] { return fs_.list(folder_); });
    if (names.has_error()) return;
    for (const std::string& name : *names)
        if (!known.contains(name)) (void)fs_.remove(folder_ / name);
}

}  // namespace firehose::stages
