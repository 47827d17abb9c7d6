/// A large object sent in parts and read back in pieces, whatever the store.
#pragma once
#include "pipeline/stage.hpp"
#include "storage/store.hpp"

#include <cstddef>
#include <string>

namespace firehose::server_test {

/// FIREHOSE_LARGE_OBJECT=bytes tries a body of that size; the default is quick.
std::size_t large_size();

/// Bytes that tell where they belong, without a second copy of them to compare with.
std::string numbered(std::size_t size);

/// Puts `text` as "large/object", reads it back and gives its ETag; an error says how many pieces differ.
/// Within ten minutes.
task<result<std::string>> put_and_compare(storage::store& store, context& x, const std::string& text);

}  // namespace firehose::server_test
