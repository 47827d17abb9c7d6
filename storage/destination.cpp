#include "storage/destination.hpp"

#include "storage/object_key.hpp"
#include "storage/text_hash.hpp"

namespace firehose::storage {

std::string describe(const destination& where) {
    std::string text = where.service + " " + where.bucket;
    if (!where.prefix.empty()) text.append("/").append(where.prefix);
    return text;
}

std::string hash(const destination& where) {
    // Each member with its length in front, so that no two destinations read the same.
    std::string text;
    for (const std::string* member :
         {&where.service, &where.type, &where.bucket, &where.prefix, &where.credential_id})
        text.append(std::to_string(member->size())).append(":").append(*member).append(",");
    return sha256_hex(text).substr(0, 16);
}

std::string directory_name(const destination& where) {
    return escape_component(where.service) + "/" + escape_component(where.bucket) + "/" +
           escape_component(where.prefix) + "-" + hash(where);
}

}  // namespace firehose::storage
