/// A configuration file in a directory of its own, loaded as the binary loads it.
#pragma once
#include "examples/firehose/config.hpp"
#include "tests/contract/temporary_directory.hpp"

#include <string>
#include <string_view>

namespace firehose::app {

/// Not thread-safe; the directory goes away with it.
class configured {
public:
    configured();
    /// Writes `text` to firehose.json and loads it.
    loaded load(std::string_view text, const override_list& overrides = {}, secrets how = secrets::read);
    /// Writes another file beside it.
    void write(const std::string& name, std::string_view text) const;
    std::filesystem::path directory() const { return home_.path; }

private:
    contract::temporary_directory home_;
    storage::registry stores_;
};

/// The first message for a pointer; "" when there is none.
std::string message_at(const std::vector<fault>& faults, std::string_view pointer);

/// All pointers, in order, separated by blanks.
std::string pointers_of(const std::vector<fault>& faults);

}  // namespace firehose::app
