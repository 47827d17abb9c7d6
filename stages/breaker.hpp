/// Circuit breaker of one destination: closed, open, half-open. No I/O, no clock of its own.
#pragma once
#include "pipeline/error.hpp"
#include "pipeline/time_source.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

namespace firehose::stages {

/// Opens after a run of failures, or at once when the destination says that nothing will work until
/// a person acts; lets one probe through after a back-off with full jitter; closes when it succeeds.
class breaker {
public:
    struct options {
        unsigned failures = 5;                         ///< in a row, until it opens
        std::chrono::milliseconds base{1'000};         ///< ceiling of the first pause
        std::chrono::milliseconds cap{60'000};         ///< ceiling of every later one
        std::chrono::milliseconds after_stop{30'000};  ///< least pause after disposition::stop
    };
    enum class state : std::uint8_t { closed, open, half_open };
    enum class admission : std::uint8_t {
        go,      ///< send; report the result with succeeded(), failed() or abandoned()
        wait,    ///< a probe is under way: its result decides
        refuse,  ///< do not send
    };

    /// `uniform` gives numbers in [0, 1), for the jitter.
    breaker(options how, std::function<double()> uniform) : how_(how), uniform_(std::move(uniform)) {}

    admission admit(time_source::steady now);
    void succeeded();
    void failed(const error& why, time_source::steady now);
    /// An admitted attempt ended without an answer about the destination (cancelled).
    void abandoned();

    /// The next admit() of an open breaker is a probe, whatever the clock says.
    void probe_now() noexcept;

    state current() const noexcept { return state_; }
    /// Closed, and the last attempt did not fail.
    bool is_healthy() const noexcept { return state_ == state::closed && failures_ == 0; }
    /// When the next probe may go; only while open.
    time_source::steady probe_at() const noexcept { return probe_at_; }
    /// Why it opened; none while closed.
    const std::optional<error>& reason() const noexcept { return reason_; }

private:
    void open(const error& why, time_source::steady now);

    options how_;
    std::function<double()> uniform_;
    state state_ = state::closed;
    unsigned failures_ = 0;
    unsigned openings_ = 0;
    bool probing_ = false;
    time_source::steady probe_at_{};
    std::optional<error> reason_{};
};

}  // namespace firehose::stages
