#include "examples/firehose/this_machine.hpp"

#include <cstdlib>

namespace firehose::app {

storage::machine this_machine() {
    auto out = storage::machine_without_variables();
    out.variable = [](const std::string& name) {
        const char* value = std::getenv(name.c_str());
        return value ? std::optional<std::string>(value) : std::nullopt;
    };
    return out;
}

}  // namespace firehose::app
