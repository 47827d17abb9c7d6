/// What is different between two configurations, for the log: secrets are never shown.
#pragma once
#include "examples/firehose/config.hpp"

#include <string>
#include <vector>

namespace firehose::app {

struct setting_change {
    std::string pointer{};  ///< JSON Pointer of the setting
    std::string from{};     ///< as JSON, shortened; "(absent)", "(secret)" or "(not shown)"
    std::string to{};
    bool needs_restart =
        false;  ///< only flows, default, credentials, tokens and certificates are taken at once
};

/// Both have been loaded and have documents. Also finds secrets of credentials that stand in files and
/// variables of the same name as before.
std::vector<setting_change> differences(const configuration& before, const configuration& after);

/// Names of the members in which two credentials differ.
std::vector<std::string> changed_members(const storage::credential& a, const storage::credential& b);

}  // namespace firehose::app
