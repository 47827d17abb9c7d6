#include "stages/sqs_record.hpp"

#include "http/digest.hpp"
#include "storage/sqs_message.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <new>

namespace firehose::stages::sqs_record {
namespace {

namespace json = boost::json;

constexpr int version = 1;
constexpr std::size_t longest_message = 1024;
constexpr int gzip_window = 15 + 16;  // zlib's way to say: with gzip's header and trailer

std::int64_t to_nanoseconds(time_source::wall t) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count();
}
time_source::wall from_nanoseconds(std::int64_t n) {
    return time_source::wall(
        std::chrono::duration_cast<time_source::wall::duration>(std::chrono::nanoseconds(n)));
}

/// JSON in ASCII: everything else becomes \uXXXX, and what is no UTF-8 the replacement character, so that
/// no name or error text from outside makes a message that SQS refuses.
std::string to_ascii(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(text.size());
    const auto append = [&](unsigned unit) {
        out += "\\u";
        for (const unsigned shift : {12U, 8U, 4U, 0U}) out += digits[unit >> shift & 15];
    };
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        if (lead < 0x80) {
            out += text[i++];
            continue;
        }
        const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        const auto sequence = text.substr(i, length);
        // A character and nothing else, by the one test there is; noncharacters are escaped as well.
        const bool whole = sequence.size() == length &&
                           (storage::sqs::is_valid_text(sequence) || sequence.substr(0, 2) == "\xef\xbf");
        if (!whole) {
            append(0xfffd);
            ++i;
            continue;
        }
        unsigned point = lead & (0xffU >> (length + 1));
        for (std::size_t n = 1; n < length; ++n)
            point = point << 6 | (static_cast<unsigned char>(sequence[n]) & 0x3fU);
        if (point >= 0x10000) {
            append(0xd800 + ((point - 0x10000) >> 10));
            append(0xdc00 + ((point - 0x10000) & 0x3ff));
        } else {
            append(point);
        }
        i += length;
    }
    return out;
}

std::string header_text(const spool_header& h, const origin& from) {
    const json::object why{{"class", h.last_error.disposition},
                           {"code", h.last_error.code},
                           {"status", h.last_error.status},
                           {"message", std::string_view(h.last_error.message).substr(0, longest_message)}};
    json::object all{{"v", version},
                     {"event_id", h.event_id},
                     {"group_id", h.group_id},
                     {"flow_id", h.flow_id},
                     {"service", h.to.service},
                     {"type", h.to.type},
                     {"bucket", h.to.bucket},
                     {"prefix", h.to.prefix},
                     {"credential_id", h.to.credential_id},
                     {"layout", h.layout},
                     {"key", h.key},
                     {"attempts", h.attempts},
                     {"first_failed_at", to_nanoseconds(h.first_failed_at)},
                     {"next_at", to_nanoseconds(h.next_at)},
                     {"last_error", why},
                     {"run", from.run},
                     {"touched_at", to_nanoseconds(from.touched_at)}};
    if (!h.content_encoding.empty()) all["content_encoding"] = h.content_encoding;
    if (h.events != 1) all["events"] = h.events;
    auto text = to_ascii(json::serialize(all));
    text.pop_back();
    return text;
}

std::string with_body(std::string text, std::string_view encoding, const std::string& quoted) {
    text.append(",\"encoding\":\"").append(encoding).append("\",\"body\":").append(quoted).append("}");
    return text;
}

std::string quoted(std::string text) { return text.insert(0, 1, '"').append(1, '"'); }

std::string gzip(bytes_view body) {
    z_stream z{};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::bad_alloc();
    std::string out(deflateBound(&z, static_cast<uLong>(body.size())), '\0');
    // zlib does not write to its input, but its C interface does not say so.
    z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(body.data()));
    z.avail_in = static_cast<uInt>(body.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_FINISH);
    out.resize(z.total_out);
    deflateEnd(&z);
    return out;
}

/// Nothing for what is damaged, unfinished or longer than the limit.
std::optional<std::string> gunzip(bytes_view packed) {
    z_stream z{};
    if (inflateInit2(&z, gzip_window) != Z_OK) throw std::bad_alloc();
    z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
    z.avail_in = static_cast<uInt>(packed.size());
    std::string out;
    std::array<char, 64 * 1024> piece;
    int state = Z_OK;
    while (state == Z_OK && out.size() <= longest_body) {
        z.next_out = reinterpret_cast<Bytef*>(piece.data());
        z.avail_out = static_cast<uInt>(piece.size());
        state = inflate(&z, Z_NO_FLUSH);
        out.append(piece.data(), piece.size() - z.avail_out);
    }
    const bool whole = state == Z_STREAM_END && z.avail_in == 0 && out.size() <= longest_body;
    inflateEnd(&z);
    if (!whole) return std::nullopt;
    return out;
}

std::string text_at(const json::object& from, std::string_view name) {
    const auto* const v = from.if_contains(name);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}

std::int64_t number_at(const json::object& from, std::string_view name) {
    const auto* const v = from.if_contains(name);
    if (v == nullptr) return 0;
    error_code ec;
    const auto number = v->to_number<std::int64_t>(ec);
    return ec ? 0 : number;
}

spool_header read_header(const json::object& from) {
    spool_header h;
    h.event_id = text_at(from, "event_id");
    h.group_id = text_at(from, "group_id");
    h.flow_id = text_at(from, "flow_id");
    h.to.service = text_at(from, "service");
    h.to.type = text_at(from, "type");
    h.to.bucket = text_at(from, "bucket");
    h.to.prefix = text_at(from, "prefix");
    h.to.credential_id = text_at(from, "credential_id");
    h.layout = text_at(from, "layout");
    h.content_encoding = text_at(from, "content_encoding");
    if (from.contains("events"))
        h.events = static_cast<std::uint64_t>(std::max<std::int64_t>(number_at(from, "events"), 1));
    h.key = text_at(from, "key");
    h.attempts = static_cast<unsigned>(std::clamp<std::int64_t>(number_at(from, "attempts"), 0, 1 << 30));
    h.first_failed_at = from_nanoseconds(number_at(from, "first_failed_at"));
    h.next_at = from_nanoseconds(number_at(from, "next_at"));
    const auto* const why = from.if_contains("last_error");
    if (why == nullptr || !why->is_object()) return h;
    h.last_error.disposition = text_at(why->get_object(), "class");
    h.last_error.code = text_at(why->get_object(), "code");
    h.last_error.message = text_at(why->get_object(), "message");
    h.last_error.status = static_cast<int>(number_at(why->get_object(), "status"));
    return h;
}

std::optional<std::string> read_body(const json::object& from) {
    const auto* const body = from.if_contains("body");
    if (body == nullptr || !body->is_string()) return std::nullopt;
    const auto encoding = text_at(from, "encoding");
    std::string text(body->get_string());
    if (encoding == "text") return text;
    const auto bytes = http::from_base64(text);
    if (!bytes) return std::nullopt;
    if (encoding == "base64") return std::string(as_text(*bytes));
    if (encoding == "gzip") return gunzip(*bytes);
    return std::nullopt;
}

error no_record(std::string why) { return {disposition::park, "the message " + std::move(why)}; }

}  // namespace

std::optional<std::string> encode(const spool_header& header, const origin& from, bytes_view body,
                                  std::size_t most) {
    if (body.size() > longest_body) return std::nullopt;
    auto text = header_text(header, from);
    constexpr std::size_t frame = 32;  // around the body
    if (text.size() + frame + body.size() / 8 <= most) {
        const auto plain = json::serialize(json::string(as_text(body)));
        const bool fits = text.size() + frame + plain.size() <= most;
        if (fits && storage::sqs::is_valid_text(plain)) return with_body(std::move(text), "text", plain);
    }
    if (text.size() + frame + body.size() / 3 * 4 + 8 <= most)
        return with_body(std::move(text), "base64", quoted(http::to_base64(body)));
    const auto packed = gzip(body);
    const auto base64 = quoted(http::to_base64(as_bytes(packed)));
    if (text.size() + frame + base64.size() > most) return std::nullopt;
    return with_body(std::move(text), "gzip", base64);
}

result<decoded> decode(std::string_view text) {
    error_code ec;
    const auto value = json::parse(text, ec);
    if (ec || !value.is_object()) return no_record("is not a record of the spool");
    const auto& o = value.get_object();
    if (number_at(o, "v") > version) return no_record("was written by a later version");
    if (number_at(o, "v") != version || text_at(o, "service").empty())
        return no_record("is not a record of the spool");
    const auto body = read_body(o);
    if (!body) return no_record("has a body that cannot be read");
    decoded out;
    out.header = read_header(o);
    out.from.run = text_at(o, "run");
    out.from.touched_at = from_nanoseconds(number_at(o, "touched_at"));
    out.backing = copy_to_slab(*body);
    out.size = body->size();
    return out;
}

}  // namespace firehose::stages::sqs_record
