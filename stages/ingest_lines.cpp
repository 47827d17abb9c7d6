#include "stages/ingest_lines.hpp"

#include "pipeline/blocking.hpp"
#include "pipeline/scope.hpp"
#include "stages/event_reader.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace firehose::stages {
namespace {

class descriptor {
public:
    explicit descriptor(int fd = -1) noexcept : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~descriptor() {
        if (fd_ > STDERR_FILENO) ::close(fd_);
    }
    int get() const noexcept { return fd_; }

private:
    int fd_;
};

/// Outcome of one blocking read: bytes read (0: end of input), or an errno, or interrupted.
struct read_outcome {
    std::size_t count = 0;
    int error = 0;
    bool interrupted = false;
};

/// Waits for input or for the bell, whichever comes first, so that a pipe nobody writes to cannot
/// hold up a drain. Regular files are always ready.
read_outcome read_or_bell(int input, int bell, std::span<std::byte> into) {
    for (;;) {
        std::array<pollfd, 2> ready{pollfd{input, POLLIN, 0}, pollfd{bell, POLLIN, 0}};
        if (::poll(ready.data(), ready.size(), -1) < 0) {
            if (errno == EINTR) continue;
            return {0, errno, false};
        }
        if (ready[1].revents) return {0, 0, true};
        const auto n = ::read(input, into.data(), into.size());
        if (n >= 0) return {static_cast<std::size_t>(n), 0, false};
        if (errno != EINTR && errno != EAGAIN) return {0, errno, false};
    }
}

bool is_regular(int file) {
    struct stat about{};
    return ::fstat(file, &about) == 0 && S_ISREG(about.st_mode);
}

/// What the system has in memory is read without waiting, by the core that parses it; the rest, errors and
/// the end are left to read_or_bell().
class cached_reads {
public:
    explicit cached_reads(int file) : file_(file), possible_(is_regular(file)) {}

    bool possible() const noexcept { return possible_; }

    std::optional<std::size_t> read(std::span<std::byte> into) {
        const iovec piece{into.data(), into.size()};
        const auto n = ::preadv2(file_, &piece, 1, at_file_position, RWF_NOWAIT);
        if (n > 0) return static_cast<std::size_t>(n);
        if (n < 0 && errno != EAGAIN && errno != EINTR) possible_ = false;  // not on this file system
        return std::nullopt;
    }

private:
    static constexpr off_t at_file_position = -1;
    int file_;
    bool possible_;
};

/// Rings when the shard drains, and when the scope it runs in ends.
task<> ring_on_drain(stop_state& stop, int bell) {
    struct ringer {
        int fd;
        ~ringer() { ::eventfd_write(fd, 1); }
    };
    const ringer always{bell};
    co_await stop.wait_for_drain();
}

/// One run over one input.
class reading {
public:
    reading(const ingest_lines::options& how, ingest_lines::report& report, descriptor input,
            std::string name, context& x)
        : how_(how),
          report_(report),
          x_(x),
          input_(std::move(input)),
          cached_(input_.get()),
          bell_(::eventfd(0, EFD_CLOEXEC)),
          name_(std::move(name)),
          settled_(std::make_shared<wait_queue>(x.ex)),
          state_(std::make_shared<obligations>()),
          lines_(
              {how.read_bytes, how.max_line, event_reader::padding},
              [this](std::uint64_t line, std::uint64_t offset) { refuse(line, offset); }, how.range) {}

    task<> run(sender<raw_event> out) {
        return with_scope(x_.ex,
                          [this, out = std::move(out)](task_scope& s) mutable { return read_all(s, out); });
    }

private:
    struct obligations {
        std::size_t open = 0;
        std::size_t bytes = 0;
        bool lost = false;
    };

    task<> read_all(task_scope& s, sender<raw_event>& out) {
        s.spawn(ring_on_drain(x_.stop, bell_.get()));
        {
            sender<raw_event> ends_here(std::move(out));  // downstream drains while we wait below
            co_await pump(ends_here);
        }
        while (state_->open > 0) co_await settled_->async_wait(use_task);
        report_.lost = state_->lost;
        report_.lines = lines_.line_count();
        report_.bytes = lines_.byte_count();
        s.cancel();
    }

    task<> pump(sender<raw_event>& out) {
        for (;;) {
            while (too_much_in_flight()) co_await settled_->async_wait(use_task);
            if (state_->lost) co_return;
            const read_outcome got = co_await read_some();
            if (got.error != 0) report_.failure = "read(" + name_ + "): " + std::strerror(got.error);
            if (got.error != 0 || got.interrupted) co_return;
            auto found = got.count == 0 ? lines_.finish() : lines_.filled(got.count);
            report_.complete = got.count == 0 || lines_.past_the_range();
            if (!found.items.empty()) {
                auto whole = make_batch(std::move(found));
                const auto taken = co_await out.push(whole);
                if (!taken) co_return;
            }
            if (report_.complete) co_return;
        }
    }

    task<read_outcome> read_some() {
        if (x_.stop.draining()) co_return read_outcome{0, 0, true};
        const auto space = lines_.space();
        if (cached_.possible()) {
            // What was read before goes on first, while it is in the core's caches.
            co_await asio::post(x_.ex, use_task);
            if (const auto n = cached_.read(space)) co_return read_outcome{*n, 0, false};
        }
        auto read = [input = input_.get(), bell = bell_.get(), space] {
            return read_or_bell(input, bell, space);
        };
        auto arriving = run_blocking(x_.blocking, read);
        co_return co_await std::move(arriving);
    }

    bool too_much_in_flight() const {
        return state_->open >= how_.max_in_flight || state_->bytes >= how_.max_in_flight_bytes;
    }

    batch<raw_event> make_batch(line_splitter::lines found) {
        ++state_->open;
        state_->bytes += found.bytes;
        ack_token ack([state = state_, settled = settled_, bytes = found.bytes](outcome o) {
            --state->open;
            state->bytes -= bytes;
            if (o == outcome::lost) state->lost = true;
            settled->wake_all();
        });
        std::vector<slab> slabs{std::move(found.owner)};
        return {std::move(found.items), found.bytes, std::move(ack), std::move(slabs)};
    }

    void refuse(std::uint64_t line, std::uint64_t offset) {
        if (how_.books) how_.books->refuse();
        if (how_.refused)
            how_.refused(
                {line, offset, "longer than the limit of " + std::to_string(how_.max_line) + " bytes"});
    }

    const ingest_lines::options& how_;
    ingest_lines::report& report_;
    context& x_;
    descriptor input_;
    cached_reads cached_;
    descriptor bell_;
    std::string name_;
    std::shared_ptr<wait_queue> settled_;
    std::shared_ptr<obligations> state_;
    line_splitter lines_;
};

}  // namespace

ingest_lines::ingest_lines(std::string path, options how) : path_(std::move(path)), how_(std::move(how)) {}

task<> ingest_lines::run(sender<raw_event> out, context& x) {
    const bool from_stdin = path_ == "-";
    // Opening a named pipe would wait for its writer here, on the shard; reading waits for it elsewhere.
    constexpr int how = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    descriptor input(from_stdin ? STDIN_FILENO : ::open(path_.c_str(), how));
    if (input.get() < 0) {
        report_->failure = "open(" + path_ + "): " + std::strerror(errno);
        co_return;
    }
    const auto start = how_.range.read_from();
    if (start > 0 && ::lseek(input.get(), static_cast<off_t>(start), SEEK_SET) < 0) {
        report_->failure = "lseek(" + path_ + "): " + std::strerror(errno);
        co_return;
    }
    reading job(how_, *report_, std::move(input), from_stdin ? "standard input" : path_, x);
    auto all = job.run(std::move(out));
    co_await std::move(all);
}

}  // namespace firehose::stages
