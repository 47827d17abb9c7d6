#include "stages/spool_record.hpp"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/serializer.hpp>
#include <boost/json/value.hpp>

#include <array>
#include <chrono>

namespace firehose::stages::spool_record {
namespace {

using storage::journal_format::get_number;
using storage::journal_format::put_number;
namespace json = boost::json;

// put: u32 length of the JSON, u32 attempts, i64 next_at, i64 first_failed_at (nanoseconds), JSON, body
constexpr std::size_t put_fixed = 24;
// failed: u64 sequence, u32 attempts, u32 reserved, i64 next_at, JSON
constexpr std::size_t failed_fixed = 24;
// moved: u64 sequence it had, then as put
constexpr std::size_t moved_fixed = 8;
constexpr std::size_t longest_message = 2048;

std::uint64_t to_nanoseconds(time_source::wall t) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count());
}
time_source::wall from_nanoseconds(std::uint64_t n) {
    return time_source::wall(std::chrono::duration_cast<time_source::wall::duration>(
        std::chrono::nanoseconds(static_cast<std::int64_t>(n))));
}

std::byte* bytes_of(std::string& text) { return reinterpret_cast<std::byte*>(text.data()); }

/// Where the values of one record are put together; each but the largest fits without an allocation.
class workspace {
public:
    json::storage_ptr memory() noexcept { return &resource_; }

private:
    std::array<unsigned char, 4096> buffer_;
    json::monotonic_resource resource_{buffer_.data(), buffer_.size()};
};

json::object to_json(const failure& why, json::storage_ptr memory) {
    const auto message =
        std::string_view(why.message).substr(0, whole_characters(why.message, longest_message));
    return {{{"class", why.disposition}, {"code", why.code}, {"status", why.status}, {"message", message}},
            std::move(memory)};
}

json::array to_json(const std::vector<attempt_note>& history, const json::storage_ptr& memory) {
    json::array out(memory);
    out.reserve(history.size());
    for (const attempt_note& one : history) {
        json::object note = to_json(one.why, memory);
        note["at"] = to_nanoseconds(one.at);
        note["attempt"] = one.attempt;
        out.push_back(std::move(note));
    }
    return out;
}

std::string text_at(const json::object& from, std::string_view key) {
    const json::value* const v = from.if_contains(key);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}

failure to_failure(const json::object& from) {
    failure why;
    why.disposition = text_at(from, "class");
    why.code = text_at(from, "code");
    why.message = text_at(from, "message");
    const json::value* const status = from.if_contains("status");
    if (status != nullptr && status->is_int64()) why.status = static_cast<int>(status->get_int64());
    return why;
}

std::uint64_t number_at(const json::object& from, std::string_view key) {
    const json::value* const v = from.if_contains(key);
    if (v == nullptr) return 0;
    error_code ec;
    const auto n = v->to_number<std::uint64_t>(ec);
    return ec ? 0 : n;
}

std::vector<attempt_note> to_history(const json::object& from) {
    std::vector<attempt_note> out;
    const json::value* const list = from.if_contains("history");
    if (list == nullptr || !list->is_array()) return out;
    for (const json::value& one : list->get_array()) {
        if (!one.is_object() || out.size() == history_limit) continue;
        attempt_note note;
        note.at = from_nanoseconds(number_at(one.get_object(), "at"));
        note.attempt = static_cast<unsigned>(number_at(one.get_object(), "attempt"));
        note.why = to_failure(one.get_object());
        out.push_back(std::move(note));
    }
    return out;
}

json::object to_json(const storage::destination& to, json::storage_ptr memory) {
    return {{{"service", to.service},
             {"type", to.type},
             {"bucket", to.bucket},
             {"prefix", to.prefix},
             {"credential_id", to.credential_id}},
            std::move(memory)};
}

/// `out` is longer by the text of `o`.
void append_text(std::string& out, const json::object& o) {
    std::array<char, 1024> piece;
    json::serializer text;
    for (text.reset(&o); !text.done();) out += std::string_view(text.read(piece.data(), piece.size()));
}

std::optional<json::object> parse_object(bytes_view text) {
    error_code ec;
    json::value value = json::parse(as_text(text), ec);
    if (ec || !value.is_object()) return std::nullopt;
    return std::move(value.get_object());
}

/// Of a put or a moved; nothing of any other record.
std::optional<put_view> put_of(std::uint16_t type, bytes_view payload) {
    if (type == kind::put) return parse_put(payload);
    if (type != kind::moved) return std::nullopt;
    const auto moved = parse_moved(payload);
    return moved ? std::optional(moved->put) : std::nullopt;
}

}  // namespace

std::string encode_put(const spool_header& header) {
    workspace here;
    json::object o = to_json(header.to, here.memory());
    o.reserve(14);
    o["v"] = 1;
    o["event_id"] = header.event_id;
    o["group_id"] = header.group_id;
    o["flow_id"] = header.flow_id;
    o["layout"] = header.layout;
    if (!header.content_encoding.empty()) o["content_encoding"] = header.content_encoding;
    if (header.events != 1) o["events"] = header.events;
    if (!header.file.empty()) o["file"] = header.file;
    o["key"] = header.key;
    o["last_error"] = to_json(header.last_error, here.memory());
    const bool failed_again = header.attempts > 0 || header.history.size() > 1;
    if (failed_again) o["history"] = to_json(header.history, here.memory());
    std::string out;
    out.reserve(1024);
    out.resize(put_fixed);
    append_text(out, o);
    put_number<std::uint32_t>(bytes_of(out), static_cast<std::uint32_t>(out.size() - put_fixed));
    put_number<std::uint32_t>(bytes_of(out) + 4, header.attempts);
    put_number<std::uint64_t>(bytes_of(out) + 8, to_nanoseconds(header.next_at));
    put_number<std::uint64_t>(bytes_of(out) + 16, to_nanoseconds(header.first_failed_at));
    return out;
}

std::optional<put_view> parse_put(bytes_view payload) {
    if (payload.size() < put_fixed) return std::nullopt;
    const std::uint32_t length = get_number<std::uint32_t>(payload.data());
    if (length > payload.size() - put_fixed) return std::nullopt;
    put_view view;
    view.when.attempts = get_number<std::uint32_t>(payload.data() + 4);
    view.when.next_at = from_nanoseconds(get_number<std::uint64_t>(payload.data() + 8));
    view.when.first_failed_at = from_nanoseconds(get_number<std::uint64_t>(payload.data() + 16));
    view.header = payload.subspan(put_fixed, length);
    view.body = payload.subspan(put_fixed + length);
    return view;
}

std::optional<spool_header> parse_header(const put_view& put) {
    const auto o = parse_object(put.header);
    if (!o) return std::nullopt;
    spool_header header;
    header.event_id = text_at(*o, "event_id");
    header.group_id = text_at(*o, "group_id");
    header.flow_id = text_at(*o, "flow_id");
    header.layout = text_at(*o, "layout");
    header.content_encoding = text_at(*o, "content_encoding");
    const json::value* const events = o->if_contains("events");
    if (events != nullptr && events->is_int64())
        header.events = static_cast<std::uint64_t>(events->get_int64());
    header.file = text_at(*o, "file");
    header.key = text_at(*o, "key");
    header.to.service = text_at(*o, "service");
    header.to.type = text_at(*o, "type");
    header.to.bucket = text_at(*o, "bucket");
    header.to.prefix = text_at(*o, "prefix");
    header.to.credential_id = text_at(*o, "credential_id");
    const json::value* const why = o->if_contains("last_error");
    if (why != nullptr && why->is_object()) header.last_error = to_failure(why->get_object());
    header.history = to_history(*o);
    header.attempts = put.when.attempts;
    header.next_at = put.when.next_at;
    header.first_failed_at = put.when.first_failed_at;
    if (header.history.empty() && header.attempts == 0) header.history = first_failure(header);
    return header;
}

std::string encode_sequences(std::span<const storage::sequence> all) {
    std::string out(all.size() * 8, '\0');
    for (std::size_t i = 0; i < all.size(); ++i) put_number<std::uint64_t>(bytes_of(out) + 8 * i, all[i]);
    return out;
}

std::vector<storage::sequence> parse_sequences(bytes_view payload) {
    std::vector<storage::sequence> all;
    for (std::size_t at = 0; at + 8 <= payload.size(); at += 8)
        all.push_back(get_number<std::uint64_t>(payload.data() + at));
    return all;
}

std::string encode_attempts(std::span<const attempt> all) {
    std::string out(all.size() * 12, '\0');
    for (std::size_t i = 0; i < all.size(); ++i) {
        put_number<std::uint64_t>(bytes_of(out) + 12 * i, all[i].record);
        put_number<std::uint32_t>(bytes_of(out) + 12 * i + 8, all[i].attempts);
    }
    return out;
}

std::vector<attempt> parse_attempts(bytes_view payload) {
    std::vector<attempt> all;
    for (std::size_t at = 0; at + 12 <= payload.size(); at += 12)
        all.push_back({get_number<std::uint64_t>(payload.data() + at),
                       get_number<std::uint32_t>(payload.data() + at + 8)});
    return all;
}

std::string encode_failed(storage::sequence record, const failed& what,
                          const std::vector<attempt_note>& history) {
    std::string out(failed_fixed, '\0');
    workspace here;
    json::object why = to_json(what.why, here.memory());
    if (!history.empty()) why["history"] = to_json(history, here.memory());
    append_text(out, why);
    put_number<std::uint64_t>(bytes_of(out), record);
    put_number<std::uint32_t>(bytes_of(out) + 8, what.attempts);
    put_number<std::uint64_t>(bytes_of(out) + 16, to_nanoseconds(what.next_at));
    return out;
}

std::optional<failed_view> parse_failed(bytes_view payload) {
    if (payload.size() < failed_fixed) return std::nullopt;
    failed_view view;
    view.record = get_number<std::uint64_t>(payload.data());
    view.attempts = get_number<std::uint32_t>(payload.data() + 8);
    view.next_at = from_nanoseconds(get_number<std::uint64_t>(payload.data() + 16));
    view.why = payload.subspan(failed_fixed);
    return view;
}

failure parse_failure(bytes_view text) {
    const auto o = parse_object(text);
    return o ? to_failure(*o) : failure();
}

std::vector<attempt_note> parse_history(bytes_view text) {
    const auto o = parse_object(text);
    return o ? to_history(*o) : std::vector<attempt_note>();
}

std::string encode_moved(storage::sequence from, const spool_header& header) {
    std::string out(moved_fixed, '\0');
    put_number<std::uint64_t>(bytes_of(out), from);
    return out + encode_put(header);
}

std::optional<moved_view> parse_moved(bytes_view payload) {
    if (payload.size() < moved_fixed) return std::nullopt;
    auto put = parse_put(payload.subspan(moved_fixed));
    if (!put) return std::nullopt;
    moved_view view;
    view.from = get_number<std::uint64_t>(payload.data());
    view.put = *put;
    return view;
}

std::optional<kept_view> read_kept(const storage::journal_record& record) {
    const auto put = put_of(record.type, record.payload);
    auto header = put ? parse_header(*put) : std::nullopt;
    if (!header) return std::nullopt;
    kept_view out;
    out.header = std::move(*header);
    out.body = put->body;
    return out;
}

bool has_file(const storage::recovered_record& record) {
    const auto put = put_of(record.type, record.payload);
    // Most have none, and to parse them all would take longer than to read them.
    if (!put || as_text(put->header).find("\"file\":") == std::string_view::npos) return false;
    const auto header = parse_header(*put);
    return header && !header->file.empty();
}

void apply_mark(bytes_view payload, storage::sequence record, spool_header& header) {
    const auto mark = parse_failed(payload);
    // The location of a mark has no sequence to compare with; its content has.
    if (!mark || mark->record != record) return;
    header.last_error = parse_failure(mark->why);
    header.history = parse_history(mark->why);
}

std::string describe_json(const storage::destination& to) { return json::serialize(to_json(to, {})) + "\n"; }

}  // namespace firehose::stages::spool_record
