// Large bodies lie in files: what is read is what was written, and a spool keeps them as it keeps its
// records.
#include "pipeline/blocking.hpp"
#include "stages/object_files.hpp"
#include "stages/spool_view.hpp"
#include "storage/destination.hpp"
#include "storage/file_put.hpp"
#include "storage/memory_store.hpp"
#include "tests/journal/spool_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>
#include <random>

using namespace firehose;
using namespace firehose::stages;

namespace {

constexpr std::size_t mebibyte = 1u << 20;

std::string noise(std::size_t size, unsigned seed) {
    std::minstd_rand next(seed);
    std::string out(size, '\0');
    for (auto& c : out) c = static_cast<char>(next());
    return out;
}

/// Files of a test, which waits for the pool before they go.
std::shared_ptr<storage::file_system> borrowed(storage::file_system& fs) {
    return {std::shared_ptr<void>(), &fs};
}

class bodies_fixture : public spool_fixture {
public:
    using body_ptr = std::shared_ptr<const storage::body_file>;

    std::unique_ptr<object_files> objects = files_on(disk);
    ~bodies_fixture() { settle(); }

    std::unique_ptr<object_files> files_on(storage::file_system& fs) {
        return std::make_unique<object_files>(borrowed(fs), "/data/objects", random);
    }
    body_ptr write(object_files& to, const std::string& text, std::size_t pieces = 3) {
        const auto made = to.make(x);
        const auto step = text.size() / pieces + 1;
        for (std::size_t at = 0; at < text.size(); at += step)
            made->append(as_bytes(text).subspan(at, std::min(step, text.size() - at)));
        return made->so_far();
    }
    body_ptr write(const std::string& text) { return write(*objects, text); }
    spool_entry with_file(const std::string& id, body_ptr file, const std::string& bucket = "b") {
        auto e = entry(bucket, id);
        e.file = std::move(file);
        e.body = e.file->fingerprint();
        return e;
    }
    void append(directory_spool& to, spool_entry one) {
        const std::vector<spool_entry> entries(1, std::move(one));
        BOOST_REQUIRE(run(to.append(entries)).has_value());
    }
    leased_record lease_one(directory_spool& from) {
        const lease_query all;
        auto got = run(from.lease(all));
        BOOST_REQUIRE(got.has_value());
        BOOST_REQUIRE_EQUAL(got->size(), 1u);
        return std::move(got->front());
    }
    static std::string text_of(const storage::body_file& body) {
        std::string out;
        const auto read = storage::read_in_steps(body, [&out](bytes_view some) {
            out += as_text(some);
            return result<>();
        });
        return read.has_value() ? out : "cannot be read: " + read.error().context();
    }
    std::size_t bodies_on(const faults::memory_files& fs) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            fs.files(), [](const auto& f) { return f.parent_path().filename() == "bodies"; }));
    }
    void end(directory_spool& in, const leased_record& one, settlement what) {
        BOOST_REQUIRE(run(in.settle(one.lease, what)).has_value());
    }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_body_in_a_file, bodies_fixture)

BOOST_AUTO_TEST_CASE(comes_back_byte_by_byte_whichever_part_is_read) {
    const auto text = noise(3 * mebibyte + 77, 1);
    const auto body = write(text);
    BOOST_TEST(body->size() == text.size());
    std::mt19937 random(5);
    for (int i = 0; i < 200; ++i) {
        const auto first = random() % text.size();
        const auto count = 1 + random() % (text.size() - first);
        const auto read = body->read({first, count});
        BOOST_REQUIRE(read.has_value());
        BOOST_REQUIRE(as_text(read->bytes) == text.substr(first, count));
    }
    BOOST_TEST(text_of(*body) == text);
}

BOOST_AUTO_TEST_CASE(has_a_fingerprint_that_follows_from_its_bytes_alone) {
    const auto text = noise(2 * mebibyte, 2);
    const auto one = write(*objects, text, 1);
    const auto other = write(*objects, text, 11);
    BOOST_TEST(std::ranges::equal(one->fingerprint(), other->fingerprint()));
    const auto sums = storage::body_sums::decode(one->fingerprint());
    BOOST_REQUIRE(sums.has_value());
    BOOST_TEST(sums->size() == text.size());
    for (const std::size_t size : {0u, 7u, 8u, 12u, 15u})
        BOOST_TEST(!storage::body_sums::decode(one->fingerprint().first(size)).has_value(), size);
}

BOOST_AUTO_TEST_CASE(that_was_damaged_is_not_read) {
    auto text = noise(2 * mebibyte + 9, 3);
    const auto body = write(text);
    text[mebibyte + 5] = static_cast<char>(text[mebibyte + 5] ^ 1);
    disk.rot_content(body->path(), text);
    BOOST_TEST(body->read({0, mebibyte}).has_value());
    const auto wrong = body->read({mebibyte - 1, 2});
    BOOST_REQUIRE(wrong.has_error());
    BOOST_TEST(storage::is_errno(wrong.error(), EBADMSG));
    BOOST_TEST((wrong.error().what() == disposition::park));
    disk.rot_content(body->path(), text.substr(0, 2 * mebibyte));
    BOOST_TEST(body->read({2 * mebibyte, 9}).has_error());
}

BOOST_AUTO_TEST_CASE(is_gone_with_the_last_who_holds_it_and_with_the_next_process) {
    auto body = write("something");
    const auto second = write("else");
    BOOST_TEST(disk.files("/data/objects").size() == 2u);
    body.reset();
    settle();
    BOOST_TEST(disk.files("/data/objects").size() == 1u);
    disk.set_content("/data/objects/notes.txt", "somebody else's");
    const auto left = disk.after_kill();
    files_on(*left)->clear();
    const std::vector<std::filesystem::path> not_ours{"/data/objects/notes.txt"};
    BOOST_TEST(left->files("/data") == not_ours);
}

BOOST_AUTO_TEST_CASE(goes_to_a_store_in_parts_of_which_few_are_in_memory) {
    auto bucket = std::make_shared<storage::memory_bucket>();
    storage::memory_store store(bucket);
    const auto text = noise(5 * mebibyte + 1, 4);
    const auto body = write(text);
    storage::file_put_options options;
    options.parts.size = mebibyte;
    options.parts.in_flight = 4;
    semaphore room(x.ex, 2);
    options.room = &room;
    std::size_t at_once = 0;
    std::size_t most = 0;
    std::size_t answers = 0;
    bucket->pause = [&](storage::operation what, std::string) -> task<> {
        if (what != storage::operation::put_part) co_return;
        most = std::max(most, ++at_once);
        const auto soon = time.now() + std::chrono::seconds(1);
        co_await time.sleep_until(soon);
        --at_once;
    };
    options.answered = [&answers] { ++answers; };
    auto stored = run(storage::put_from_file(store, x, "k", *body, {}, options, {}));
    BOOST_REQUIRE(stored.has_value());
    BOOST_TEST(bucket->objects.at("k").body == text);
    BOOST_TEST(answers == 8u);  // a start, six parts, an end
    BOOST_TEST(most == 2u);
    BOOST_TEST(room.available() == 2u);
}

BOOST_AUTO_TEST_CASE(of_which_a_part_cannot_be_read_is_not_stored) {
    auto bucket = std::make_shared<storage::memory_bucket>();
    storage::memory_store store(bucket);
    auto text = noise(3 * mebibyte, 5);
    const auto body = write(text);
    text[2 * mebibyte + 1] = static_cast<char>(text[2 * mebibyte + 1] ^ 1);
    disk.rot_content(body->path(), text);
    storage::file_put_options options;
    options.parts.size = mebibyte;
    const auto stored = run(storage::put_from_file(store, x, "k", *body, {}, options, {}));
    BOOST_REQUIRE(stored.has_error());
    BOOST_TEST((stored.error().what() == disposition::park));
    BOOST_TEST(bucket->objects.empty());
    BOOST_TEST(bucket->uploads.empty());  // aborted
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(a_spool_of_large_bodies, bodies_fixture)

BOOST_AUTO_TEST_CASE(keeps_them_through_a_power_cut_and_lets_go_when_they_are_delivered) {
    const auto text = noise(2 * mebibyte + 3, 6);
    auto spool = open(disk);
    append(*spool, with_file("e1", write(text)));
    append(*spool, entry("b", "small"));
    BOOST_TEST(spool->contents().front().bytes > text.size());
    settle();
    BOOST_TEST(disk.files("/data/objects").empty());

    spool.reset();
    const auto left = disk.after_power_cut(faults::unsynced_data::lost, faults::unsynced_names::lost);
    spool = open(*left);
    BOOST_TEST(spool->contents().front().bytes > text.size());
    const lease_query all;
    auto got = run(spool->lease(all));
    BOOST_REQUIRE(got.has_value());
    BOOST_REQUIRE_EQUAL(got->size(), 2u);
    BOOST_REQUIRE(got->front().file != nullptr);
    BOOST_TEST(got->front().body_bytes() == text.size());
    BOOST_TEST(text_of(*got->front().file) == text);
    BOOST_TEST(got->back().file == nullptr);
    const auto noted = verify_spool(*left, "/data");
    BOOST_TEST(noted->front().good());
    for (const auto& one : *got) end(*spool, one, delivered());
    BOOST_TEST(bodies_on(*left) == 0u);
    got->clear();
    spool.reset();
    open(*left).reset();
    const std::vector<std::filesystem::path> only{"/data/spool/lock"};
    BOOST_TEST(left->files() == only);
}

BOOST_AUTO_TEST_CASE(moves_them_to_the_dead_letters_and_back_and_throws_them_away) {
    const auto text = noise(mebibyte, 7);
    auto spool = open(disk);
    append(*spool, with_file("e1", write(text)));
    end(*spool, lease_one(*spool), parked{});
    BOOST_TEST(bodies_on(disk) == 1u);
    std::string seen;
    const auto look = [&](const kept_record& one) {
        BOOST_TEST(one.parked);
        BOOST_TEST(one.bytes() == text.size());
        seen = text_of(*one.file);
        return true;
    };
    BOOST_TEST(visit_kept(disk, "/data", {}, look).has_value());
    BOOST_TEST(seen == text);

    const auto back = run(spool->retry({}));
    BOOST_TEST(back->parked == 1u);
    BOOST_TEST(back->bytes == text.size());
    BOOST_TEST(bodies_on(disk) == 1u);
    {
        const auto again = lease_one(*spool);
        BOOST_TEST(text_of(*again.file) == text);
        end(*spool, again, failed());
    }
    BOOST_TEST(bodies_on(disk) == 1u);
    const auto gone = run(spool->purge({}));
    BOOST_TEST(gone->waiting == 1u);
    BOOST_TEST(gone->bytes == text.size());
    BOOST_TEST(bodies_on(disk) == 0u);
}

BOOST_AUTO_TEST_CASE(does_not_keep_a_repeat_twice) {
    const auto text = noise(mebibyte + 1, 8);
    auto spool = open(disk);
    append(*spool, with_file("e1", write(text)));
    spool.reset();
    spool = open(disk);
    append(*spool, with_file("e1", write(text)));
    BOOST_TEST(count["spool_repeats"] == 1u);
    BOOST_TEST(spool->contents().front().records == 1u);
    BOOST_TEST(bodies_on(disk) == 1u);
}

BOOST_AUTO_TEST_CASE(keeps_a_repeat_whose_first_body_is_damaged) {
    const auto text = noise(mebibyte + 1, 13);
    auto spool = open(disk);
    append(*spool, with_file("e1", write(text)));
    spool.reset();
    for (const auto& f : disk.files())
        if (f.parent_path().filename() == "bodies") disk.rot_content(f, noise(mebibyte + 1, 14));
    spool = open(disk);
    append(*spool, with_file("e1", write(text)));
    BOOST_TEST(count["spool_repeats"] == 0u);
    const lease_query all;
    const auto got = run(spool->lease(all));
    BOOST_REQUIRE_EQUAL(got->size(), 2u);
    BOOST_TEST(text_of(*got->back().file) == text);
}

BOOST_AUTO_TEST_CASE(does_not_trust_a_file_whose_sync_has_failed) {
    faults::faulty_files failing(disk);
    auto spool = open(failing);
    const auto files = files_on(failing);
    auto body = write(*files, "something");
    failing.only([](const std::string& call) { return call == "sync"; });
    failing.fail(0, EIO, 2);  // the first one is of destination.json, which may fail
    for (const auto* bucket : {"one", "two"}) {
        const std::vector<spool_entry> one(1, with_file("e1", body, bucket));
        BOOST_TEST(run(spool->append(one)).has_error(), bucket);
    }
    BOOST_TEST(failing.hit());
    BOOST_TEST(bodies_on(disk) == 0u);
    body.reset();
    settle();
}

BOOST_AUTO_TEST_CASE(copies_where_no_second_name_can_be_made) {
    const auto text = noise(2 * mebibyte, 15);
    faults::faulty_files failing(disk);
    auto spool = open(failing);
    failing.only([](const std::string& call) { return call == "link"; });
    failing.fail(0, EXDEV);
    append(*spool, with_file("e1", write(text)));
    const auto left = disk.after_power_cut(faults::unsynced_data::lost, faults::unsynced_names::lost);
    auto again = open(*left);
    BOOST_TEST(text_of(*lease_one(*again).file) == text);
}

BOOST_AUTO_TEST_CASE(says_when_one_is_damaged_or_gone) {
    auto spool = open(disk);
    append(*spool, with_file("e1", write(noise(mebibyte, 9))));
    append(*spool, with_file("e2", write(noise(mebibyte, 10))));
    std::vector<std::filesystem::path> bodies;
    for (const auto& f : disk.files())
        if (f.parent_path().filename() == "bodies") bodies.push_back(f);
    BOOST_REQUIRE_EQUAL(bodies.size(), 2u);
    disk.rot_content(bodies[0], noise(mebibyte, 11));
    BOOST_REQUIRE(disk.remove(bodies[1]).has_value());
    const auto checked = verify_spool(disk, "/data");
    BOOST_REQUIRE(checked.has_value());
    BOOST_TEST(checked->front().damaged_bodies == 2u);
    BOOST_TEST(checked->front().notes.size() == 2u);
    BOOST_TEST(!checked->front().good());
    BOOST_REQUIRE(disk.remove(bodies[0]).has_value());
    BOOST_REQUIRE(disk.remove_directory(bodies[0].parent_path()).has_value());
    BOOST_TEST(verify_spool(disk, "/data")->front().damaged_bodies == 2u);
}

/// What a crash leaves: a body whose record was never written, or is gone already.
BOOST_AUTO_TEST_CASE(has_no_bodies_left_when_its_last_record_is_gone) {
    auto spool = open(disk);
    append(*spool, with_file("e1", write("one")));
    std::filesystem::path folder;
    for (const auto& f : disk.files())
        if (f.parent_path().filename() == "bodies") folder = f.parent_path();
    disk.set_content(folder / "0123456789abcdef01234567", "left behind");
    spool.reset();
    spool = open(disk);
    BOOST_TEST(bodies_on(disk) == 2u);
    end(*spool, lease_one(*spool), delivered());
    BOOST_TEST(bodies_on(disk) == 0u);
}

BOOST_AUTO_TEST_CASE(has_no_bodies_left_when_it_is_empty_at_a_start) {
    auto spool = open(disk);
    append(*spool, with_file("e1", write("one")));
    std::filesystem::path folder;
    for (const auto& f : disk.files())
        if (f.parent_path().filename() == "bodies") folder = f.parent_path();
    end(*spool, lease_one(*spool), delivered());
    disk.set_content(folder / "0123456789abcdef01234567", "left behind");
    spool.reset();
    open(disk).reset();
    BOOST_TEST(bodies_on(disk) == 0u);
}

BOOST_AUTO_TEST_CASE(is_whole_or_refused_whichever_call_fails_and_wherever_the_power_is_cut) {
    const auto text = noise(3000, 12);
    const auto work = [&](storage::file_system& fs, bool& kept) {
        auto spool = try_open(fs);
        if (spool.has_error()) return;
        const auto files = files_on(fs);
        auto body = write(*files, text);
        if (body->size() == text.size()) {
            const std::vector<spool_entry> one(1, with_file("e1", body));
            kept = run((*spool)->append(one)).has_value();
        }
        body.reset();
        settle();
        if (!kept) return;
        const lease_query all;
        auto got = run((*spool)->lease(all));
        if (got.has_error() || got->empty()) return;
        const settlement dead = parked{};
        static_cast<void>(run((*spool)->settle(got->front().lease, dead)));
    };
    const auto check = [&](faults::memory_files& left, bool kept, const std::string& when) {
        auto spool = open(left);
        BOOST_REQUIRE(run(spool->retry({})).has_value());
        const lease_query all;
        auto got = run(spool->lease(all));
        BOOST_REQUIRE(got.has_value());
        if (kept) BOOST_TEST(!got->empty(), when);
        for (const auto& one : *got) {
            BOOST_REQUIRE_MESSAGE(one.file != nullptr, when);
            BOOST_TEST(text_of(*one.file) == text, when);
        }
    };
    std::size_t calls = 0;
    {
        faults::memory_files all;
        faults::faulty_files counting(all);
        bool kept = false;
        work(counting, kept);
        BOOST_TEST(kept);
        calls = counting.calls();
    }
    for (std::size_t i = 0; i < calls; ++i) {
        for (const int code : {ENOSPC, EIO, faults::faulty_files::short_transfer}) {
            faults::memory_files fresh;
            faults::faulty_files failing(fresh);
            failing.fail(i, code, code == ENOSPC ? calls : 1);
            bool kept = false;
            work(failing, kept);
            const auto left = fresh.after_kill();
            check(*left, kept, "call " + std::to_string(i) + " fails with " + std::to_string(code));
        }
        for (const auto data : {faults::unsynced_data::lost, faults::unsynced_data::torn}) {
            for (const auto names : {faults::unsynced_names::lost, faults::unsynced_names::kept}) {
                faults::memory_files fresh;
                faults::faulty_files watched(fresh);
                std::unique_ptr<faults::memory_files> left;
                bool kept = false;
                bool promised = false;
                watched.on_call([&](std::size_t number, const std::string&) {
                    if (number != i) return;
                    promised = kept;
                    left = fresh.after_power_cut(data, names);
                });
                work(watched, kept);
                if (left) check(*left, promised, "the power is cut at call " + std::to_string(i));
            }
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
