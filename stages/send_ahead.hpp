/// Sends the parts of an object that are there already, while the rest of it is still gathered. Internal to
/// stages: not installed.
#pragma once
#include "stages/delivery.hpp"
#include "stages/growing_object.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace firehose::stages {

/// One object on its way to one destination.
struct ahead_of {
    std::shared_ptr<delivery> shared{};
    std::shared_ptr<parts_ahead> parts{};
    storage::destination to{};
    std::string key{};
    storage::put_options how{};
    std::uint64_t expected = 0;  ///< bytes, for the size of the parts
};

/// A favour, no promise: the first thing that goes wrong is the end of it, and the delivery of the whole
/// object sends the rest. Sends only to a store that takes parts and whose last attempt did not fail, one
/// part at a time, with a permit of its lane. Ends when the upload is taken, or the object dropped, and with
/// it the upload. Cancelled, it leaves an unfinished upload to the store's own rules.
task<> send_ahead(ahead_of what);

}  // namespace firehose::stages
