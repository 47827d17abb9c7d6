#include "tests/server/large_object.hpp"

#include "pipeline/bytes.hpp"

#include <cstdlib>
#include <string_view>

namespace firehose::server_test {

std::size_t large_size() {
    const char* asked = std::getenv("FIREHOSE_LARGE_OBJECT");
    return asked ? static_cast<std::size_t>(std::strtoull(asked, nullptr, 10)) : (std::size_t{17} << 20) + 11;
}

std::string numbered(std::size_t size) {
    std::string out(size, '\0');
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>((i * 2654435761U) >> 13);
    return out;
}

task<result<std::string>> put_and_compare(storage::store& store, context& x, const std::string& text) {
    const auto deadline = x.time.now() + std::chrono::minutes(10);
    const storage::put_options how;
    const storage::payload body{as_bytes(text)};
    const std::string key = "large/object";
    auto put = co_await store.put(key, body, how, deadline);
    if (!put.has_value()) co_return put.error();
    constexpr std::uint64_t chunk = 32 << 20;
    std::uint64_t differing = 0;
    for (std::uint64_t at = 0; at < text.size(); at += chunk) {
        const storage::byte_range range{at, chunk};
        auto got = co_await store.get(key, range, deadline);
        if (!got.has_value()) co_return got.error();
        if (got->info.size != text.size() || got->bytes != std::string_view(text).substr(at, chunk))
            ++differing;
    }
    if (differing > 0) co_return error(disposition::park, std::to_string(differing) + " pieces differ");
    co_return put->etag;
}

}  // namespace firehose::server_test
