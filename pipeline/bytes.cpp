#include "pipeline/bytes.hpp"

namespace firehose {

slab copy_to_slab(std::string_view text) {
    auto block = std::make_shared<std::byte[]>(text.size());
    if (!text.empty()) std::memcpy(block.get(), text.data(), text.size());
    return block;
}

}  // namespace firehose
