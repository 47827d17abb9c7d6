/// Where the objects of an input were cut, on disk before the first attempt: a second run cuts there again.
#pragma once
#include "storage/journal.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace firehose::stages {

/// One object as it was cut. With the input, it says everything about the object's name and bytes.
struct planned_cut {
    std::string to{};         ///< names the destinations (stages/gathering.hpp)
    std::string partition{};  ///< of key_template
    std::uint64_t first = 0;  ///< position of the first event in the input
    std::uint64_t last = 0;
    std::uint64_t events = 0;
    std::string key{};  ///< for people: the key without its prefix
    /// Events in each packed block, where a want of memory made blocks shorter than usual; else empty.
    std::vector<std::uint64_t> blocks{};
};

/// The plan of one input: `<data_dir>/plans/<identity>/`, a journal (storage/JOURNAL.md) with one record for
/// the input and one for each object, both JSON. Small, about 200 bytes an object; kept, so that running the
/// same input again overwrites the same objects. May be deleted when the input will not be run again.
///
/// Single shard. Memory: the objects of earlier runs.
class cut_plan {
public:
    /// `identity` is any text that tells inputs apart; `name` is for people.
    /// `starts`: where the parts of the input begin that are read at the same time, each with a plan of its
    /// own (identity_of_part()); this one is for the first.
    static task<result<std::shared_ptr<cut_plan>>> open(context& x, storage::file_system& fs,
                                                        std::filesystem::path data_dir, std::string identity,
                                                        std::string name,
                                                        std::vector<std::uint64_t> starts = one_part());
    static std::vector<std::uint64_t> one_part() { return {0}; }
    static std::string identity_of_part(const std::string& identity, std::uint64_t start);

    /// What an earlier run made of the events from `first` on; null when it made nothing.
    const planned_cut* find(std::string_view to, std::string_view partition, std::uint64_t first) const;

    /// When the first run of this input began, milliseconds since the epoch: the arrival of its events.
    std::int64_t arrival_ms() const noexcept { return arrival_ms_; }
    /// Where the parts began in the first run; later runs keep to that, whatever their open() said.
    const std::vector<std::uint64_t>& starts() const noexcept { return starts_; }
    /// Cuts known from earlier runs.
    std::size_t known() const noexcept { return known_.size(); }

    /// Durable when it succeeds. May be cancelled until the write begins.
    task<result<>> record(std::vector<planned_cut> cuts);

private:
    cut_plan() = default;
    void visit(std::uint16_t type, std::string_view payload);

    std::unique_ptr<storage::journal> log_{};
    std::unordered_map<std::string, planned_cut> known_{};
    std::int64_t arrival_ms_ = 0;
    bool has_arrival_ = false;
    std::vector<std::uint64_t> starts_{0};
};

}  // namespace firehose::stages
