#include "storage/ranged_get.hpp"

#include "storage/provider_answer.hpp"

#include <algorithm>

namespace firehose::storage {

namespace {

constexpr std::uint64_t largest_get = std::uint64_t{8} << 20;  // below what a client takes as one answer

/// One answer to GET as a piece of the object from `first` on.
struct piece {
    std::uint64_t first = 0;
    std::uint64_t object_size = 0;
};

/// "bytes 0-99/1234"
std::optional<piece> read_content_range(std::string_view text) {
    constexpr std::string_view unit = "bytes ";
    if (!text.starts_with(unit)) return std::nullopt;
    text.remove_prefix(unit.size());
    const auto dash = text.find('-');
    const auto slash = text.find('/');
    if (dash == std::string_view::npos || slash == std::string_view::npos) return std::nullopt;
    const auto first = whole_number(text.substr(0, dash));
    const auto size = whole_number(text.substr(slash + 1));
    if (!first || !size) return std::nullopt;
    return piece{*first, *size};
}

std::optional<piece> piece_of(const http::response& r) {
    if (r.status == 206) return read_content_range(header_or_empty(r, "content-range"));
    return piece{0, r.body.size()};  // ranges are not obeyed: it is all of it
}

}  // namespace

void ask_for_range(http::request& req, std::uint64_t first, std::uint64_t last, const std::string& etag) {
    req.headers.emplace_back("Range", "bytes=" + std::to_string(first) + "-" + std::to_string(last));
    if (!etag.empty()) req.headers.emplace_back("If-Match", "\"" + etag + "\"");
}

task<result<std::optional<object_body>>> get_ranges(range_call ask, byte_range which) {
    object_body out;
    std::uint64_t wanted = which.count;
    while (wanted > 0) {
        const std::uint64_t from = which.first + out.bytes.size();
        const std::uint64_t last = from + std::min(wanted, largest_get) - 1;
        if (last < from) co_return std::nullopt;  // past all numbers, so past the end
        auto asked = ask(from, last, out.info.etag);
        auto answer = co_await std::move(asked);
        if (!answer.has_value()) {
            const auto& why = answer.error();
            if (why.status() == 416) co_return std::nullopt;
            if (why.status() == 412) co_return error(disposition::retry, "it was replaced while it was read");
            co_return why;
        }
        const auto got = piece_of(*answer);
        const bool fits = got && got->first <= from && from <= got->first + answer->body.size();
        if (!fits) co_return error(disposition::retry, "the answer is not the range asked for");
        const auto useful = std::string_view(answer->body).substr(from - got->first, last - from + 1);
        out.info.size = got->object_size;
        if (out.info.etag.empty()) out.info.etag = etag_of(*answer);
        out.bytes.append(useful);
        wanted -= useful.size();
        if (from + useful.size() >= got->object_size) co_return out;
        if (useful.empty()) co_return error(disposition::retry, "the answer holds nothing of it");
    }
    if (out.bytes.empty()) co_return std::nullopt;
    co_return out;
}

}  // namespace firehose::storage
