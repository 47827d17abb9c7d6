#include "stages/stream_resources.hpp"

namespace firehose::stages {

stream_resources::stream_resources()
    : types_{{"appointments", "appointment"},
             {"associated_contacts", "associated_contact"},
             {"calls", "call"},
             {"collaboration_requests", "collaboration_request"},
             {"collaborations", "collaboration"},
             {"contacts", "contact"},
             {"custom_fields", "custom_field"},
             {"deals", "deal"},
             {"documents", "document"},
             {"leads", "lead"},
             {"line_items", "line_item"},
             {"loss_reasons", "loss_reason"},
             {"notes", "note"},
             {"orders", "order"},
             {"products", "product"},
             {"sources", "source"},
             {"stages", "stage"},
             {"tags", "tag"},
             {"tasks", "task"},
             {"unqualified_reasons", "unqualified_reason"},
             {"users", "user"},
             {"visits", "visit"},
             {"lead_events", std::string(untyped_event)}} {}

}  // namespace firehose::stages
