/// Storing a body that lies in a file, in whichever way a store takes one.
#pragma once
#include "storage/body_file.hpp"
#include "storage/multipart_upload.hpp"

#include <chrono>
#include <functional>

namespace firehose::storage {

struct file_put_options {
    part_settings parts{};
    std::chrono::milliseconds request_timeout{60'000};  ///< of each request
    std::function<void()> answered{};                   ///< told of every answer to one
    semaphore* room = nullptr;  ///< a permit for each part in memory; null: as many as are in flight
};

/// The contract is put()'s. In parts where the store takes them and there is more than one; else at once, by
/// put_file() or out of memory. `body`, `key` and what `options` refers to are used until the call returns or
/// throws. Files are read on the blocking pool.
task<result<object_info>> put_from_file(store& to, context& x, const std::string& key, const body_file& body,
                                        const put_options& how, const file_put_options& options,
                                        begun_upload so_far);

/// One part of a file, on the blocking pool.
task<result<part_source::part>> read_part(context& x, const body_file& body, byte_range which,
                                          semaphore* room);

}  // namespace firehose::storage
