/// What the process says with its exit code; the README documents the same five.
#pragma once

namespace firehose::app {

enum exit_code : int {
    all_delivered = 0,  ///< everything accepted is delivered
    kept = 1,           ///< something is spooled or parked; nothing is lost
    usage = 2,          ///< command line or configuration
    refused = 3,        ///< some input was refused
    internal = 4,       ///< the run failed; whatever was not accepted must be sent again
};

}  // namespace firehose::app
