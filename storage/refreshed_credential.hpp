/// A credential that is renewed: ahead of its end, and when a server calls it expired.
#pragma once
#include "pipeline/scope.hpp"
#include "pipeline/wait_queue.hpp"
#include "storage/credential_provider.hpp"
#include "storage/credential_source.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace firehose::storage {

struct refresh_options {
    /// Renewed between twice and once this long before the end, so that processes started together do not ask
    /// together; of a value that lives less than four times as long, a quarter of its life is taken instead.
    std::chrono::seconds ahead{300};
    std::chrono::milliseconds fetch{10'000};   ///< one fetch that somebody cannot go on without
    std::chrono::milliseconds early{3'000};    ///< one fetch while the old value is still good
    std::chrono::milliseconds backoff{1'000};  ///< after a failed fetch: full jitter, doubling
    std::chrono::milliseconds backoff_cap{60'000};
    std::chrono::seconds apart{1};  ///< between two fetches that succeed, whatever they bring
    std::chrono::seconds late{30};  ///< the same, where what they brought was past its end when it came
};

/// The caller that finds the value due fetches it, so that no coroutine runs in the background and nothing
/// outlives its scope. Others meanwhile go on with the old value while it is good, and wait for the one fetch
/// when it is not; when the fetching caller is cancelled, one of those who wait takes over. After a failure
/// nobody asks again before the back-off has passed: the old value serves while it is good, after that the
/// failure is returned at once with the time to wait as retry_after. A value that is past its end when it
/// arrives is tried all the same, because it may be our clock that is wrong. Single shard; outlives its
/// running calls.
class refreshed_credential final : public credential_source {
public:
    /// `name` is for errors and logs: "credential 507f1f77bcf86cd799439011".
    refreshed_credential(context& shard, std::shared_ptr<credential_provider> from, std::string name,
                         refresh_options how = {});

    credential_ptr current() const noexcept override { return current_; }
    bool due() const override;
    task<result<>> ready(time_source::steady deadline) override;
    task<bool> renew(credential_ptr refused, time_source::steady deadline) override;
    std::optional<std::chrono::seconds> expires_in() const override;
    std::string describe() const override { return from_->describe(); }

private:
    enum class need : std::uint8_t { nothing, soon, now };
    struct leading;

    need needs() const;
    bool resting() const;
    error not_yet() const;
    task<result<>> lead(std::chrono::milliseconds within, time_source::steady deadline);
    task<> wait_for_leader(time_source::steady deadline);
    task<> until_led(task_scope* race, time_source::steady deadline);
    task<> alarm(time_source::steady deadline);
    void accept(credential_value value);
    void failed(const error& why);

    context& shard_;
    std::shared_ptr<credential_provider> from_;
    std::string name_;
    refresh_options how_;

    credential_ptr current_{};
    time_source::steady not_before_{};               ///< not asked for again until then
    std::optional<time_source::wall> refresh_at_{};  ///< ahead of the end
    std::optional<time_source::steady> reread_at_{};

    std::optional<error> failure_{};  ///< of the last fetch
    time_source::steady rest_until_{};
    unsigned failures_ = 0;

    bool fetching_ = false;
    wait_queue changed_;
};

}  // namespace firehose::storage
