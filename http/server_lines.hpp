/// The server's connections, as the one who ends those that take too long sees them. Internal to http: not
/// installed.
#pragma once
#include "pipeline/task.hpp"
#include "pipeline/time_source.hpp"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <vector>

namespace firehose::http {

enum class phase { handshake, idle, head, body, working, answer, linger };

class line;

/// All lines of a shard. Their deadlines lie side by side: with ten thousand idle connections a look at each
/// of them would keep the processor waiting for memory, twenty times a second, while others want answers.
class line_table {
public:
    line_table() = default;
    line_table(const line_table&) = delete;

    std::size_t add(line& who);
    void remove(std::size_t place) noexcept;
    void set_due(std::size_t place, time_source::steady due) noexcept { due_[place] = due; }

    /// `on` must not add or remove lines.
    template <class F> void for_overdue(time_source::steady now, F on) {
        for (std::size_t i = 0; i < due_.size(); ++i)
            if (due_[i] <= now) on(*who_[i]);
    }
    template <class F> void for_all(F on) {
        for (line* const one : who_) on(*one);
    }

private:
    std::vector<time_source::steady> due_;
    std::vector<line*> who_;  // in the same order
};

/// One connection: what it is at and until when. A deadline that has passed cancels what the socket waits
/// for, at every sweep, until the connection enters another phase.
class line {
public:
    using socket = asio::basic_stream_socket<asio::ip::tcp, executor>;

    line(line_table& all, socket& s) : all_(all), socket_(s), place_(all.add(*this)) {}
    line(const line&) = delete;
    ~line() { all_.remove(place_); }

    void enter(phase p, time_source::steady due) noexcept {
        phase_ = p;
        expired_ = false;
        all_.set_due(place_, due);
    }
    /// True the first time in a phase.
    bool expire() {
        const bool news = !expired_;
        expired_ = true;
        cancel();
        return news;
    }
    void cancel() {
        error_code ignored;
        socket_.cancel(ignored);
    }
    phase at() const noexcept { return phase_; }
    bool expired() const noexcept { return expired_; }

private:
    friend class line_table;

    line_table& all_;
    socket& socket_;
    std::size_t place_;
    phase phase_ = phase::idle;
    bool expired_ = false;
};

inline std::size_t line_table::add(line& who) {
    due_.push_back(time_source::steady::max());
    who_.push_back(&who);
    return who_.size() - 1;
}

inline void line_table::remove(std::size_t place) noexcept {
    who_[place] = who_.back();
    who_[place]->place_ = place;
    due_[place] = due_.back();
    who_.pop_back();
    due_.pop_back();
}

}  // namespace firehose::http
