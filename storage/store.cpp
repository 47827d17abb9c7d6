#include "storage/store.hpp"

namespace firehose::storage {

task<result<std::unique_ptr<multipart>>> store::resume_multipart(const std::string& key, const std::string&,
                                                                 const put_options&, time_source::steady) {
    co_return error(disposition::park,
                    "going on with an upload of " + key + ": this kind of store does not offer it");
}

task<result<object_info>> store::put_file(const std::string& key, const body_file&, const put_options&,
                                          time_source::steady) {
    co_return error(disposition::park,
                    "storing " + key + " from a file: this kind of store does not offer it");
}

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
