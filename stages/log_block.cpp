#include "stages/log_block.hpp"

#include "stages/event_reader.hpp"
#include "storage/journal_format.hpp"

#include <cstring>

namespace firehose::stages {
namespace {

using storage::journal_format::get_number;
using storage::journal_format::put_number;

constexpr std::size_t fixed_size = 28;
constexpr std::uint16_t version = 2;
constexpr std::uint16_t version_without_stamp = 1;

template <class N> void add_number(std::string& to, N value) {
    std::array<std::byte, sizeof(N)> bytes;
    put_number(bytes.data(), value);
    to.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void add_bytes(std::string& to, const http::sha256_value& value) {
    to.append(reinterpret_cast<const char*>(value.data()), value.size());
}

/// Takes from the front; `ok` says whether everything asked for was there.
struct taker {
    bytes_view rest;
    bool ok = true;

    bytes_view take(std::uint64_t size) {
        ok = ok && size <= rest.size();
        if (!ok) return {};
        const auto front = rest.first(static_cast<std::size_t>(size));
        rest = rest.subspan(front.size());
        return front;
    }
    template <class N> N number() {
        const auto bytes = take(sizeof(N));
        return ok ? get_number<N>(bytes.data()) : N{};
    }
    http::sha256_value hash() {
        http::sha256_value out{};
        const auto bytes = take(out.size());
        if (ok) std::memcpy(out.data(), bytes.data(), out.size());
        return out;
    }
};

}  // namespace

std::string encode_log_block(const log_append& what, time_source::wall accepted, routing_stamp stamp) {
    std::string out;
    out.reserve(fixed_size + 64 + what.flow.size() + 4 * what.lengths.size() + what.bytes.size() +
                event_reader::padding);
    add_number(out, version);
    add_number(out, static_cast<std::uint16_t>(what.flow.size()));
    add_number(out, static_cast<std::uint32_t>(what.lengths.size()));
    const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(accepted.time_since_epoch());
    add_number(out, static_cast<std::uint64_t>(since.count()));
    add_number(out, stamp);
    add_number(out, std::uint32_t{what.key ? 1U : 0U});
    if (what.key) {
        add_bytes(out, *what.key);
        add_bytes(out, what.digest);
    }
    out += what.flow;
    for (const auto length : what.lengths) add_number(out, length);
    out += what.bytes;
    out.append(event_reader::padding, '\0');
    return out;
}

std::optional<log_block> decode_log_block(bytes_view payload) {
    taker in{payload};
    log_block out;
    const auto found = in.number<std::uint16_t>();
    const auto flow_size = in.number<std::uint16_t>();
    const auto count = in.number<std::uint32_t>();
    const auto accepted = in.number<std::uint64_t>();
    if (found != version && found != version_without_stamp) return std::nullopt;
    out.stamp = found == version ? in.number<std::uint64_t>() : 0;
    const auto has_key = in.number<std::uint32_t>();
    if (!in.ok || has_key > 1) return std::nullopt;
    out.accepted = time_source::wall(std::chrono::duration_cast<time_source::wall::duration>(
        std::chrono::nanoseconds(static_cast<std::int64_t>(accepted))));
    if (has_key == 1) {
        out.key = in.hash();
        out.digest = in.hash();
    }
    out.flow = as_text(in.take(flow_size));
    const auto lengths = in.take(std::uint64_t{4} * count);
    if (!in.ok) return std::nullopt;
    out.events.reserve(count);
    for (std::uint32_t i = 0; i < count && in.ok; ++i)
        out.events.push_back(in.take(get_number<std::uint32_t>(lengths.data() + std::size_t{4} * i)));
    if (!in.ok || in.rest.size() != event_reader::padding) return std::nullopt;
    return out;
}

}  // namespace firehose::stages
