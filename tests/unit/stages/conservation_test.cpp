#include "pipeline/compose.hpp"
#include "stages/unspool.hpp"
#include "tests/unit/stages/delivery_rig.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

namespace {

using namespace firehose;
using namespace std::chrono_literals;
using stages::delivery_options;
using stages::delivery_rig;

const std::vector<std::string> all_services{"aws", "azure", "local"};

/// One world drawn from a seed: stores and a spool that fail, hang and dawdle, an upload that may be
/// cancelled at any step, then passes over the spool until it is empty or time is up.
class scenario {
public:
    explicit scenario(std::uint64_t seed) : draw_(seed), rig_(options()) {
        for (const auto& s : all_services) misbehave(s);
        rig_.spool.fail = [this]() -> std::optional<error> {
            if (!chance(spool_failures_)) return std::nullopt;
            return error(disposition::retry, "the disk is full");
        };
    }

    void run() {
        make_events();
        auto running = rig_.start_upload();
        const bool cancelled = chance(0.6);
        const auto steps = cancelled ? pick(60) : 100'000U;
        for (unsigned i = 0; i < steps && !running.done(); ++i) step(running);
        if (!running.done()) {
            running.cancel();
            // Even now the spool may be slow; only it may take time.
            for (int i = 0; i < 100 && !running.done(); ++i) {
                rig_.shard.settle();
                rig_.check_balance();
            }
        }
        BOOST_TEST(running.done(), "the upload does not end");
        rig_.in->abandon();
        rig_.check_settled();
        check_places();
        resend();
    }

private:
    bool chance(double p) { return std::uniform_real_distribution<>(0, 1)(draw_) < p; }
    unsigned pick(unsigned below) { return static_cast<unsigned>(draw_() % below); }

    delivery_options options() {
        delivery_options how;
        how.in_flight = 1 + pick(6);
        how.queue_bytes = 20 + pick(400);
        how.attempts = 1 + pick(3);
        how.gate.failures = 1 + pick(6);
        how.park_after_attempts = chance(0.3) ? 2 : 0;
        return how;
    }

    void misbehave(const std::string& service) {
        const double failing = chance(0.5) ? 0.0 : std::uniform_real_distribution<>(0, 1)(draw_);
        const double parking = chance(0.7) ? 0.0 : 0.2;
        const double stopping = chance(0.8) ? 0.0 : 0.1;
        const double hanging = chance(0.7) ? 0.0 : 0.3;
        const double slow = chance(0.5) ? 0.0 : 0.5;
        auto& bucket = rig_.bucket(service);
        bucket.fail = [=, this](storage::operation, const std::string&) -> std::optional<error> {
            if (well_) return std::nullopt;
            if (chance(parking)) return error(disposition::park, "too large");
            if (chance(stopping)) return error(disposition::stop, "no such bucket");
            if (chance(failing)) return error(disposition::retry, "503");
            return std::nullopt;
        };
        bucket.pause = [=, this](storage::operation, std::string) {
            auto until = rig_.shard.time.now();
            if (!well_ && chance(hanging)) until += 24h;
            if (!well_ && chance(slow)) until += std::chrono::milliseconds(1 + pick(500));
            return rig_.shard.time.sleep_until(until);
        };
    }

    void make_events() {
        spool_failures_ = chance(0.6) ? 0.0 : 0.3;
        unsigned id = 0;
        for (unsigned batches = 1 + pick(30); batches > 0; --batches) {
            std::vector<delivery_rig::one> events;
            for (unsigned n = pick(6); n > 0; --n) {
                std::vector<std::string> wanted;
                for (const auto& s : all_services)
                    if (chance(0.7)) wanted.push_back(s);
                events.push_back({"e" + std::to_string(id++), delivery_rig::targets(wanted),
                                  chance(0.05) ? "no group id" : "", 20 + pick(80)});
            }
            if (!events.empty()) wanted_.push_back(events);
            if (!events.empty()) rig_.send(events);
        }
        if (chance(0.8)) rig_.in->close();
    }

    void step(started_task& running) {
        if (!rig_.shard.settle() && !rig_.shard.time.advance_to_next() && !rig_.in->ended() &&
            !running.done())
            rig_.in->close();
        rig_.check_balance();
    }

    /// How often each "service id" is in a place.
    using places = std::map<std::string, int>;
    places stored() {
        places all;
        for (const auto& s : all_services)
            for (const auto& [key, object] : rig_.bucket(s).objects) {
                const auto id = key.substr(2, key.size() - 2 - 5);
                BOOST_TEST(object.body.starts_with(delivery_rig::body_of(id, 0)));
                ++all[s + " " + id];
            }
        return all;
    }
    static places named(const std::vector<stages::memory_spool::entry>& records) {
        places all;
        for (const auto& r : records) ++all[r.header.to.service + " " + r.header.event_id];
        return all;
    }

    /// Every accepted event is in the store, the spool or the dead letters, or its batch was reported lost,
    /// and the books say the same.
    void check_places() {
        const auto in_store = stored();
        const auto in_spool = named(rig_.spool.memory.records());
        const auto dead = named(rig_.spool.memory.dead_letters());
        for (const auto* kept : {&in_spool, &dead})
            for (const auto& [what, times] : *kept) BOOST_TEST(times == 1, what << " is kept twice");
        for (const auto& [what, times] : in_spool)
            BOOST_TEST(!dead.contains(what), what << " is in two places");
        for (std::size_t i = 0; i < wanted_.size(); ++i) {
            BOOST_REQUIRE(rig_.verdicts[i]);
            for (const auto& e : wanted_[i])
                for (const auto& t : *e.targets) {
                    const auto what = t.to.service + " " + e.id;
                    const bool kept = in_spool.contains(what) || dead.contains(what);
                    // Stored and spooled at once only where the answer was never seen.
                    const bool somewhere = kept || in_store.contains(what);
                    BOOST_TEST((somewhere || rig_.verdicts[i] == outcome::lost), what << " is nowhere");
                }
        }
        std::map<std::string, std::uint64_t> spooled, parked;
        for (const auto& [what, times] : in_spool) ++spooled[what.substr(0, what.find(' '))];
        for (const auto& [what, times] : dead) ++parked[what.substr(0, what.find(' '))];
        for (const auto& [service, row] : rig_.books->targets()) {
            BOOST_TEST(row.spooled == spooled[service], service);
            BOOST_TEST(row.parked == parked[service], service);
            BOOST_TEST(row.delivered <= rig_.bucket(service).objects.size(), service);
        }
    }

    /// The stores recover in the end, and nothing is left but dead letters.
    void resend() {
        for (int pass = 0; pass < 8; ++pass) {
            well_ = pass >= 4;
            if (well_) spool_failures_ = 0;
            rig_.shard.advance(1h);
            rig_.shared->probe_all();
            stages::unspool::options how;
            how.once = true;
            auto all =
                stages::unspool(rig_.shared, how) | stages::upload(rig_.shared, stages::every_service());
            auto running = rig_.shard.start(all.run(rig_.x));
            const auto steps = !well_ && chance(0.3) ? pick(20) : 100'000U;
            for (unsigned i = 0; i < steps && !running.done(); ++i) {
                if (!rig_.shard.settle()) rig_.shard.time.advance_to_next();
                rig_.check_balance();
            }
            if (!running.done()) running.cancel();
            rig_.shard.settle();
            BOOST_TEST(running.done(), "the pass does not end");
            rig_.check_settled();
            check_places();
        }
        // Records a cancelled pass had in hand stay leased until the process ends.
        BOOST_TEST(rig_.spool.memory.records().size() == rig_.spool.memory.leased());
    }

    std::mt19937_64 draw_;
    double spool_failures_ = 0;
    bool well_ = false;
    delivery_rig rig_;
    std::vector<std::vector<delivery_rig::one>> wanted_{};
};

}  // namespace

BOOST_AUTO_TEST_CASE(nothing_is_lost_or_counted_twice_whatever_fails) {
    std::uint64_t first = std::random_device()();
    if (const char* given = std::getenv("FIREHOSE_SEED")) first = std::stoull(given);
    BOOST_TEST_MESSAGE("first seed " << first);
    for (std::uint64_t seed = first; seed < first + 60; ++seed) {
        BOOST_TEST_CONTEXT("run again with FIREHOSE_SEED=" << seed) { scenario(seed).run(); }
    }
}
