/// The part "stream" of the "server" section: what can be read, how often, and how long a page may take.
#pragma once
#include "stages/stream_reader.hpp"
#include "stages/stream_resources.hpp"

#include <string>

namespace firehose::app {

class object_reader;

struct stream_settings {
    stages::stream_resources resources{};
    stages::stream_limits limits{};
    std::string account{};              ///< part of every position: one of another account is refused
    unsigned requests_per_second = 10;  ///< of one token, over all shards; 0: as many as it likes
    unsigned burst = 10;
    unsigned repeat_every = 0;  ///< for tests of consumers: every so manieth page comes twice
};

/// Faults go where the reader puts them.
void read_stream(const object_reader& from, stream_settings& out);

}  // namespace firehose::app
