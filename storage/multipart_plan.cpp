#include "storage/multipart_plan.hpp"

#include <algorithm>

namespace firehose::storage {

byte_range multipart_plan::part(int number) const noexcept {
    const std::uint64_t first = static_cast<std::uint64_t>(number - 1) * part_size;
    return {first, std::min(part_size, size - first)};
}

std::optional<multipart_plan> plan_parts(std::uint64_t size, const capabilities& can,
                                         const part_settings& wanted) {
    if (size == 0 || can.min_part == 0 || can.max_parts == 0) return std::nullopt;
    constexpr std::uint64_t round = std::uint64_t{1} << 20;
    std::uint64_t part = std::max({wanted.size, can.min_part, std::uint64_t{1}});
    const std::uint64_t least = (size - 1) / can.max_parts + 1;
    if (part < least) part = (least + round - 1) / round * round;
    return multipart_plan{size, part, static_cast<int>((size - 1) / part + 1)};
}

bool goes_in_parts(std::uint64_t size, const capabilities& can, const part_settings& wanted) noexcept {
    const bool offered = can.min_part != 0 && can.max_parts != 0;
    return offered && (size > wanted.threshold || size > can.max_put);
}

payload cut_out(const payload& body, byte_range which) {
    payload out;
    for (auto piece : body) {
        if (which.first >= piece.size()) {
            which.first -= piece.size();
            continue;
        }
        piece = piece.subspan(static_cast<std::size_t>(which.first));
        which.first = 0;
        piece = piece.first(static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), which.count)));
        which.count -= piece.size();
        if (!piece.empty()) out.push_back(piece);
        if (which.count == 0) break;
    }
    return out;
}

std::uint64_t size_of(const payload& body) noexcept {
    std::uint64_t size = 0;
    for (const auto piece : body) size += piece.size();
    return size;
}

}  // namespace firehose::storage
