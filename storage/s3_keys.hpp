/// Keys of a credential_source, as s3_exchange asks for them.
#pragma once
#include "storage/credential_source.hpp"
#include "storage/s3_exchange.hpp"

#include <memory>

namespace firehose::storage {

/// Shares `from`. After a refusal it gives other keys if there are any, else the same ones once more, so that
/// the server's words about them are what is reported.
s3_key_source keys_from(std::shared_ptr<credential_source> from);

}  // namespace firehose::storage
