// Appends per second with group commit, and how fast a journal is recovered. On a real disk:
//     journal_bench [directory] [seconds per figure]
#include "pipeline/randomness.hpp"
#include "pipeline/scope.hpp"
#include "pipeline/stage.hpp"
#include "storage/journal.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

using namespace firehose;

namespace {

constexpr std::size_t payload_bytes = 1024;
using clock_type = std::chrono::steady_clock;

task<> append_until(storage::journal& to, clock_type::time_point end, std::uint64_t& done) {
    const std::string payload(payload_bytes, 'x');
    storage::journal_input input;
    input.type = 1;
    input.body = as_bytes(payload);
    auto inputs = std::span<const storage::journal_input>(&input, 1);
    while (clock_type::now() < end) {
        auto appended = co_await to.append(inputs);
        if (appended.has_error()) throw std::runtime_error(appended.error().context());
        ++done;
    }
}

task<> measure_appends(context& x, storage::file_system& fs, std::filesystem::path where, int appenders,
                       double seconds) {
    storage::journal_options how;
    auto opened = co_await storage::journal::open(x, fs, where, how, [](const storage::recovered_record&) {});
    if (opened.has_error()) throw std::runtime_error(opened.error().context());
    storage::journal& j = **opened;
    std::uint64_t done = 0;
    const auto begin = clock_type::now();
    const auto end =
        begin + std::chrono::duration_cast<clock_type::duration>(std::chrono::duration<double>(seconds));
    auto spawn_all = [&](task_scope& s) {
        for (int i = 0; i < appenders; ++i) s.spawn(append_until(j, end, done));
    };
    co_await with_scope(x.ex, std::move(spawn_all));
    const std::chrono::duration<double> took = clock_type::now() - begin;
    std::printf("append, %zu bytes, %3d at once: %9.0f appends/s\n", payload_bytes, appenders,
                static_cast<double>(done) / took.count());
}

task<> measure_recovery(context& x, storage::file_system& fs, std::filesystem::path where,
                        std::size_t megabytes) {
    storage::journal_options how;
    std::uint64_t records = 0;
    {
        auto opened =
            co_await storage::journal::open(x, fs, where, how, [](const storage::recovered_record&) {});
        if (opened.has_error()) throw std::runtime_error(opened.error().context());
        const std::string payload(payload_bytes, 'y');
        storage::journal_input input;
        input.body = as_bytes(payload);
        const std::vector<storage::journal_input> inputs(1024, input);
        for (std::size_t i = 0; i < megabytes; ++i) {
            auto appended = co_await (*opened)->append(inputs);
            if (appended.has_error()) throw std::runtime_error(appended.error().context());
        }
    }
    storage::record_visitor visit = [&records](const storage::recovered_record&) { ++records; };
    const auto begin = clock_type::now();
    auto opened = co_await storage::journal::open(x, fs, where, how, std::move(visit));
    const std::chrono::duration<double> took = clock_type::now() - begin;
    if (opened.has_error() || records != megabytes * 1024) throw std::runtime_error("recovery is wrong");
    std::printf("recovery of %zu MB, %zu bytes a record: %6.0f MB/s\n", megabytes, payload_bytes,
                static_cast<double>(megabytes) / took.count());
}

task<> measure(context& x, std::filesystem::path where, double seconds) {
    storage::system_files fs;
    for (const int appenders : {1, 16, 256}) {
        auto directory = where / std::to_string(appenders);
        co_await measure_appends(x, fs, directory, appenders, seconds);
    }
    const auto megabytes = static_cast<std::size_t>(seconds * 128) + 1;
    auto directory = where / "recovery";
    co_await measure_recovery(x, fs, directory, megabytes);
}

}  // namespace

int main(int argc, char** argv) {
    std::string where = (argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::temp_directory_path()) /
                        "firehose-journal-bench-XXXXXX";
    if (::mkdtemp(where.data()) == nullptr) return 1;
    const double seconds = argc > 2 ? std::atof(argv[2]) : 2;
    asio::io_context io(1);
    asio::thread_pool blocking(1);
    real_time time;
    seeded_randomness random(1);
    stop_state stop(io.get_executor());
    counters count;
    context x{.ex = io.get_executor(),
              .time = time,
              .random = random,
              .stop = stop,
              .count = count,
              .blocking = blocking};
    int code = 0;
    asio::co_spawn(io, measure(x, where, seconds), [&code](std::exception_ptr e) {
        try {
            if (e) std::rethrow_exception(e);
        } catch (const std::exception& problem) {
            std::fprintf(stderr, "%s\n", problem.what());
            code = 1;
        }
    });
    io.run();
    blocking.join();
    std::error_code ignored;
    std::filesystem::remove_all(where, ignored);
    return code;
}
