/// Where the objects of an input were cut, on disk before the first attempt: a second reading cuts there
/// again.
#pragma once
#include "storage/journal.hpp"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
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
/// The plan of a log that does not end, `<directory>/`, holds records of the second kind only, and forgets
/// those whose events have all been delivered for good.
///
/// Single shard. Memory: the objects of earlier runs; of a log, those that are not forgotten.
class cut_plan {
public:
    /// For a log: no event before this position needs delivery again, come what may.
    using settled_position = std::function<std::uint64_t()>;

    /// `identity` is any text that tells inputs apart; `name` is for people.
    /// `starts`: where the parts of the input begin that are read at the same time, each with a plan of its
    /// own (identity_of_part()); this one is for the first.
    static task<result<std::shared_ptr<cut_plan>>> open(context& x, storage::file_system& fs,
                                                        std::filesystem::path data_dir, std::string identity,
                                                        std::string name,
                                                        std::vector<std::uint64_t> starts = one_part());
    static std::vector<std::uint64_t> one_part() { return {0}; }
    static std::string identity_of_part(const std::string& identity, std::uint64_t start);
    /// `end`: the position the next event of the log gets; a plan that knows more is of another log, and is
    /// not followed there. `settled` outlives the plan.
    static task<result<std::shared_ptr<cut_plan>>> open_for_log(context& x, storage::file_system& fs,
                                                                std::filesystem::path directory,
                                                                std::uint64_t end, settled_position settled);
    bool is_for_log() const noexcept { return settled_ != nullptr; }

    /// The object that was made of the event at `position`, going by the positions of its first and its last
    /// event; null when there is none.
    std::shared_ptr<const planned_cut> at(std::string_view to, std::string_view partition,
                                          std::uint64_t position) const;
    /// Where a log is to be read from, so that every object with events on both sides of `position` can be
    /// made again; `position` when there is none.
    std::uint64_t read_from(std::uint64_t position) const;
    /// The same; from now on at() leaves out objects that end before `position`.
    std::uint64_t begin_reading(std::uint64_t position);

    /// When the first run of this input began, milliseconds since the epoch: the arrival of its events.
    std::int64_t arrival_ms() const noexcept { return arrival_ms_; }
    /// Where the parts began in the first run; later runs keep to that, whatever their open() said.
    const std::vector<std::uint64_t>& starts() const noexcept { return starts_; }
    /// Tells inputs apart where objects are named by the position of an event: 16 hex digits, the same in
    /// every run.
    const std::string& id() const noexcept { return id_; }
    /// Cuts at() can find.
    std::size_t known() const noexcept { return count_; }

    /// Durable when it succeeds. May be cancelled until the write begins.
    task<result<>> record(std::vector<planned_cut> cuts);

private:
    /// By the position of the first event.
    using cuts_of_partition = std::map<std::uint64_t, std::shared_ptr<const planned_cut>>;
    /// A cut of a log, and the record that says so.
    struct recorded_cut {
        storage::sequence record;
        std::string partition;  ///< in known_
        std::uint64_t first, last;
    };

    cut_plan() = default;
    static task<result<std::unique_ptr<storage::journal>>> open_journal(context& x, storage::file_system& fs,
                                                                        std::filesystem::path directory,
                                                                        storage::journal_options how,
                                                                        cut_plan& into);
    void visit(const storage::recovered_record& r);
    void remember(planned_cut cut, storage::sequence record);
    void forget_overlapping(cuts_of_partition& cuts, std::uint64_t first, std::uint64_t last);
    void forget(const recorded_cut& which);
    result<> name_log(randomness& random, storage::file_system& fs, const std::filesystem::path& directory);
    task<> forget_settled();

    std::unique_ptr<storage::journal> log_{};
    std::unordered_map<std::string, cuts_of_partition> known_{};
    std::size_t count_ = 0;
    std::uint64_t last_position_ = 0;  ///< at() finds nothing beyond it
    std::uint64_t begun_at_ = 0;
    std::uint64_t end_ = std::numeric_limits<std::uint64_t>::max();
    settled_position settled_{};
    std::deque<recorded_cut> recorded_{};  // of a log, oldest first
    std::string id_{};
    bool of_another_log_ = false;
    std::int64_t arrival_ms_ = 0;
    bool has_arrival_ = false;
    std::vector<std::uint64_t> starts_{0};
};

}  // namespace firehose::stages
