#include "stages/delivery_job.hpp"

#include "pipeline/backoff.hpp"
#include "stages/key_template.hpp"
#include "storage/object_key.hpp"

namespace firehose::stages {
namespace {

outcome verdict(standing where) {
    switch (where) {
        case standing::delivered: return outcome::stored;
        case standing::spooled: return outcome::spooled;
        case standing::parked: return outcome::rejected;
        case standing::in_flight:
        case standing::lost: break;
    }
    return outcome::lost;
}

/// Records of an earlier run are in nobody's account of this one but the backlog's.
bool counts_as_backlog(const event& e) { return e.record && e.record->from_earlier_run; }

}  // namespace

delivery_job::delivery_job(delivery& shared, std::shared_ptr<const batch<event>> owner, const event& e,
                           const target& t, ack_token ack)
    : shared_(&shared), owner_(std::move(owner)), event_(&e), target_(&t), ack_(std::move(ack)) {
    if (!from_spool())
        shared.books().want(to().service, events());
    else if (!counts_as_backlog(e))
        shared.books().move(to().service, standing::spooled, standing::in_flight, shared.shard().time.now(),
                            events());
}

delivery_job::~delivery_job() {
    if (owner_) finish(from_spool() ? standing::spooled : standing::lost);
}

const std::string& delivery_job::key() {
    if (!key_.empty()) return key_;
    if (from_spool()) return event_->record->header.key;
    key_ = event_->object ? key_template::with_prefix(event_->object->key, to().prefix)
                          : storage::event_key(to().prefix, event_->group, event_->id);
    return key_;
}

std::uint64_t delivery_job::events() const noexcept {
    if (from_spool()) return event_->record->header.events;
    return event_->object ? event_->object->events : 1;
}

storage::put_options delivery_job::how() const {
    storage::put_options options;
    if (event_->object) {
        options.content_type = batch_content_type;
        options.content_encoding = event_->object->content_encoding;
    } else if (from_spool() && event_->record->header.layout == batch_layout) {
        options.content_type = batch_content_type;
        options.content_encoding = event_->record->header.content_encoding;
    }
    return options;
}

const std::string& delivery_job::problem() const noexcept {
    return event_->problem.empty() ? target_->problem : event_->problem;
}

spool_entry delivery_job::entry() {
    spool_entry kept;
    kept.file = file();
    kept.body = kept.file ? kept.file->fingerprint() : body();
    auto& h = kept.header;
    h.event_id = event_->id;
    h.group_id = event_->group;
    h.flow_id = event_->flow;
    h.to = to();
    if (event_->problem.empty()) h.key = key();
    if (event_->object) {
        h.layout = batch_layout;
        h.content_encoding = event_->object->content_encoding;
        h.events = event_->object->events;
    }
    h.first_failed_at = shared_->shard().time.wall_now();
    const auto& how = shared_->options();
    auto pause = full_jitter(how.spool_backoff, how.spool_backoff_cap, 0, shared_->shard().random.uniform());
    if (why_->retry_after()) pause = std::max(pause, *why_->retry_after());
    h.next_at = h.first_failed_at + pause;
    h.last_error = describe_failure(*why_);
    return kept;
}

void delivery_job::finish(standing where) {
    const auto now = shared_->shard().time.now();
    auto& books = shared_->books();
    if (!counts_as_backlog(*event_))
        books.move(to().service, standing::in_flight, where, now, events());
    else if (where == standing::delivered)
        books.backlog_delivered(to().service);
    else if (where == standing::parked)
        books.backlog_parked(to().service);
    ack_.resolve(verdict(where));
    owner_.reset();
}

}  // namespace firehose::stages
