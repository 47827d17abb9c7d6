#include "examples/firehose/batch_config.hpp"

#include <algorithm>

namespace firehose::app {
namespace {

/// The spool's largest record is 64 MiB, and what cannot be delivered out of memory must fit.
constexpr std::uint64_t largest_in_memory = 48u << 20;
/// No store counts more parts than that of 16 MiB.
constexpr std::uint64_t largest_object = 1ULL << 37;

stages::packing read_format(const object_reader& from) {
    std::string format = "gzip";
    from.read("format", format);
    if (format == "zstd") return stages::packing::zstd;
    if (format == "none") return stages::packing::none;
    if (format != "gzip") from.fail("format", "must be \"gzip\", \"zstd\" or \"none\"");
    return stages::packing::gzip;
}

}  // namespace

stages::batch_options read_batch(const object_reader& from) {
    from.only({"format", "bytes", "count", "age_ms", "key", "time", "partitions", "memory"});
    stages::batch_options how;
    how.format = read_format(from);
    from.read("bytes", how.bytes, 1 << 10, largest_object);
    std::size_t count = 0;
    from.read("count", count, 1, 1'000'000'000);
    if (count) how.count = count;
    if (const auto* age = from.find("age_ms"); age && age->is_int64() && age->get_int64() == 0)
        how.age = {};
    else
        from.read("age_ms", how.age);
    from.read("partitions", how.partitions, 1, 1'000'000);
    if (how.bytes <= largest_in_memory) how.memory = std::max<std::size_t>(how.memory, 4 * how.bytes);
    from.read("memory", how.memory, 4u << 20, 1ULL << 36);
    if (how.bytes > largest_in_memory || how.memory < 4 * how.bytes)
        how.in_memory = std::clamp<std::size_t>(how.memory / 16, 1u << 20, 8u << 20);

    std::string time = "event";
    from.read("time", time);
    if (time == "arrival")
        how.time = stages::placed_by::arrival;
    else if (time != "event")
        from.fail("time", "must be \"event\" or \"arrival\"");

    auto key = stages::key_template::default_text();
    from.read("key", key);
    auto parsed = stages::key_template::parse(key, how.format);
    if (parsed.fault.empty())
        how.key = std::move(parsed.what);
    else
        from.fail("key", std::move(parsed.fault));
    return how;
}

std::vector<std::string> default_timestamps() { return {"/end_timestamp", "/meta/event_time"}; }

void place_by(const stages::batch_options& how, const std::vector<std::string>& timestamps,
              stages::event_shape& shape) {
    const bool by_time = how.key.time_unit_ms() != 0 && how.time == stages::placed_by::event_time;
    shape.timestamp = by_time ? timestamps : std::vector<std::string>();
    shape.fields = how.key.pointers();
    shape.group.clear();
}

}  // namespace firehose::app
