/// Objects under construction: which event goes into which, and when each is cut. Plain state, no I/O.
#pragma once
#include "pipeline/counters.hpp"
#include "pipeline/time_source.hpp"
#include "stages/cut_plan.hpp"
#include "stages/event.hpp"
#include "stages/key_template.hpp"
#include "stages/object_files.hpp"
#include "stages/spare_buffers.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace firehose::stages {

/// Which time {yyyy} and the like show. An event without a time of its own has the time of its arrival.
enum class placed_by : std::uint8_t { event_time, arrival };

struct batch_options {
    packing format = packing::gzip;
    key_template key = key_template::parse(key_template::default_text(), packing::gzip).what;
    std::size_t bytes = 16u << 20;  ///< of a packed object; it may be larger by what one block packs to
    std::uint64_t count = std::numeric_limits<std::uint64_t>::max();  ///< of events in an object
    std::chrono::milliseconds age{60'000};  ///< of an object's first event; 0: no limit
    /// Of one input; events that would open more share an overflow partition. Of a log, those open at a time:
    /// one more cuts those that were opened first, up to an eighth of them.
    std::size_t partitions = 10'000;
    /// Half for what is open, half for what is on its way; a sixteenth and a block of at most 512 KiB on top
    /// for what belongs to the open. Less than twice `bytes` makes smaller objects, unless they are in files.
    std::size_t memory = 64u << 20;
    /// Packed bytes of one object: larger ones lie in files (gather::options::files), to which pieces of that
    /// size are written while they grow.
    std::size_t in_memory = std::numeric_limits<std::size_t>::max();
    placed_by time = placed_by::event_time;
};

/// Packed bytes that are to be appended to the file of their object.
struct object_piece {
    std::shared_ptr<object_file> to{};
    slab backing{};
    bytes_view bytes{};
    std::shared_ptr<growing_object> growing{};  ///< null: nobody sends parts of it ahead
};

/// An object that takes no more events.
struct finished_object {
    event what{};  ///< raw is the packed object unless it lies in `file`, targets are its destinations
    std::shared_ptr<object_file> file{};
    slab bytes{};
    std::vector<ack_token> acks{};
    planned_cut plan{};
    bool recorded = false;  ///< the plan of an earlier run says the same
};

/// Single shard. Events with the same destinations and partition go into one object, in order, and one object
/// is packed once for all its destinations. An object is cut by packed bytes, by count, by age, and when
/// memory runs out, the largest first; short of that its open block is packed early, and where there are
/// files what is packed goes there early. Where the plan of an earlier run knows the first event of an
/// object, the object ends where it ended then.
///
/// Name and bytes of an object follow from its events and its plan, from nothing else.
///
/// With the plan of a log, positions may begin again further back: then what is open is let go of, since its
/// events come again.
class gathering {
public:
    /// Null: all objects stay in memory. `input` tells the inputs apart whose positions name objects.
    using file_maker = std::function<std::shared_ptr<object_file>()>;
    /// For objects in files whose key is known at their start; null: none grows in anybody's sight.
    using growing_maker = std::function<std::shared_ptr<growing_object>(
        const target_list& targets, std::shared_ptr<const gathered_object> about)>;

    gathering(const batch_options& how, std::shared_ptr<const cut_plan> plan, std::int64_t arrival_ms,
              counters& count, file_maker files = {}, std::string input = {}, growing_maker growing = {});
    ~gathering();
    gathering(const gathering&) = delete;
    gathering& operator=(const gathering&) = delete;

    /// The events that follow are of one batch, whose obligation is split once for each object they reach.
    void begin_batch(time_source::steady now);
    /// Every event of a log, whether it is added or not, in the order of reading.
    void pass(std::uint64_t position);
    /// Needs targets. Returns those of them that no object can be made for; null when there are none.
    target_list add(const event& e, const ack_token& batch);
    /// False when there was nothing to cut.
    bool cut_opened_before(time_source::steady when);
    /// At the end of the input. What follows the plan of a log whose end was not reached is let go of: the
    /// next reading makes it whole.
    void cut_all();
    /// Of a log, when no batch came since: objects of its plan whose last event may never come. A last
    /// resort, since reading may only have paused.
    bool cut_followed_since(time_source::steady when);

    /// To be written, in this order, before anything else is done with the objects.
    std::vector<object_piece> take_pieces() { return std::exchange(pieces_, {}); }
    std::vector<finished_object> take_finished() { return std::exchange(finished_, {}); }
    /// When the first of those that have no plan was opened.
    std::optional<time_source::steady> oldest() const;
    /// When the last batch came, while objects follow the plan of a log.
    std::optional<time_source::steady> following_since() const;
    std::size_t memory_used() const noexcept { return used_; }
    std::size_t open_objects() const noexcept { return open_.size() + following_.size(); }

private:
    struct open_object;
    struct partition_entry {
        std::unique_ptr<open_object> object{};
    };
    using partition_map = std::map<std::string, partition_entry, std::less<>>;
    struct group;
    /// Destinations as one event lists them.
    struct known_targets {
        target_list keeps{};  ///< so that no other list gets its address
        group* of = nullptr;  ///< null when none of them can be delivered to
        target_list hopeless{};
    };

    const known_targets& look_up(const target_list& targets);
    group& group_of(std::vector<target> targets);
    bool is_for_log() const noexcept { return plan_ && plan_->is_for_log(); }
    using shared_cut = std::shared_ptr<const planned_cut>;
    shared_cut planned_for(const group& g, const partition_map::value_type& at, const event& e) const;
    void let_go(std::list<open_object*>& of, std::uint64_t ending_after);
    void make_room_for_partition();
    void forget_closed_partitions();
    void forget_empty_groups();
    partition_map::value_type& place(group& g, const event& e);
    std::int64_t time_of(const event& e) const;
    open_object& open(group& g, partition_map::value_type& at, const event& e, shared_cut planned);
    void append(open_object& o, const event& e);
    bool block_is_full(const open_object& o) const;
    void make_room(byte_buffer& to, std::size_t more);
    void pack_block(open_object& o);
    static std::string position_of(const open_object& o);
    std::string name_of(open_object& o, bool as_planned) const;
    void cut(open_object& o);
    void account(open_object& o);
    void relieve();
    void pack_early();
    void cut_largest(std::list<open_object*>& of);
    void move_to_file(open_object& o);
    std::shared_ptr<growing_object> begin_growing(const open_object& o) const;
    void move_largest_to_files();
    std::vector<open_object*> largest_first(const std::list<open_object*>& of) const;

    const batch_options& how_;
    std::shared_ptr<const cut_plan> plan_;
    std::int64_t arrival_ms_;
    std::unique_ptr<packer> packer_;
    std::size_t block_bytes_;
    std::size_t open_limit_;  ///< of what is open
    std::shared_ptr<spare_buffers> spares_;
    std::unordered_map<const void*, known_targets> seen_{};
    std::map<std::string, std::unique_ptr<group>, std::less<>> groups_;
    std::list<open_object*> open_{};       // oldest first
    std::list<open_object*> following_{};  // a plan, which says where they end
    std::vector<finished_object> finished_{};
    std::vector<object_piece> pieces_{};
    file_maker files_;
    std::string input_;  // of {position}
    growing_maker growing_;
    std::size_t partitions_ = 0;
    std::size_t most_groups_;  // of a log, before the empty ones are forgotten
    std::size_t used_ = 0;
    std::uint64_t batch_ = 0;
    std::uint64_t opened_ = 0;
    std::uint64_t last_position_ = 0;  // of a log
    time_source::steady now_{};
    std::uint64_t& overflowed_;
    std::uint64_t& cut_by_partitions_;
    std::uint64_t& cut_by_memory_;
    std::uint64_t& objects_;
};

}  // namespace firehose::stages
