/// From the `firehose` object, in its legacy or services form, to a list of targets (spec 2.5).
#pragma once
#include "pipeline/stage.hpp"
#include "stages/account.hpp"
#include "stages/event.hpp"
#include "stages/event_reader.hpp"

#include <boost/json/fwd.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firehose::stages {

/// Says what is wrong with a destination (unknown type, bad bucket, no such credential), in words for
/// the person who configured it; empty when nothing is.
using destination_check = std::function<std::string(const storage::destination&)>;

/// What is wrong with a `firehose` object, and where: a JSON Pointer relative to the object.
struct routing_fault {
    std::string pointer{};
    std::string message{};
};

/// The targets an event with this `firehose` object asks for; pure. Never fails: what cannot be
/// delivered comes back as a target with a `problem`, what is switched off does not come back.
/// `object` may be of any kind.
std::vector<target> targets_of(const boost::json::value& object, const destination_check& check);

/// The stricter reading for a configuration that is being saved: every fault at once, including
/// those that targets_of() passes over (unknown members, a missing `enabled`, half a legacy form).
std::vector<routing_fault> check_routing(const boost::json::value& object, const destination_check& check);

/// Who wins: the event's own `firehose` object, then the flow's, then the default.
struct routing_table {
    std::map<std::string, target_list, std::less<>> flows{};
    target_list otherwise{};
};

/// Name of the service under which an event is parked whose routing cannot be read at all.
inline constexpr std::string_view unreadable_service = "unreadable";

/// One line of input that was not accepted. The text never quotes the line.
struct refusal {
    std::uint64_t line = 0;
    std::uint64_t offset = 0;
    std::string reason{};
};
using refusal_sink = std::function<void(const refusal&)>;

/// Stage: raw lines in, events with identity and targets out. Lines that are not JSON objects are
/// refused: counted, named to the sink, and not passed on. An event without targets is complete; it is
/// passed on and resolves at once.
class normalize_config {
public:
    using input_type = raw_event;
    using output_type = event;

    struct options {
        event_shape shape{};
        std::shared_ptr<const routing_table> routing{};
        /// Asked instead of `routing` for events that bring no `firehose` object, when it is set: the targets
        /// of a flow for an event with this stamp (raw_event). Called on the stage's shard.
        std::function<target_list(std::string_view flow, std::uint64_t stamp)> routes{};
        destination_check check{};
        std::shared_ptr<account> books{};
        refusal_sink refused{};  ///< may be empty
    };

    explicit normalize_config(options how);

    task<> run(receiver<raw_event> in, sender<event> out, context& x);

    /// One line; false when it was refused. The coroutine above is a loop around this.
    bool normalize(const raw_event& line, event& out);

private:
    target_list route(const event_reading& reading, std::uint64_t stamp);

    options how_;
    event_reader reader_;
    std::map<std::string, target_list, std::less<>> seen_;  ///< valid own `firehose` objects, bounded
};

}  // namespace firehose::stages
