#include "stages/gathering.hpp"

#include "http/digest.hpp"
#include "stages/growing_object.hpp"
#include "storage/destination.hpp"
#include "storage/text_hash.hpp"

#include <algorithm>

namespace firehose::stages {
namespace {

constexpr std::size_t largest_block = 512u << 10;
constexpr std::size_t smallest_early_block = 2u << 10;
constexpr std::size_t smallest_early_piece = 64u << 10;
constexpr std::size_t most_remembered_lists = 4096;
constexpr std::size_t few_groups = 4096;
constexpr std::size_t fixed_cost = 700;  // of an open object: itself, its place in the maps, its name

/// Short for small objects, so that their size is near the limit.
std::size_t block_bytes_for(const batch_options& how) {
    return std::clamp<std::size_t>(how.bytes, 4u << 10, largest_block);
}

/// A hash over all events' ids and lengths, in order, taken in steps.
class id_chain {
public:
    void add(const event& e) {
        pending_.append(e.id).push_back('\0');
        append_number(e.id.size());
        append_number(e.raw.size());
        if (pending_.size() >= step) fold();
    }
    std::string finish() {
        fold();
        return http::to_hex(so_far_).substr(0, 16);
    }
    std::size_t capacity() const noexcept { return pending_.capacity(); }

private:
    static constexpr std::size_t step = 512;
    void append_number(std::size_t n) {
        for (unsigned shift = 0; shift < 64; shift += 16) {
            pending_.push_back(static_cast<char>(n >> shift & 255U));
            pending_.push_back(static_cast<char>(n >> (shift + 8) & 255U));
        }
    }
    void fold() {
        pending_.append(as_text(so_far_));
        so_far_ = http::sha256(pending_);
        pending_.clear();
    }
    std::string pending_{};
    http::sha256_value so_far_{};
};

}  // namespace

/// Destinations that share objects.
struct gathering::group {
    std::string name{};
    std::string input{};  ///< of {position}: other destinations make other objects of the same events
    target_list targets{};
    partition_map partitions{};
    // Where the last event went: most events go where the one before went.
    std::string last_flow{};
    std::vector<std::string> last_fields{};
    std::int64_t last_unit = 0;
    partition_map::value_type* last = nullptr;
};

struct gathering::open_object {
    group& of;
    partition_map::value_type& place;
    time_source::steady opened;
    std::uint64_t number;  ///< of all objects of the input, in order of opening
    std::list<open_object*>::iterator turn{};
    std::shared_ptr<const planned_cut> planned{};

    byte_buffer block{};  ///< not packed yet
    packed_bytes packed{};
    std::shared_ptr<object_file> file{};  ///< with what was packed and taken
    std::shared_ptr<growing_object> growing{};
    id_chain ids{};
    std::string first_id{};
    std::string last_id{};
    std::string flow{};
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::uint64_t events = 0;
    std::uint64_t events_packed = 0;
    std::vector<std::uint64_t> blocks{};  ///< events in each
    bool uneven = false;                  ///< a block was packed early
    std::vector<ack_token> acks{};
    std::uint64_t last_batch = 0;
    std::size_t accounted = 0;
};

gathering::gathering(const batch_options& how, std::shared_ptr<const cut_plan> plan, std::int64_t arrival_ms,
                     counters& count, file_maker files, std::string input, growing_maker growing)
    : how_(how),
      plan_(std::move(plan)),
      arrival_ms_(arrival_ms),
      packer_(make_packer(how.format)),
      block_bytes_(block_bytes_for(how)),
      open_limit_(how.memory / 2 + how.memory / 16 + block_bytes_),
      spares_(std::make_shared<spare_buffers>(how.memory / 4 * 3)),
      files_(std::move(files)),
      input_(std::move(input)),
      growing_(how.key.is_known_at_start() ? std::move(growing) : growing_maker()),
      most_groups_(few_groups),
      overflowed_(count["batch_events_in_overflow_partition"]),
      cut_by_partitions_(count["batch_objects_cut_for_partitions"]),
      cut_by_memory_(count["batch_objects_cut_for_memory"]),
      objects_(count["batch_objects"]) {}

gathering::~gathering() = default;

void gathering::begin_batch(time_source::steady now) {
    now_ = now;
    ++batch_;
    if (!is_for_log()) return;
    // Their last event was passed, and went somewhere else this time.
    for (auto it = following_.begin(); it != following_.end();) {
        auto* o = *it++;
        if (o->planned->last <= last_position_) cut(*o);
    }
}

target_list gathering::add(const event& e, const ack_token& batch) {
    const auto& known = look_up(e.targets);
    if (!known.of) return known.hopeless;
    auto& at = place(*known.of, e);
    auto* o = at.second.object.get();
    if (o && o->planned && e.position > o->planned->last) {
        cut(*o);
        o = nullptr;
    }
    const auto planned = planned_for(*known.of, at, e);
    if (e.settled && !planned) return nullptr;
    if (o && planned && o->planned != planned) {
        cut(*o);
        o = nullptr;
    }
    // Packed bytes are known when a block is packed; those of the format none before.
    const bool too_long =
        o && !o->planned && how_.format == packing::none && o->packed.size() + e.raw.size() + 1 > how_.bytes;
    if (too_long) {
        cut(*o);
        o = nullptr;
    }
    if (!o) o = &open(*known.of, at, e, planned);
    if (o->last_batch != batch_) {
        o->last_batch = batch_;
        o->acks.push_back(batch.split());
    }
    append(*o, e);
    const bool ends = o->planned ? e.position >= o->planned->last
                                 : o->packed.size() >= how_.bytes || o->events >= how_.count;
    if (ends)
        cut(*o);
    else
        account(*o);
    if (used_ > open_limit_) relieve();
    return known.hopeless;
}

void gathering::pass(std::uint64_t position) {
    if (!is_for_log()) return;
    // Again from further back, in a reading that waits for other obligations.
    if (position <= last_position_) {
        let_go(open_, 0);
        let_go(following_, 0);
    }
    last_position_ = position;
}

void gathering::let_go(std::list<open_object*>& of, std::uint64_t ending_after) {
    for (auto it = of.begin(); it != of.end();) {
        auto* o = *it;
        if (o->planned && o->planned->last <= ending_after) {
            ++it;
            continue;
        }
        used_ -= o->accounted;
        it = of.erase(it);
        o->place.second.object.reset();
    }
}

/// The object of the plan that this event begins or continues.
gathering::shared_cut gathering::planned_for(const group& g, const partition_map::value_type& at,
                                             const event& e) const {
    if (!plan_) return nullptr;
    const auto* o = at.second.object.get();
    auto cut = plan_->at(g.name, at.first, e.position);
    if (!cut || cut->first == e.position) return cut;
    return o && o->planned == cut ? cut : nullptr;
}

const gathering::known_targets& gathering::look_up(const target_list& targets) {
    const auto found = seen_.find(targets.get());
    if (found != seen_.end()) return found->second;
    if (seen_.size() >= most_remembered_lists) seen_.clear();
    std::vector<target> good;
    std::vector<target> bad;
    for (const auto& t : *targets) (t.problem.empty() ? good : bad).push_back(t);
    known_targets known{targets, nullptr, nullptr};
    if (!bad.empty()) known.hopeless = std::make_shared<const std::vector<target>>(std::move(bad));
    if (!good.empty()) known.of = &group_of(std::move(good));
    return seen_.emplace(targets.get(), std::move(known)).first->second;
}

gathering::group& gathering::group_of(std::vector<target> targets) {
    std::string text;
    for (const auto& t : targets) text += storage::hash(t.to);
    const auto name = targets.size() == 1 ? text : storage::sha256_hex(text).substr(0, 16);
    if (is_for_log() && groups_.size() >= most_groups_ && !groups_.contains(name)) forget_empty_groups();
    auto& g = groups_[name];
    if (!g) {
        g = std::make_unique<group>();
        g->name = name;
        g->input = storage::sha256_hex(input_ + "\n" + name).substr(0, 16);
        g->targets = std::make_shared<const std::vector<target>>(std::move(targets));
    }
    return *g;
}

std::int64_t gathering::time_of(const event& e) const {
    const auto arrival = e.arrived_ms != 0 ? e.arrived_ms : arrival_ms_;
    return how_.time == placed_by::event_time ? e.at_ms.value_or(arrival) : arrival;
}

gathering::partition_map::value_type& gathering::place(group& g, const event& e) {
    const auto unit_ms = how_.key.time_unit_ms();
    const auto at = unit_ms == 0 ? 0 : time_of(e);
    const auto unit = unit_ms == 0 ? 0 : (at >= 0 ? at : at - unit_ms + 1) / unit_ms;
    const bool same_flow = !how_.key.uses_flow() || g.last_flow == e.flow;
    if (g.last && unit == g.last_unit && same_flow && g.last_fields == e.fields) return *g.last;

    auto name = how_.key.partition({e.flow, at, e.fields});
    auto found = g.partitions.find(name);
    if (found == g.partitions.end()) {
        const bool full = partitions_ >= how_.partitions;
        if (full && is_for_log()) {
            make_room_for_partition();
        } else if (full) {
            ++overflowed_;
            return *g.partitions.try_emplace(how_.key.overflow_partition()).first;
        }
        ++partitions_;
        found = g.partitions.try_emplace(std::move(name)).first;
    }
    g.last = &*found;
    g.last_unit = unit;
    g.last_flow = e.flow;
    g.last_fields = e.fields;
    return *found;
}

/// Where an event of a log goes must not depend on what else is open: after a crash something else may be.
void gathering::make_room_for_partition() {
    forget_closed_partitions();
    const auto enough = how_.partitions - how_.partitions / 8;
    while (open_.size() >= enough) {
        ++cut_by_partitions_;
        cut(*open_.front());
    }
    forget_closed_partitions();
}

void gathering::forget_closed_partitions() {
    partitions_ = 0;
    for (auto& [name, g] : groups_) {
        std::erase_if(g->partitions, [](const auto& p) { return !p.second.object; });
        g->last = nullptr;
        partitions_ += g->partitions.size();
    }
}

void gathering::forget_empty_groups() {
    forget_closed_partitions();
    std::erase_if(groups_, [](const auto& g) { return g.second->partitions.empty(); });
    seen_.clear();
    most_groups_ = std::max(few_groups, 2 * groups_.size());
}

gathering::open_object& gathering::open(group& g, partition_map::value_type& at, const event& e,
                                        shared_cut planned) {
    auto& object = at.second.object;
    object = std::unique_ptr<open_object>(new open_object{g, at, now_, ++opened_});
    // Room that is never used would count as memory, and the object would be cut early for it.
    object->packed.bytes = byte_buffer(files_ ? std::min(how_.bytes, how_.in_memory) : how_.bytes);
    object->first = e.position;
    object->first_id = e.id;
    if (how_.key.uses_flow()) object->flow = e.flow;
    object->planned = std::move(planned);
    auto& line = object->planned ? following_ : open_;
    object->turn = line.insert(line.end(), object.get());
    return *object;
}

void gathering::append(open_object& o, const event& e) {
    static constexpr std::byte newline{'\n'};
    auto& to = how_.format == packing::none ? o.packed.bytes : o.block;
    make_room(to, e.raw.size() + 1);
    to.append(e.raw);
    to.push_back(newline);
    o.ids.add(e);
    o.last = e.position;
    o.last_id = e.id;
    ++o.events;
    if (how_.format != packing::none && block_is_full(o)) pack_block(o);
    if (o.packed.bytes.size() >= how_.in_memory) move_to_file(o);
}

void gathering::move_to_file(open_object& o) {
    if (!files_ || o.packed.bytes.empty()) return;
    object_piece piece;
    if (!o.file) {
        o.file = files_();
        // What a plan says of its end may turn out otherwise, and with it the name.
        if (growing_ && !o.planned) o.growing = begin_growing(o);
    }
    o.packed.taken += o.packed.bytes.size();
    piece.to = o.file;
    const auto size = o.packed.bytes.size();
    piece.backing = spares_->lend(o.packed.bytes);
    piece.bytes = bytes_view(piece.backing.get(), size);
    o.packed.bytes = byte_buffer(how_.in_memory);
    piece.growing = o.growing;
    pieces_.push_back(std::move(piece));
}

std::shared_ptr<growing_object> gathering::begin_growing(const open_object& o) const {
    auto about = std::make_shared<gathered_object>();
    const auto position = position_of(o);
    about->key = how_.key.finish(o.place.first, {o.first_id, {}, {}, 0, position});
    about->content_encoding = content_encoding_of(how_.format);
    return growing_(o.of.targets, std::move(about));
}

void gathering::make_room(byte_buffer& to, std::size_t more) {
    const auto wanted = to.size() + more;
    if (wanted > to.capacity() && wanted > spare_buffers::large) spares_->enlarge(to);
}

bool gathering::block_is_full(const open_object& o) const {
    if (!o.planned || o.planned->blocks.empty()) return o.block.size() >= block_bytes_;
    const auto index = o.blocks.size();
    return index < o.planned->blocks.size() && o.events - o.events_packed >= o.planned->blocks[index];
}

void gathering::pack_block(open_object& o) {
    if (o.block.empty()) return;
    make_room(o.packed.bytes, o.block.size());
    packer_->append(o.packed, o.block.view());
    if (o.planned && !o.planned->blocks.empty())
        o.block = byte_buffer();  // memory was short then
    else
        o.block.clear();
    o.blocks.push_back(o.events - o.events_packed);
    o.events_packed = o.events;
}

/// Sorts as the input does.
std::string gathering::position_of(const open_object& o) {
    const auto number = std::to_string(o.first);
    return o.of.input + "-" + std::string(16 - std::min<std::size_t>(16, number.size()), '0') + number;
}

/// An object that did not become what its plan says must not take the name of the one that may be there.
std::string gathering::name_of(open_object& o, bool as_planned) const {
    if (as_planned && !o.planned->key.empty()) return o.planned->key;
    const auto hash = o.ids.finish();
    auto position = position_of(o);
    if (o.planned) position += "-" + hash;
    return how_.key.finish(o.place.first, {o.first_id, o.last_id, hash, o.events, position});
}

void gathering::cut(open_object& o) {
    pack_block(o);
    packer_->finish(o.packed);
    finished_object out;
    out.recorded = o.planned && o.planned->last == o.last && o.planned->events == o.events;
    out.plan = {o.of.name, o.place.first, o.first, o.last, o.events, name_of(o, out.recorded), {}};
    if (o.uneven || (o.planned && !o.planned->blocks.empty())) out.plan.blocks = std::move(o.blocks);

    auto about = std::make_shared<gathered_object>();
    about->key = out.plan.key;
    about->content_encoding = content_encoding_of(how_.format);
    about->events = o.events;
    out.what.object = std::move(about);
    out.what.id = std::move(o.first_id);
    out.what.flow = std::move(o.flow);
    out.what.targets = o.of.targets;
    out.what.position = o.first;
    if (o.file) {
        move_to_file(o);
        out.file = std::move(o.file);
        out.what.growing = std::move(o.growing);
    } else {
        const auto size = o.packed.bytes.size();
        out.bytes = spares_->lend(o.packed.bytes);
        out.what.raw = bytes_view(out.bytes.get(), size);
    }
    out.acks = std::move(o.acks);
    finished_.push_back(std::move(out));
    ++objects_;

    used_ -= o.accounted;
    (o.planned ? following_ : open_).erase(o.turn);
    o.place.second.object.reset();  // destroys o
}

void gathering::account(open_object& o) {
    const auto now = fixed_cost + o.place.first.size() + o.block.capacity() + o.packed.bytes.capacity() +
                     o.ids.capacity() + o.acks.capacity() * sizeof(ack_token) +
                     o.blocks.capacity() * sizeof(std::uint64_t);
    used_ += now - o.accounted;
    o.accounted = now;
}

void gathering::relieve() {
    if (how_.format != packing::none) pack_early();
    if (files_ && used_ > open_limit_ / 8 * 7) move_largest_to_files();
    if (used_ > open_limit_ / 8 * 7) cut_largest(open_);
    // Only when there is less memory than in the run that made the plan.
    if (used_ > how_.memory) cut_largest(following_);
}

/// Frees the blocks that wait, the longest first.
void gathering::pack_early() {
    std::vector<open_object*> all;
    for (auto* o : open_)
        if (o->block.size() >= smallest_early_block) all.push_back(o);
    std::ranges::sort(all, [](const open_object* a, const open_object* b) {
        return std::pair(b->block.size(), a->number) < std::pair(a->block.size(), b->number);
    });
    for (auto* o : all) {
        if (used_ <= open_limit_ / 4 * 3) break;
        pack_block(*o);
        o->block = byte_buffer();
        o->uneven = true;
        account(*o);
    }
}

std::vector<gathering::open_object*> gathering::largest_first(const std::list<open_object*>& of) const {
    std::vector<open_object*> all(of.begin(), of.end());
    std::ranges::sort(all, [](const open_object* a, const open_object* b) {
        return std::pair(b->accounted, a->number) < std::pair(a->accounted, b->number);
    });
    return all;
}

/// An object's bytes do not depend on when they go there.
void gathering::move_largest_to_files() {
    for (const auto* line : {&open_, &following_}) {
        for (auto* o : largest_first(*line)) {
            if (used_ <= open_limit_ / 4 * 3) return;
            if (o->packed.bytes.size() < smallest_early_piece) continue;
            move_to_file(*o);
            account(*o);
        }
    }
}

void gathering::cut_largest(std::list<open_object*>& of) {
    for (auto* o : largest_first(of)) {
        if (used_ <= open_limit_ / 4 * 3) break;
        ++cut_by_memory_;
        cut(*o);
    }
}

bool gathering::cut_opened_before(time_source::steady when) {
    const auto before = open_.size();
    while (!open_.empty() && open_.front()->opened <= when) cut(*open_.front());
    return open_.size() < before;
}

bool gathering::cut_followed_since(time_source::steady when) {
    if (!is_for_log() || following_.empty() || now_ > when) return false;
    while (!following_.empty()) cut(*following_.front());
    return true;
}

void gathering::cut_all() {
    while (!open_.empty()) cut(*open_.front());
    if (is_for_log()) let_go(following_, last_position_);
    while (!following_.empty()) cut(*following_.front());
}

std::optional<time_source::steady> gathering::oldest() const {
    return open_.empty() ? std::nullopt : std::optional(open_.front()->opened);
}

std::optional<time_source::steady> gathering::following_since() const {
    return is_for_log() && !following_.empty() ? std::optional(now_) : std::nullopt;
}

}  // namespace firehose::stages
