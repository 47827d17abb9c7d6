/// Recognises events that were in the spool before this process and come again.
#pragma once
#include "stages/spool_digest.hpp"
#include "stages/spool_index.hpp"

#include <cstdint>
#include <optional>
#include <unordered_map>

namespace firehose::stages {

/// A sender that was not told that its events are kept sends them again after a crash. Knows the newest
/// records of a journal by length and checksum of their bodies; whoever finds one compares it itself.
class spool_repeats {
public:
    static constexpr std::size_t most = 262'144;  ///< records; about 10 MB

    /// The newest undelivered records of a journal that was just recovered. Blocking.
    void learn(spool_index& index, const digest_folder& digests);
    bool any() const noexcept { return !known_.empty(); }
    std::optional<storage::sequence> find(bytes_view body) const;
    void forget(bytes_view body);

private:
    static std::uint64_t name_of(bytes_view body);

    std::unordered_map<std::uint64_t, storage::sequence> known_;
};

}  // namespace firehose::stages
