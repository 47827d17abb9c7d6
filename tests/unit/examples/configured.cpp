#include "tests/unit/examples/configured.hpp"

#include <fstream>

namespace firehose::app {

configured::configured() : stores_(storage::default_registry()) {}

loaded configured::load(std::string_view text, const override_list& overrides, secrets how) {
    write("firehose.json", text);
    return load_configuration(directory() / "firehose.json", overrides, stores_, how);
}

void configured::write(const std::string& name, std::string_view text) const {
    std::ofstream out(directory() / name, std::ios::binary);
    out << text;
}

std::string message_at(const std::vector<fault>& faults, std::string_view pointer) {
    for (const auto& f : faults)
        if (f.pointer == pointer) return f.message;
    return {};
}

std::string pointers_of(const std::vector<fault>& faults) {
    std::string all;
    for (const auto& f : faults) all.append(all.empty() ? "" : " ").append(f.pointer);
    return all;
}

}  // namespace firehose::app
