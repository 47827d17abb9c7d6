#include "http/watchdog.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <utility>

namespace firehose::http {

namespace {
using timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, executor>;
constexpr auto never = time_source::steady::max();
}  // namespace

/// Outlives the watchdog while its handler is queued.
struct watchdog::shared {
    shared(executor ex, time_source& t, tcp_socket& s) : wake(ex), time(t), socket(&s) {}
    timer wake;
    time_source& time;
    tcp_socket* socket;  ///< null once the connection is gone
    time_source::steady end = never;
    time_source::steady due = never;
    time_source::steady armed = never;
    const char* phase = "";
    std::function<void()> instead{};
    bool expired = false;
};

watchdog::watchdog(executor ex, time_source& time, tcp_socket& socket)
    : s_(std::make_shared<shared>(ex, time, socket)) {}

watchdog::~watchdog() {
    s_->socket = nullptr;
    s_->instead = nullptr;
    s_->wake.cancel();
}

void watchdog::begin(time_source::steady end) {
    s_->end = end;
    s_->expired = false;
}

void watchdog::watch(const char* phase, std::chrono::milliseconds at_most) {
    s_->instead = nullptr;
    s_->phase = phase;
    s_->due = std::min(s_->end, s_->time.now() + at_most);
    if (s_->due < s_->armed) arm(s_);
}

void watchdog::watch(const char* phase, std::chrono::milliseconds at_most, std::function<void()> instead) {
    watch(phase, at_most);
    if (!by_deadline()) s_->instead = std::move(instead);
}

void watchdog::rest() {
    s_->instead = nullptr;
    s_->due = never;
}

bool watchdog::expired() const noexcept { return s_->expired; }
const char* watchdog::phase() const noexcept { return s_->phase; }
bool watchdog::by_deadline() const noexcept { return s_->due == s_->end; }

void watchdog::arm(const std::shared_ptr<shared>& s) {
    s->armed = s->due;
    s->wake.expires_after(std::max(s->due - s->time.now(), std::chrono::steady_clock::duration::zero()));
    s->wake.async_wait([s](boost::system::error_code ec) {
        if (!ec && s->socket != nullptr) fired(s);
    });
}

void watchdog::fired(const std::shared_ptr<shared>& s) {
    s->armed = never;
    if (s->due == never) return;
    if (s->time.now() < s->due) {
        arm(s);
        return;
    }
    if (s->instead) {
        const auto next = std::exchange(s->instead, nullptr);
        s->due = never;
        next();
        return;
    }
    s->expired = true;
    boost::system::error_code ignored;
    s->socket->close(ignored);
}

}  // namespace firehose::http
