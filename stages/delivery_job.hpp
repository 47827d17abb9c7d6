/// One event on its way to one target: an obligation that ends in exactly one place in the books.
/// Internal to stages: not installed.
#pragma once
#include "stages/delivery.hpp"
#include "stages/event.hpp"
#include "stages/spool_backend.hpp"

#include <memory>
#include <optional>
#include <string>

namespace firehose::stages {

/// Destroyed unfinished it says `lost`, to the books and to the source. Movable, not copyable.
class delivery_job {
public:
    delivery_job(delivery& shared, std::shared_ptr<const batch<event>> owner, const event& e, const target& t,
                 ack_token ack);
    delivery_job(delivery_job&& other) noexcept = default;
    delivery_job& operator=(delivery_job&&) = delete;
    ~delivery_job();

    const storage::destination& to() const noexcept { return target_->to; }
    bytes_view body() const noexcept { return event_->raw; }
    /// Where the body lies when not in body(); else null.
    const std::shared_ptr<const storage::body_file>& file() const noexcept { return event_->file; }
    /// Where the first parts of it may be already; null: nowhere.
    const std::shared_ptr<growing_object>& growing() const noexcept { return event_->growing; }
    std::size_t bytes() const noexcept { return file() ? file()->size() : event_->raw.size(); }
    /// Of the object; made on first use.
    const std::string& key();
    /// How the object is to be stored.
    storage::put_options how() const;
    /// True for a gathered object: large, so it counts as queued until it is finished.
    bool holds_room() const noexcept { return event_->object != nullptr; }
    /// Why no attempt can be made at all; empty when one can.
    const std::string& problem() const noexcept;

    bool from_spool() const noexcept { return event_->record != nullptr; }
    lease_id lease() const noexcept { return event_->record->lease; }
    /// Made out of the spool so far.
    unsigned attempts() const noexcept { return from_spool() ? event_->record->header.attempts : 0; }

    void because(error why) { why_ = std::move(why); }
    bool has_reason() const noexcept { return why_.has_value(); }
    const error& why() const { return *why_; }

    /// The record to keep of this event. Needs a reason.
    spool_entry entry();

    void finish(standing where);
    bool finished() const noexcept { return owner_ == nullptr; }

private:
    std::uint64_t events() const noexcept;

    delivery* shared_;
    std::shared_ptr<const batch<event>> owner_;  ///< null once finished
    const event* event_;
    const target* target_;
    ack_token ack_;
    std::string key_{};
    std::optional<error> why_{};
};

}  // namespace firehose::stages
