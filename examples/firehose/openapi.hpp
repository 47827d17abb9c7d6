/// The OpenAPI 3.1 description of everything `firehose serve` answers: openapi.json, built in.
#pragma once
#include <string_view>

namespace firehose::app {

extern const std::string_view openapi_json;

}  // namespace firehose::app
