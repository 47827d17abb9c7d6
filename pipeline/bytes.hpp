/// Shared immutable bytes: a slab is counted once per batch, views into it are free.
#pragma once
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace firehose {

/// A block of memory that lives as long as anyone holds it. The count is atomic, because the
/// blocking pool may hold a slab too. Never written to after it was handed out.
using slab = std::shared_ptr<const std::byte[]>;

/// A pointer and a length into some slab. Does not keep it alive: the batch does.
using bytes_view = std::span<const std::byte>;

inline bytes_view as_bytes(std::string_view text) noexcept {
    return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string_view as_text(bytes_view bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A slab with a copy of `text`, for sources whose bytes live elsewhere and for tests.
slab copy_to_slab(std::string_view text);

/// Length of the longest start of `text` that is at most `limit` bytes and ends between two UTF-8 characters.
std::size_t whole_characters(std::string_view text, std::size_t limit) noexcept;

}  // namespace firehose
