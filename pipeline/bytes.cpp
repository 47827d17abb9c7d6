#include "pipeline/bytes.hpp"

namespace firehose {

slab copy_to_slab(std::string_view text) {
    auto block = std::make_shared<std::byte[]>(text.size());
    if (!text.empty()) std::memcpy(block.get(), text.data(), text.size());
    return block;
}

std::size_t whole_characters(std::string_view text, std::size_t limit) noexcept {
    if (text.size() <= limit) return text.size();
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0u) == 0x80u) --limit;
    return limit;
}

}  // namespace firehose
