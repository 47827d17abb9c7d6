/// Whether the description at /openapi.json and the routes of the server are the same.
#pragma once
#include "http/router.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace firehose::app {

/// What only one of the two has, each as a sentence: a path with its method, or whether it is open to all.
/// Empty when they agree. A parameter's type is part of a route's pattern and not of a described path.
std::vector<std::string> openapi_differences(std::string_view description, const http::router& routes);

}  // namespace firehose::app
