/// Named counters of one shard: plain integers, read by posting to the shard.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace firehose {

/// Single shard. References returned by operator[] stay valid as long as the object, so a hot path
/// looks its counter up once. Names come from a closed set in the code, never from event data, so
/// that their number is bounded.
class counters {
public:
    std::uint64_t& operator[](std::string_view name);
    /// A copy that may leave the shard.
    std::map<std::string, std::uint64_t> snapshot() const;

private:
    std::map<std::string, std::uint64_t, std::less<>> values_;
};

}  // namespace firehose
