/// A delivery with stores and a spool in memory, virtual time, scripted failures, and books that are checked.
#pragma once
#include "http/client.hpp"
#include "stages/conservation.hpp"
#include "stages/delivery.hpp"
#include "stages/memory_spool.hpp"
#include "stages/upload.hpp"
#include "storage/memory_store.hpp"
#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace firehose::stages {

/// Numbers from a script, then from a seed.
class scripted_randomness final : public randomness {
public:
    std::deque<double> script{};
    double uniform() override {
        if (script.empty()) return rest_.uniform();
        const double next = script.front();
        script.pop_front();
        return next;
    }
    void fill(std::span<std::byte> out) override { rest_.fill(out); }

private:
    seeded_randomness rest_{7};
};

/// A memory_spool that can pretend that what it holds is from an earlier run, and that is slow on demand.
class watched_spool final : public spool_backend {
public:
    watched_spool(const time_source& time, executor ex) : memory(time), gate_(std::move(ex)) {}

    memory_spool memory;
    bool earlier_run = false;
    bool stalled = false;      ///< append, park and settle wait until release()
    unsigned interrupted = 0;  ///< cancellations that reached a call
    std::function<std::optional<error>()> fail{};
    std::size_t appends = 0;

    void release() {
        stalled = false;
        gate_.wake_all();
    }
    task<result<>> append(std::span<const spool_entry> entries) override {
        ++appends;
        co_await begin();
        if (auto failure = failing()) co_return *failure;
        co_return co_await memory.append(entries);
    }
    task<result<>> park(std::span<const spool_entry> entries) override {
        co_await begin();
        if (auto failure = failing()) co_return *failure;
        co_return co_await memory.park(entries);
    }
    task<result<std::vector<leased_record>>> lease(const lease_query& which) override {
        auto taken = co_await memory.lease(which);
        if (taken)
            for (auto& record : *taken) record.from_earlier_run = earlier_run;
        co_return taken;
    }
    task<result<>> settle(lease_id lease, const settlement& what) override {
        co_await begin();
        co_return co_await memory.settle(lease, what);
    }
    std::vector<backlog> contents() const override { return memory.contents(); }

private:
    std::optional<error> failing() { return fail ? fail() : std::nullopt; }
    task<> begin() {
        while (stalled) {
            try {
                co_await gate_.async_wait(use_task);
            } catch (...) {
                ++interrupted;
                throw;
            }
        }
    }
    wait_queue gate_;
};

/// The rig. Services name buckets of the same name; their stores are storage::memory_store.
class delivery_rig {
public:
    explicit delivery_rig(delivery_options how = {}) : options(how) {}
    delivery_rig(const delivery_rig&) = delete;
    delivery_rig& operator=(const delivery_rig&) = delete;
    /// However a test ends, every accepted event is somewhere.
    ~delivery_rig() {
        shard.settle();
        if (std::uncaught_exceptions() > 0) return;
        check_balance();
        check_conservation();
    }

    shard_fixture shard{};
    scripted_randomness random{};
    context x{.ex = shard.x.ex,
              .time = shard.time,
              .random = random,
              .stop = shard.stop,
              .count = shard.count,
              .blocking = shard.blocking,
              .log = shard.x.log};
    delivery_options options;
    std::shared_ptr<storage::memory_buckets> buckets = std::make_shared<storage::memory_buckets>();
    storage::registry stores{make_registry(buckets)};
    storage::credential_map credentials{};
    http::client http{x};
    watched_spool spool{shard.time, x.ex};
    std::shared_ptr<account> books = std::make_shared<account>();
    std::shared_ptr<delivery> shared = std::make_shared<delivery>(
        x, delivery::parts{stores, credentials, storage::store_environment{x, http, {}}, spool, books},
        options);
    std::vector<std::optional<outcome>> verdicts{};  ///< of the batches, in order of send()
    edge_ptr<event> in = make_edge<event>(x);

    storage::memory_bucket& bucket(const std::string& name) {
        auto& b = (*buckets)[name];
        if (!b) b = std::make_shared<storage::memory_bucket>();
        return *b;
    }
    static storage::destination to(const std::string& service) {
        storage::destination d;
        d.service = service;
        d.type = "memory";
        d.bucket = service;
        return d;
    }
    static target_list targets(const std::vector<std::string>& services) {
        std::vector<target> all;
        for (const auto& s : services) all.push_back({to(s), {}});
        return std::make_shared<const std::vector<target>>(std::move(all));
    }
    static std::string body_of(const std::string& id, std::size_t size = 20) {
        std::string body = "{\"id\":\"" + id + "\"}";
        body.resize(std::max(size, body.size()), ' ');
        return body;
    }
    static std::string key_of(const std::string& id) { return "g/" + id + ".json"; }

    /// One event of a batch under construction.
    struct one {
        std::string id;
        target_list targets;
        std::string problem = {};
        std::size_t size = 20;
    };
    batch<event> make_batch(const std::vector<one>& events) {
        std::vector<event> items;
        std::vector<slab> slabs;
        std::size_t bytes = 0;
        for (const auto& e : events) {
            const auto body = body_of(e.id, e.size);
            slabs.push_back(copy_to_slab(body));
            event made;
            made.raw = bytes_view(slabs.back().get(), body.size());
            made.id = e.id;
            made.group = "g";
            made.targets = e.targets;
            made.problem = e.problem;
            bytes += body.size();
            items.push_back(std::move(made));
        }
        const auto number = verdicts.size();
        verdicts.emplace_back();
        ack_token ack([this, number](outcome what) {
            BOOST_TEST(!verdicts[number].has_value(), "a batch got two verdicts");
            verdicts[number] = what;
        });
        return {std::move(items), bytes, std::move(ack), std::move(slabs)};
    }
    void send(const std::vector<one>& events) {
        auto b = make_batch(events);
        BOOST_REQUIRE(in->try_send(b, b.bytes()));
    }
    /// `count` batches of one event each, ids `name` 0, 1, …
    void send_each(const std::string& name, std::size_t count, const std::vector<std::string>& services,
                   std::size_t size = 20) {
        for (std::size_t i = 0; i < count; ++i)
            send({{name + std::to_string(i), targets(services), {}, size}});
    }
    started_task start_upload() {
        stage_ = std::make_unique<upload>(shared, every_service());
        return shard.start(stage_->run(receiver<event>(in), x));
    }
    void run_to_the_end() {
        in->close();
        auto running = start_upload();
        shard.finish(running);
        check_settled();
    }
    /// What must hold whenever an upload stage has ended.
    void check_settled() {
        for (const auto& v : verdicts) BOOST_TEST(v.has_value(), "a batch without a verdict");
        check_balance();
        BOOST_TEST(books->closed());
        check_conservation();
    }
    /// Books and spool tell the same story; nothing else may have changed the spool.
    void check_conservation() {
        for (const auto& fault : conservation_faults(*books, {}, spool.contents())) BOOST_ERROR(fault);
    }
    void check_balance() {
        for (const auto& [service, row] : books->targets()) BOOST_TEST(row.balances(), service);
    }
    const target_account& row(const std::string& service) { return books->targets().at(service); }
    bool all_verdicts_are(outcome what) const {
        for (const auto& v : verdicts)
            if (v != what) return false;
        return true;
    }
    time_source::steady begun = shard.time.now();
    std::chrono::milliseconds elapsed() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(shard.time.now() - begun);
    }

    /// Store scripts.
    void fail_first(const std::string& service, unsigned times, error why) {
        bucket(service).fail = [left = times, why = std::move(why)](
                                   storage::operation, const std::string&) mutable -> std::optional<error> {
            if (left == 0) return std::nullopt;
            --left;
            return why;
        };
    }
    void fail_always(const std::string& service, error why) { fail_first(service, ~0U, std::move(why)); }
    /// Never answers until cancelled, whatever the deadline.
    void hang(const std::string& service) {
        bucket(service).pause = [this](storage::operation, std::string) { return wait_for_ever(); };
    }
    void slow_down(const std::string& service, std::chrono::milliseconds each) {
        bucket(service).pause = [this, each](storage::operation, std::string) {
            return shard.time.sleep_until(shard.time.now() + each);
        };
    }

private:
    task<> wait_for_ever() {
        for (;;) co_await hung_.async_wait(use_task);
    }
    static storage::registry make_registry(const std::shared_ptr<storage::memory_buckets>& buckets) {
        storage::registry all;
        all.add("memory", storage::memory_kind(buckets));
        return all;
    }
    wait_queue hung_{shard.x.ex};
    std::unique_ptr<upload> stage_{};
};

}  // namespace firehose::stages
