/// Which targets of an event a branch of the fan-out is for.
#pragma once
#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::stages {

/// True for the services a branch delivers to. Branches that together cover every service exactly
/// once leave no target out and deliver none twice.
using service_filter = std::function<bool(std::string_view service)>;

/// The branch of one service.
inline service_filter by_service(std::string name) {
    return [name = std::move(name)](std::string_view service) { return service == name; };
}

/// The branch of all services that have none of their own.
inline service_filter every_service_but(std::vector<std::string> names) {
    return [names = std::move(names)](std::string_view service) {
        return std::ranges::find(names, service) == names.end();
    };
}

/// One branch for everything.
inline service_filter every_service() {
    return [](std::string_view) { return true; };
}

}  // namespace firehose::stages
