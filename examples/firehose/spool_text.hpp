/// What the spool verbs print in common.
#pragma once
#include "examples/firehose/spool_verbs.hpp"
#include "stages/spool_view.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace firehose::app {

/// "2026-11-28T02:35:19Z"; "-" for none.
std::string instant(const std::optional<time_source::wall>& when);

/// Message, or what else is known of a failure; "-" when nothing is.
std::string in_words(const stages::failure& why);

boost::json::object to_json(const stages::failure& why);
boost::json::object to_json(const storage::destination& to);
/// All of the header, with `bytes`, and no body.
boost::json::object to_json(const stages::kept_record& one);
/// Adds `body`, or `body_base64` if it is no UTF-8; of a large one `body_file`, the path of the spool's own
/// file.
void add_body(boost::json::object& to, const stages::kept_record& one);

/// How much of what: for verbs that act on many records.
struct kept_share {
    std::uint64_t waiting = 0, parked = 0, bytes = 0;
};
using kept_shares = std::map<storage::destination, kept_share>;
void count(kept_shares& all, const stages::kept_record& one);
kept_share sum(const kept_shares& all);
/// One line per destination, each begun with two spaces.
std::string to_text(const kept_shares& all);
boost::json::object to_json(const kept_share& share);

/// The configuration without its secrets, which looking needs not; nothing after its faults were printed.
std::optional<configuration> spool_configuration(const spool_arguments& args);

/// Prints an error to standard error.
void print_error(std::string_view what);

}  // namespace firehose::app
