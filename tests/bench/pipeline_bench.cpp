/// What the framework costs per item: processor time, so that a busy machine disturbs less, and
/// allocations. Usage: pipeline_bench [items]
#include "pipeline/pipeline.hpp"

#include <boost/asio/co_spawn.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <functional>
#include <new>
#include <string>
#include <vector>

namespace {
std::uint64_t allocations = 0;  // one thread; the blocking pool of this program is idle
}

void* operator new(std::size_t size) {
    ++allocations;
    if (void* p = std::malloc(size > 0 ? size : 1)) return p;
    throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace firehose {
namespace {

struct shard {
    asio::io_context io{1};
    real_time time;
    seeded_randomness random{1};
    stop_state stop{io.get_executor()};
    counters count;
    asio::thread_pool blocking{1};
    context x{.ex = io.get_executor(),
              .time = time,
              .random = random,
              .stop = stop,
              .count = count,
              .blocking = blocking};

    void run(task<> t) {
        std::exception_ptr failure;
        asio::co_spawn(io, std::move(t), [&failure](std::exception_ptr e) { failure = std::move(e); });
        io.restart();
        io.run();
        if (failure) std::rethrow_exception(failure);
    }
};

void measure(const std::string& what, std::uint64_t items, const std::function<void()>& work) {
    work();  // warm: caches, the frame recycler, the allocator
    const auto allocated = allocations;
    const std::clock_t begin = std::clock();
    work();
    const double took = static_cast<double>(std::clock() - begin) * 1e9 / CLOCKS_PER_SEC;
    const auto n = static_cast<double>(items);
    std::printf("%-58s %10.1f ns/item %8.3f allocations/item\n", what.c_str(), took / n,
                static_cast<double>(allocations - allocated) / n);
}

task<> produce(channel<int>& c, std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; ++i) {
        int item = 1;
        co_await c.send(item, 1);
    }
    c.close();
}

task<> produce_batches(channel<batch<int>>& c, std::uint64_t n, std::size_t size) {
    for (std::uint64_t i = 0; i < n; i += size) {
        batch<int> b(std::vector<int>(size, 1), size, {});
        co_await c.send(b, size);
    }
    c.close();
}

template <class T> task<> consume(channel<T>& c) {
    for (;;) {
        auto item = co_await c.receive();
        if (!item) co_return;
    }
}

void channel_of_items(shard& s, std::size_t capacity, std::uint64_t n) {
    channel<int> c(s.x.ex, capacity);
    s.run(with_scope(s.x.ex, [&](task_scope& scope) {
        scope.spawn(produce(c, n));
        scope.spawn(consume(c));
    }));
}

void channel_of_batches(shard& s, std::size_t capacity, std::uint64_t n) {
    channel<batch<int>> c(s.x.ex, capacity * 256);
    s.run(with_scope(s.x.ex, [&](task_scope& scope) {
        scope.spawn(produce_batches(c, n, 256));
        scope.spawn(consume(c));
    }));
}

struct numbers {
    using output_type = int;
    std::uint64_t count;
    std::size_t size;
    std::uint64_t* stored;

    task<> run(sender<int> out, context&) {
        for (std::uint64_t i = 0; i < count; i += size) {
            ack_token ack([this](outcome what) { *stored += what == outcome::stored ? size : 0; });
            batch<int> b(std::vector<int>(size, 1), size * 100, std::move(ack));
            const bool taken = co_await out.push(b);
            if (!taken) co_return;
        }
    }
};

struct passing {
    using input_type = int;
    using output_type = int;
    task<> run(receiver<int> in, sender<int> out, context&) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;
            const bool taken = co_await out.push(*b);
            if (!taken) co_return;
        }
    }
};

struct storing {
    using input_type = int;
    task<> run(receiver<int> in, context&) {
        for (;;) {
            auto b = co_await in.next();
            if (!b) co_return;
            b->take_ack().resolve(outcome::stored);
        }
    }
};

template <class Middle> void whole_pipeline(shard& s, Middle middle, std::uint64_t n, std::size_t size) {
    std::uint64_t stored = 0;
    auto p = numbers{n, size, &stored} | middle | fan_out(storing{}, storing{});
    s.run(p.run(s.x));
    if (stored < n) {
        std::fprintf(stderr, "only %llu of %llu stored\n", static_cast<unsigned long long>(stored),
                     static_cast<unsigned long long>(n));
        std::exit(1);
    }
}

void acks(std::uint64_t n) {
    std::uint64_t done = 0;
    for (std::uint64_t i = 0; i < n; ++i) {
        ack_token ack([&done](outcome) { ++done; });
        ack.resolve(outcome::stored);
    }
}

void split_acks(std::uint64_t n) {
    std::uint64_t done = 0;
    ack_token whole([&done](outcome) { ++done; });
    for (std::uint64_t i = 0; i < n; ++i) whole.split().resolve(outcome::stored);
    whole.resolve(outcome::stored);
}

void windowed_acks(std::uint64_t n) {
    std::uint64_t committed = 0;
    ack_window window([&committed](std::uint64_t p) { committed = p; });
    for (std::uint64_t i = 0; i < n; ++i) window.open(i).resolve(outcome::stored);
}

task<> acquire_free(semaphore& s, std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; ++i) permit p = co_await s.acquire();
}

task<> acquire_contended(semaphore& s, executor ex, std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; ++i) {
        permit p = co_await s.acquire();
        co_await asio::post(ex, use_task);
    }
}

void contended_semaphore(shard& s, std::uint64_t n) {
    semaphore one(s.x.ex, 1);
    s.run(with_scope(s.x.ex, [&](task_scope& scope) {
        scope.spawn(acquire_contended(one, s.x.ex, n / 2));
        scope.spawn(acquire_contended(one, s.x.ex, n / 2));
    }));
}

task<> nothing() { co_return; }

task<> spawn_many(executor ex, std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; i += 100) {
        auto hundred = [](task_scope& scope) {
            for (int j = 0; j < 100; ++j) scope.spawn(nothing());
        };
        co_await with_scope(ex, hundred);
    }
}

void run_all(std::uint64_t n) {
    shard s;
    std::printf("%s\n", FIREHOSE_BENCH_BUILD);
    for (const std::size_t capacity : {1U, 64U, 1024U})
        measure("channel, capacity " + std::to_string(capacity), n,
                [&] { channel_of_items(s, capacity, n); });
    measure("channel, batches of 256, building them included", n, [&] { channel_of_batches(s, 64, n); });
    for (const std::size_t size : {1U, 256U}) {
        const auto suffix = ", batches of " + std::to_string(size);
        measure("source | stage | fan_out of two, acks" + suffix, n,
                [&] { whole_pipeline(s, passing{}, n, size); });
        measure("source | transform | fan_out of two, acks" + suffix, n,
                [&] { whole_pipeline(s, transform([](const int& i) { return i + 1; }), n, size); });
    }
    measure("ack: make and resolve", n, [&] { acks(n); });
    measure("ack: split and resolve", n, [&] { split_acks(n); });
    measure("ack: open in a window and commit", n, [&] { windowed_acks(n); });
    semaphore free_permits(s.x.ex, 8);
    measure("semaphore, free", n, [&] { s.run(acquire_free(free_permits, n)); });
    measure("semaphore, contended, one hop each", n, [&] { contended_semaphore(s, n); });
    measure("scope: spawn and finish a child", n, [&] { s.run(spawn_many(s.x.ex, n)); });
}

}  // namespace
}  // namespace firehose

int main(int argc, char** argv) {
    firehose::run_all(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000);
}
