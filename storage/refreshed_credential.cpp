#include "storage/refreshed_credential.hpp"

#include "pipeline/backoff.hpp"

#include <algorithm>

namespace firehose::storage {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// A place that gives the same value again may do so for a while.
constexpr seconds longest_pause{60};

}  // namespace

/// Held by the caller that fetches; lets the others on however it ends.
struct refreshed_credential::leading {
    explicit leading(refreshed_credential& s) : self(s) { self.fetching_ = true; }
    leading(const leading&) = delete;
    ~leading() {
        self.fetching_ = false;
        self.changed_.wake_all();
    }
    refreshed_credential& self;
};

refreshed_credential::refreshed_credential(context& shard, std::shared_ptr<credential_provider> from,
                                           std::string name, refresh_options how)
    : shard_(shard), from_(std::move(from)), name_(std::move(name)), how_(how), changed_(shard.ex) {}

refreshed_credential::need refreshed_credential::needs() const {
    if (!current_) return need::now;
    const auto wall = shard_.time.wall_now();
    const auto now = shard_.time.now();
    if (now < not_before_) return need::nothing;
    if (current_->expires && wall >= *current_->expires) return need::now;
    const bool aged = (refresh_at_ && wall >= *refresh_at_) || (reread_at_ && now >= *reread_at_);
    return aged ? need::soon : need::nothing;
}

bool refreshed_credential::resting() const { return shard_.time.now() < rest_until_; }

bool refreshed_credential::due() const {
    const auto n = needs();
    return n == need::now || (n == need::soon && !fetching_ && !resting());
}

error refreshed_credential::not_yet() const {
    error_details d = failure_->details();
    d.retry_after = duration_cast<milliseconds>(rest_until_ - shard_.time.now()) + milliseconds(1);
    return {failure_->what(), std::move(d)};
}

task<result<>> refreshed_credential::ready(time_source::steady deadline) {
    for (;;) {
        const auto n = needs();
        if (n == need::nothing || (n == need::soon && (fetching_ || resting()))) co_return result<>();
        if (fetching_) {
            co_await wait_for_leader(deadline);
            if (!fetching_) continue;
            co_return error(disposition::retry, name_ + ": no answer of " + from_->describe() + " in time");
        }
        if (resting()) co_return not_yet();
        const auto within = n == need::now ? how_.fetch : how_.early;
        auto led = co_await lead(within, deadline);
        if (n == need::soon) co_return result<>();
        co_return led;
    }
}

task<bool> refreshed_credential::renew(credential_ptr refused, time_source::steady deadline) {
    for (;;) {
        if (current_ && current_ != refused) co_return true;
        if (fetching_) {
            co_await wait_for_leader(deadline);
            if (fetching_) co_return false;
            continue;
        }
        const bool too_soon = current_ && shard_.time.now() < not_before_;
        if (too_soon || resting()) co_return false;
        auto led = co_await lead(how_.fetch, deadline);
        co_return led.has_value() && current_ != refused;
    }
}

task<result<>> refreshed_credential::lead(milliseconds within, time_source::steady deadline) {
    const leading hold(*this);
    const auto until = std::min(deadline, shard_.time.now() + within);
    auto got = co_await from_->fetch(until);
    if (got.has_value()) {
        accept(std::move(*got));
        co_return result<>();
    }
    error_details d = got.error().details();
    d.context = name_ + ": " + d.context;
    const error why(got.error().what(), std::move(d));
    // A caller in a hurry says nothing about the place; others have their own time for it.
    const bool cut_short = until == deadline && shard_.time.now() >= deadline;
    if (!cut_short) failed(why);
    co_return why;
}

void refreshed_credential::accept(credential_value value) {
    const auto wall = shard_.time.wall_now();
    const bool again = current_ && same_keys(*current_, value) && current_->expires == value.expires;
    const auto expires = value.expires;
    if (!again) current_ = std::make_shared<const credential_value>(std::move(value));
    const auto now = shard_.time.now();
    not_before_ = now + (expires && *expires <= wall ? how_.late : how_.apart);
    failure_.reset();
    failures_ = 0;
    rest_until_ = {};
    refresh_at_.reset();
    if (expires) {
        const auto left = std::max(duration_cast<milliseconds>(*expires - wall), milliseconds(0));
        const auto window = std::min<milliseconds>(how_.ahead, left / 4);
        const auto jitter = full_jitter(window, window, 0, shard_.random.uniform());
        auto pause = left - window - jitter;
        if (again) pause = std::max(pause, std::min<milliseconds>(left / 4, longest_pause));
        refresh_at_ = wall + pause;
    }
    reread_at_.reset();
    if (from_->believe() > seconds(0)) reread_at_ = now + from_->believe();
    if (again) return;
    const auto lasts = expires_in();
    shard_.log.info("a credential was fetched",
                    {{"credential", name_},
                     {"from", from_->describe()},
                     {"expires_in_s", lasts ? std::to_string(lasts->count()) : "never"}});
}

void refreshed_credential::failed(const error& why) {
    failure_ = why;
    auto pause = full_jitter(how_.backoff, how_.backoff_cap, failures_, shard_.random.uniform());
    if (why.retry_after()) pause = std::max(pause, *why.retry_after());
    rest_until_ = shard_.time.now() + pause;
    ++failures_;
    shard_.log.warning("a credential could not be fetched",
                       {{"credential", name_}, {"from", from_->describe()}, {"reason", why.context()}});
}

task<> refreshed_credential::alarm(time_source::steady deadline) {
    co_await shard_.time.sleep_until(deadline);
    changed_.wake_all();
}

task<> refreshed_credential::until_led(task_scope* race, time_source::steady deadline) {
    while (fetching_ && shard_.time.now() < deadline) co_await changed_.async_wait(use_task);
    race->cancel();
}

/// Returns when the fetch under way has ended, or at the deadline.
task<> refreshed_credential::wait_for_leader(time_source::steady deadline) {
    return with_scope(shard_.ex, [this, deadline](task_scope& race) {
        race.spawn(alarm(deadline));
        race.spawn(until_led(&race, deadline));
    });
}

std::optional<seconds> refreshed_credential::expires_in() const {
    if (!current_ || !current_->expires) return std::nullopt;
    return std::chrono::floor<seconds>(*current_->expires - shard_.time.wall_now());
}

}  // namespace firehose::storage
