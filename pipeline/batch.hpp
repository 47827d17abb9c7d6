/// The unit that moves between stages and is acked: items, the bytes they point into, an obligation.
#pragma once
#include "pipeline/ack.hpp"
#include "pipeline/bytes.hpp"

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace firehose {

/// Immutable once built. share() gives a branch its own obligation on the same items, at the cost
/// of two reference counts whatever the size. Items may point into the slabs, which live as long
/// as any share of the batch. Destroying a batch whose ack was not taken reports `lost`. A batch
/// with an obligation stays on its shard; one without (with_ack({})) may cross.
template <class T> class batch {
    struct contents {
        std::vector<T> items;
        std::vector<slab> slabs;
    };

public:
    batch() = default;
    batch(std::vector<T> items, std::size_t bytes, ack_token ack, std::vector<slab> slabs = {})
        : contents_(std::make_shared<const contents>(contents{std::move(items), std::move(slabs)})),
          bytes_(bytes),
          ack_(std::move(ack)) {}

    batch share() const { return with_ack(ack_.split()); }
    /// The same items under another obligation.
    batch with_ack(ack_token ack) const {
        batch copy;
        copy.contents_ = contents_;
        copy.bytes_ = bytes_;
        copy.ack_ = std::move(ack);
        return copy;
    }

    const std::vector<T>& items() const { return contents_ ? contents_->items : none().items; }
    const std::vector<slab>& slabs() const { return contents_ ? contents_->slabs : none().slabs; }
    /// Weight on an edge: roughly the memory the batch holds.
    std::size_t bytes() const noexcept { return bytes_; }
    ack_token take_ack() { return std::move(ack_); }

private:
    static const contents& none() {
        static const contents empty;
        return empty;
    }
    std::shared_ptr<const contents> contents_;
    std::size_t bytes_ = 0;
    ack_token ack_;
};

}  // namespace firehose
