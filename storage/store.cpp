#include "storage/store.hpp"

namespace firehose::storage {

task<result<object_body>> store::get(const std::string& key, byte_range, time_source::steady) {
    co_return error(disposition::park, "reading " + key + " back: this kind of store does not offer it");
}

task<result<>> store::check(time_source::steady deadline) {
    const std::string key = "firehose-check";
    auto found = co_await head(key, deadline);
    if (found.has_value() || is_not_found(found.error())) co_return result<>();
    co_return found.error();
}

}  // namespace firehose::storage
