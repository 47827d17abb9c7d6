/// Object keys: `<prefix>/<group id>/<event id>.json`, with each id escaped into one component.
#pragma once
#include <string>
#include <string_view>

namespace firehose::storage {

/// One key component out of any text. ASCII letters, digits and `-_.` stay, every other byte becomes
/// %XX, and so do the dots of "." and "..", so that the result is ASCII, contains no slash and is
/// never a directory reference. An empty text becomes "%". A result longer than 200 bytes is cut at an
/// escape boundary and ends in `~` and 32 hex digits of the text's SHA-256; `~` appears nowhere
/// else, so two different texts never get the same component.
std::string escape_component(std::string_view text);

/// Leading and trailing slashes stripped, runs of slashes inside kept; empty stays empty.
std::string normalize_prefix(std::string_view prefix);

/// The key of one event. `group` is left out together with its slash when it is empty.
std::string event_key(std::string_view prefix, std::string_view group, std::string_view id);

}  // namespace firehose::storage
