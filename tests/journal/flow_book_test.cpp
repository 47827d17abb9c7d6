#include "stages/flow_book.hpp"

#include "tests/faults/faulty_files.hpp"
#include "tests/faults/memory_files.hpp"
#include "tests/support/shard_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <map>

using namespace firehose;
using namespace firehose::stages;

namespace {

std::string flow_to(const std::string& bucket) {
    return R"({"name":"n","firehose":{"enabled":true,"services":{"local":{"enabled":true,"type":"directory","bucket":")" +
           bucket + R"("}}}})";
}

target_list list_to(const std::string& bucket) {
    target t;
    t.to.service = "local";
    t.to.type = "directory";
    t.to.bucket = bucket;
    return std::make_shared<const std::vector<target>>(1, t);
}

struct book_fixture : shard_fixture {
    faults::memory_files disk;
    using opened = std::unique_ptr<flow_book>;

    result<opened> try_open(storage::file_system& fs, flow_book::options how = {}) {
        return run(flow_book::open(x, fs, "/data", std::move(how)));
    }
    /// As if any event might still be undelivered.
    opened open(storage::file_system& fs) {
        flow_book::options how;
        how.oldest = 0;
        auto made = try_open(fs, how);
        if (made.has_error()) throw std::runtime_error(made.error().context());
        return std::move(*made);
    }
    opened open() { return open(disk); }
    bool put(flow_book& in, const std::string& id, const std::string& bucket,
             std::optional<routing_stamp> oldest = 0) {
        return run(in.put(id, flow_to(bucket), oldest)).has_value();
    }
    static std::string bucket(const flow_book& in, std::string_view id, routing_stamp at) {
        const auto targets = in.route(id, at);
        if (!targets) return "nobody";
        if (targets->empty()) return "nowhere";
        return targets->front().problem.empty() ? targets->front().to.bucket : "problem";
    }
    static std::string bucket(const flow_book& in, std::string_view id) { return bucket(in, id, in.stamp()); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(flow_book_keeps, book_fixture)

BOOST_AUTO_TEST_CASE(what_was_in_force_when_an_event_was_accepted) {
    const auto check = [](const flow_book& book) {
        BOOST_TEST(bucket(book, "f", 0) == "default");
        BOOST_TEST(bucket(book, "f", 1) == "one");
        BOOST_TEST(bucket(book, "f", 2) == "two");
        BOOST_TEST(bucket(book, "f", 3) == "default");
        BOOST_TEST(bucket(book, "f", 4) == "other default");
        BOOST_TEST(bucket(book, "f", 5) == "configured");
        BOOST_TEST(bucket(book, "f", 6) == "three");
        BOOST_TEST(bucket(book, "g", 6) == "other default");
        BOOST_TEST(book.stamp() == 6u);
    };
    auto book = open();
    BOOST_TEST(bucket(*book, "f") == "nobody");
    routing_table file;
    file.otherwise = list_to("default");
    BOOST_TEST(run(book->configure(file, 0)).has_value());
    BOOST_TEST(book->stamp() == 0u);
    BOOST_TEST(put(*book, "f", "one"));
    BOOST_TEST(put(*book, "f", "two"));
    BOOST_TEST(run(book->erase("f", 0)).has_value());
    BOOST_TEST(book->find("f") == nullptr);
    file.otherwise = list_to("other default");
    BOOST_TEST(run(book->configure(file, 0)).has_value());
    file.flows["f"] = list_to("configured");
    BOOST_TEST(run(book->configure(file, 0)).has_value());
    BOOST_TEST(run(book->configure(file, 0)).has_value());  // the same: no change
    BOOST_TEST(put(*book, "f", "three"));
    check(*book);
    book = open();
    check(*book);
    BOOST_TEST(*book->find("f") == flow_to("three"));
    BOOST_TEST(book->destinations().size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_flow_that_is_switched_off_and_not_the_default_of_the_configuration) {
    auto book = open();
    routing_table file;
    file.otherwise = list_to("default");
    file.flows["f"] = list_to("configured");
    BOOST_TEST(run(book->configure(file, 0)).has_value());
    BOOST_TEST(run(book->put("f", R"({"firehose":{"enabled":false}})", 0)).has_value());
    BOOST_TEST(bucket(*book, "f") == "nowhere");
    BOOST_TEST(run(book->erase("f", 0)).has_value());
    BOOST_TEST(bucket(*book, "f") == "configured");
}

BOOST_AUTO_TEST_CASE(no_versions_that_no_event_needs) {
    auto book = open();
    for (int i = 1; i <= 20; ++i) BOOST_TEST(put(*book, "f", "b" + std::to_string(i), std::nullopt));
    BOOST_TEST(run(book->erase("f", std::nullopt)).has_value());
    BOOST_TEST(bucket(*book, "f", 20) == "b20");  // an event may have been accepted while it was erased
    BOOST_TEST(bucket(*book, "f", 19) == "nobody");
    BOOST_TEST(disk.files("/data/flows").size() == 1u);
    flow_book::options how;
    how.last_used = 21;
    auto again = try_open(disk, how);  // nothing is undelivered
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST(disk.files("/data/flows").empty());
    BOOST_TEST((*again)->stamp() == 21u);
}

BOOST_AUTO_TEST_CASE(events_of_a_damaged_flow_from_the_wrong_bucket) {
    auto book = open();
    routing_table file;
    file.otherwise = list_to("default");
    BOOST_TEST(run(book->configure(file, 0)).has_value());
    BOOST_TEST(put(*book, "f", "one"));
    disk.set_content("/data/flows/f", disk.content("/data/flows/f") + " ");
    book = open();
    BOOST_TEST(bucket(*book, "f") == "problem");
    BOOST_TEST(book->find("f") == nullptr);
    BOOST_TEST(book->damaged().contains("f"));
    BOOST_TEST(bucket(*book, "g") == "default");
    BOOST_TEST(put(*book, "f", "mended"));
    BOOST_TEST(bucket(*book, "f", 1) == "mended");
    book = open();
    BOOST_TEST(bucket(*book, "f", 1) == "mended");
    disk.set_content("/data/routing/configuration", "?");
    book = open();
    BOOST_TEST(bucket(*book, "g") == "nobody");
    BOOST_TEST(run(book->configure(file, 0)).has_value());
    BOOST_TEST(bucket(*book, "g", 0) == "default");
}

namespace {

/// Changes, and what they promised: under each stamp that an event may have got, where a flow led.
struct history {
    std::map<routing_stamp, std::map<std::string, std::string>> truth{};

    void note(const flow_book& book) {
        auto& now = truth[book.stamp()];
        for (const auto* id : {"f", "g"}) now[id] = book_fixture::bucket(book, id);
    }
    std::string fault(const flow_book& book) const {
        for (const auto& [stamp, flows] : truth)
            for (const auto& [id, where] : flows)
                if (book_fixture::bucket(book, id, stamp) != where)
                    return id + " at " + std::to_string(stamp) + " leads to " +
                           book_fixture::bucket(book, id, stamp) + ", not to " + where;
        return !truth.empty() && book.stamp() < truth.rbegin()->first ? "stamps are given twice" : "";
    }
};

/// Each step may fail; what is in force afterwards is noted.
void change(book_fixture& f, flow_book& book, history& h) {
    routing_table file;
    file.otherwise = list_to("default");
    h.note(book);
    for (int round = 0; round < 2; ++round) {
        const auto r = std::to_string(round);
        f.put(book, "f", "f" + r);
        h.note(book);
        f.put(book, "g", "g" + r);
        h.note(book);
        (void)f.run(book.erase("f", 0));
        h.note(book);
        file.flows["f"] = list_to("configured" + r);
        (void)f.run(book.configure(file, 0));
        h.note(book);
    }
}

/// Under any stamp that was given out before: what it was then.
void first_configuration(book_fixture& f, flow_book& book) {
    routing_table file;
    file.otherwise = list_to("default");
    if (f.run(book.configure(file, 0)).has_error()) throw std::runtime_error("cannot begin");
}

}  // namespace

BOOST_AUTO_TEST_CASE(its_promises_when_the_power_is_cut_at_every_call) {
    struct state {
        std::unique_ptr<faults::memory_files> left;
        history told;
        std::size_t call;
    };
    std::vector<state> states;
    first_configuration(*this, *open());
    faults::faulty_files fs(disk);
    history h;
    auto book = open(fs);
    fs.on_call([&](std::size_t n, const std::string&) {
        using enum faults::unsynced_data;
        for (const auto data : {lost, kept, torn, zeros})
            for (const auto names : {faults::unsynced_names::lost, faults::unsynced_names::kept})
                states.push_back({disk.after_power_cut(data, names), h, n});
    });
    change(*this, *book, h);
    fs.on_call(nullptr);
    BOOST_TEST(states.size() > 300u);
    for (auto& one : states) {
        const auto again = open(*one.left);
        BOOST_TEST(again->damaged().empty());
        const auto wrong = one.told.fault(*again);
        BOOST_REQUIRE_MESSAGE(wrong.empty(), "call " << one.call << ": " << wrong);
    }
}

BOOST_AUTO_TEST_CASE(its_promises_when_any_call_fails) {
    for (const std::size_t length : {1u, 3u}) {
        bool hit = true;
        for (std::size_t n = 0; hit; ++n) {
            faults::memory_files files;
            first_configuration(*this, *open(files));
            faults::faulty_files fs(files);
            auto book = open(fs);
            history h;
            fs.fail(fs.calls() + n, EIO, length);
            change(*this, *book, h);
            hit = fs.hit();
            fs.fail(faults::faulty_files::never, 0);
            BOOST_REQUIRE_MESSAGE(put(*book, "h", "healed"), "call " << n << ": later changes fail");
            h.note(*book);
            for (const auto& left :
                 {files.after_kill(),
                  files.after_power_cut(faults::unsynced_data::lost, faults::unsynced_names::lost)}) {
                const auto again = open(*left);
                const auto wrong = h.fault(*again);
                BOOST_REQUIRE_MESSAGE(wrong.empty(), length << " failures at call " << n << ": " << wrong);
                BOOST_TEST(bucket(*again, "h") == "healed");
            }
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
