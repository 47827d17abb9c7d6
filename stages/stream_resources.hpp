/// What can be read as an event stream: resources by their name in the URL, and the type of their events.
#pragma once
#include <map>
#include <string>
#include <string_view>

namespace firehose::stages {

/// The type of events that name none at /meta/type, such as LeadConduit's.
inline constexpr std::string_view untyped_event = "lead_event";

/// From the start the 22 resources of the documented event stream API, and `lead_events`.
class stream_resources {
public:
    stream_resources();
    /// Also another type for a name that is there.
    void add(std::string name, std::string type) {
        types_.insert_or_assign(std::move(name), std::move(type));
    }
    /// Null when there is no such resource.
    const std::string* type_of(std::string_view name) const {
        const auto found = types_.find(name);
        return found == types_.end() ? nullptr : &found->second;
    }
    const std::map<std::string, std::string, std::less<>>& all() const noexcept { return types_; }

private:
    std::map<std::string, std::string, std::less<>> types_{};
};

}  // namespace firehose::stages
