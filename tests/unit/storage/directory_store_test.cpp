#include "storage/directory_store.hpp"
#include "storage/directory_tree.hpp"
#include "storage/file_calls.hpp"
#include "tests/contract/real_shard.hpp"
#include "tests/contract/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <functional>
#include <future>
#include <map>

using namespace firehose;
using namespace firehose::storage;
using contract::read_file;
using contract::real_shard;
using contract::temporary_directory;
using contract::write_file;
namespace fs = std::filesystem;

namespace {

constexpr auto no_deadline = time_source::steady::max();

result<object_info> put(real_shard& shard, store& s, const std::string& key, const std::string& text) {
    const payload body{as_bytes(text)};
    const put_options how;
    return shard.run(s.put(key, body, how, no_deadline));
}

/// Everything below a directory, with contents, so that a test can show that nothing changed.
std::map<std::string, std::string> tree_of(const fs::path& root) {
    std::map<std::string, std::string> files;
    for (const auto& e : fs::recursive_directory_iterator(root)) {
        const auto name = fs::relative(e.path(), root).string();
        files[name] = e.is_symlink() ? "link" : e.is_directory() ? "folder" : read_file(e.path());
    }
    return files;
}

/// The system's calls, counted; the nth fails, or writes are short and interrupted.
class tampered_calls final : public file_calls {
public:
    std::atomic<int> fail_at{0};
    std::atomic<int> made{0};
    int code = EIO;
    bool stutter = false;
    bool without_noreplace = false;
    bool directory_sync_fails = false;
    std::atomic<int> file_syncs{0};
    std::atomic<int> system_syncs{0};
    std::string hit;
    std::future<void> write_waits_for;

    int open(int directory, const char* name, int flags, mode_t mode) override {
        return fails("open") ? -code : file_calls::open(directory, name, flags, mode);
    }
    ssize_t write(int file, const iovec* parts, int count) override {
        if (fails("write")) return -code;
        if (write_waits_for.valid()) write_waits_for.wait();
        if (!stutter) return file_calls::write(file, parts, count);
        if (made % 3 == 0) return -EINTR;
        const iovec little{parts->iov_base, std::min<std::size_t>(parts->iov_len, 3)};
        return file_calls::write(file, &little, 1);
    }
    int sync(int file) override {
        ++file_syncs;
        struct stat s{};
        if (directory_sync_fails && file_calls::status(file, "", s) == 0 && S_ISDIR(s.st_mode)) return -EIO;
        return fails("fsync") ? -code : file_calls::sync(file);
    }
    int sync_file_system(int file) override {
        ++system_syncs;
        return fails("syncfs") ? -code : file_calls::sync_file_system(file);
    }
    int make_directory(int directory, const char* name, mode_t mode) override {
        return fails("mkdir") ? -code : file_calls::make_directory(directory, name, mode);
    }
    int rename(int from, const char* name, int to, const char* new_name, unsigned flags) override {
        if (fails("rename")) return -code;
        if (without_noreplace && flags != 0) return -EINVAL;
        return file_calls::rename(from, name, to, new_name, flags);
    }
    int link(int from, const char* name, int to, const char* new_name) override {
        return fails("link") ? -code : file_calls::link(from, name, to, new_name);
    }
    int remove(int directory, const char* name, int flags) override {
        return fails("unlink") ? -code : file_calls::remove(directory, name, flags);
    }
    int status(int directory, const char* name, struct stat& answer) override {
        return fails("stat") ? -code : file_calls::status(directory, name, answer);
    }
    int lock(int file) override { return fails("flock") ? -code : file_calls::lock(file); }

private:
    bool fails(const char* call) {
        if (++made != fail_at) return false;
        hit = call;
        return true;
    }
};

task<> put_child(store& s, std::string key, std::string text, bool only_if_absent,
                 std::optional<result<object_info>>& outcome) {
    const payload body{as_bytes(text)};
    put_options how;
    how.only_if_absent = only_if_absent;
    auto done = co_await s.put(key, body, how, no_deadline);
    outcome.emplace(std::move(done));
}

void after_turns(executor ex, int turns, std::function<void()> what) {
    if (turns == 0) return what();
    asio::post(ex, [ex, turns, what] { after_turns(ex, turns - 1, what); });
}

struct request {
    std::string key{};
    std::string text{};
    bool only_if_absent = false;
    std::optional<result<object_info>> outcome{};
};

void put_together(real_shard& shard, store& s, std::vector<request>& requests) {
    auto all = with_scope(shard.x.ex, [&s, &requests](task_scope& scope) {
        for (auto& r : requests) scope.spawn(put_child(s, r.key, r.text, r.only_if_absent, r.outcome));
    });
    shard.run(std::move(all));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(directory_store_inside_its_root)

BOOST_AUTO_TEST_CASE(hostile_keys_are_parked_and_touch_nothing) {
    const temporary_directory base;
    real_shard shard;
    directory_store s(shard.x, base.path, "out");
    BOOST_REQUIRE(put(shard, s, "ok.json", "x"));
    const auto before = tree_of(base.path);
    const std::string keys[] = {"",
                                "..",
                                "../evil",
                                "a/../../evil",
                                "a/..",
                                ".",
                                "./evil",
                                "/evil",
                                "/etc/firehose-evil",
                                "a//evil",
                                "evil/",
                                std::string("evil\0.json", 10),
                                std::string(256, 'x'),
                                std::string(1025, 'x'),
                                ".firehose-tmp/evil",
                                "a/.firehose-tmp",
                                [] {
                                    std::string deep = "a";
                                    for (int i = 0; i < 200; ++i) deep += "/a";
                                    return deep;
                                }()};
    for (const auto& key : keys) {
        const auto stored = put(shard, s, key, "evil");
        BOOST_TEST_REQUIRE(stored.has_error(), "put(" << key << ") must fail");
        BOOST_TEST((stored.error().what() == disposition::park), key);
        const auto found = shard.run(s.head(key, no_deadline));
        BOOST_TEST_REQUIRE(found.has_error());
        BOOST_TEST((found.error().what() == disposition::park), key);
        const auto removed = shard.run(s.remove(key, no_deadline));
        BOOST_TEST(removed.has_error(), key);
    }
    BOOST_TEST((tree_of(base.path) == before));
    BOOST_TEST(!fs::exists(base.path / "evil"));
}

BOOST_AUTO_TEST_CASE(hostile_buckets_are_refused_by_the_kind_and_by_the_store) {
    const temporary_directory base;
    const auto kind = directory_kind();
    for (const auto& bucket : {std::string(), std::string("/tmp/evil"), std::string(".."),
                               std::string("a/../.."), std::string("."), std::string("a//b"),
                               std::string("a/"), std::string("a\0b", 3), std::string("out/.firehose-tmp")}) {
        destination to;
        to.bucket = bucket;
        BOOST_TEST(!kind.check(to, nullptr).empty(), bucket);
        real_shard shard;
        directory_store s(shard.x, base.path, bucket);
        const auto stored = put(shard, s, "a.json", "x");
        BOOST_TEST_REQUIRE(stored.has_error(), bucket);
        BOOST_TEST((stored.error().what() == disposition::stop), bucket);
    }
    destination fine;
    fine.bucket = "data/out";
    BOOST_TEST(kind.check(fine, nullptr) == "");
    BOOST_TEST(fs::is_empty(base.path));
}

BOOST_AUTO_TEST_CASE(links_are_never_followed) {
    const temporary_directory base;
    const temporary_directory outside;
    write_file(outside.path / "secret.json", "secret");
    fs::create_directories(base.path / "out");
    fs::create_directory_symlink(outside.path, base.path / "out/folder");
    fs::create_symlink(outside.path / "secret.json", base.path / "out/file.json");
    fs::create_directory_symlink(outside.path, base.path / "bucket");
    real_shard shard;
    {
        directory_store s(shard.x, base.path, "out");
        const auto through = put(shard, s, "folder/new.json", "evil");
        BOOST_TEST_REQUIRE(through.has_error());
        BOOST_TEST((through.error().what() == disposition::park));
        BOOST_TEST(through.error().context().find("symbolic link") != std::string::npos);
        BOOST_TEST(shard.run(s.head("folder/secret.json", no_deadline)).has_error());
        BOOST_TEST(shard.run(s.head("file.json", no_deadline)).has_error());
        (void)shard.run(s.remove("folder/secret.json", no_deadline));
        (void)shard.run(s.remove("file.json", no_deadline));
        const auto listed = shard.run(s.list("", "", no_deadline));
        BOOST_TEST_REQUIRE(listed.has_value());
        BOOST_TEST(listed->items.empty());

        const auto replaced = put(shard, s, "file.json", "mine");  // the link itself gives way
        BOOST_TEST(replaced.has_value());
        BOOST_TEST(!fs::is_symlink(base.path / "out/file.json"));
    }
    directory_store linked(shard.x, base.path, "bucket");
    const auto stored = put(shard, linked, "new.json", "evil");
    BOOST_TEST_REQUIRE(stored.has_error());
    BOOST_TEST((stored.error().what() == disposition::stop));
    BOOST_TEST(read_file(outside.path / "secret.json") == "secret");
    BOOST_TEST(std::distance(fs::directory_iterator(outside.path), {}) == 1);
}

BOOST_AUTO_TEST_CASE(a_file_in_the_way_parks_the_key_and_a_folder_is_no_object) {
    const temporary_directory base;
    real_shard shard;
    directory_store s(shard.x, base.path, "out");
    BOOST_REQUIRE(put(shard, s, "a", "file"));
    BOOST_REQUIRE(put(shard, s, "b/c", "file"));
    const auto below = put(shard, s, "a/x", "evil");
    BOOST_TEST_REQUIRE(below.has_error());
    BOOST_TEST((below.error().what() == disposition::park));
    const auto onto = put(shard, s, "b", "evil");
    BOOST_TEST_REQUIRE(onto.has_error());
    BOOST_TEST((onto.error().what() == disposition::park));
    BOOST_TEST(is_not_found(shard.run(s.head("b", no_deadline)).error()));
    BOOST_TEST(is_not_found(shard.run(s.head("a/x", no_deadline)).error()));
    BOOST_TEST(shard.run(s.remove("b", no_deadline)).has_value());
    BOOST_TEST(read_file(base.path / "out/b/c") == "file");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(directory_store_durable)

BOOST_AUTO_TEST_CASE(every_call_may_fail_and_a_name_still_holds_a_whole_object) {
    for (const std::size_t together_from : {2U, 100U}) {
        bool failed = true;
        for (int n = 1; failed; ++n) {
            const temporary_directory base;
            real_shard shard;
            tampered_calls calls;
            calls.code = n % 2 == 0 ? EIO : ENOSPC;
            directory_options options;
            options.sync_together_from = together_from;
            options.calls = &calls;
            {
                directory_store before(shard.x, base.path, "out", options);
                BOOST_REQUIRE(put(shard, before, "a.json", "old a"));
            }
            calls.made = 0;
            calls.fail_at = n;
            {
                directory_store s(shard.x, base.path, "out", options);
                std::vector<request> requests;
                requests.push_back({"first.json", "alone in its group"});
                requests.push_back({"a.json", "new a"});
                requests.push_back({"b/b.json", "new b"});
                requests.push_back({"c/c/c.json", "new c", true});
                put_together(shard, s, requests);
                failed = !calls.hit.empty();
                for (const auto& r : requests) {
                    BOOST_TEST_REQUIRE(r.outcome.has_value());
                    const auto file = base.path / "out" / r.key;
                    const auto text = fs::exists(file) ? read_file(file) : "";
                    if (*r.outcome) {
                        BOOST_TEST(text == r.text, "call " << n << ", " << calls.hit);
                    } else {
                        BOOST_TEST(((*r.outcome).error().what() == disposition::retry),
                                   (*r.outcome).error().context());
                        BOOST_TEST((text == r.text || text == (r.key == "a.json" ? "old a" : "")),
                                   "call " << n << ", " << calls.hit << ": " << text);
                    }
                }
                calls.fail_at = 0;  // the disk is well again, and so is the store
                for (const auto& r : requests) BOOST_TEST(put(shard, s, r.key, r.text).has_value());
                for (const auto& r : requests) BOOST_TEST(read_file(base.path / "out" / r.key) == r.text);
                BOOST_TEST(shard.run(s.list("", "", no_deadline))->items.size() == requests.size());
            }
            {
                directory_store after(shard.x, base.path, "out",
                                      options);  // clears what a failed unlink left
                BOOST_TEST(put(shard, after, "a.json", "newer").has_value());
            }
            BOOST_TEST(!fs::exists(base.path / "out/.firehose-tmp"), "call " << n << ", " << calls.hit);
            BOOST_REQUIRE(n < 1000);
        }
    }
}

BOOST_AUTO_TEST_CASE(short_and_interrupted_writes_go_on) {
    const temporary_directory base;
    real_shard shard;
    tampered_calls calls;
    calls.stutter = true;
    directory_options options;
    options.calls = &calls;
    directory_store s(shard.x, base.path, "out", options);
    const std::string one = "0123456789";
    const std::string two(1000, 'x');
    const payload body{as_bytes(one), as_bytes(""), as_bytes(two)};
    const put_options how;
    const auto stored = shard.run(s.put("a.json", body, how, no_deadline));
    BOOST_TEST_REQUIRE(stored.has_value());
    BOOST_TEST(stored->size == 1010U);
    BOOST_TEST(read_file(base.path / "out/a.json") == one + two);
}

BOOST_AUTO_TEST_CASE(only_if_absent_works_on_file_systems_without_the_rename_flag) {
    const temporary_directory base;
    real_shard shard;
    tampered_calls calls;
    calls.without_noreplace = true;
    directory_options options;
    options.calls = &calls;
    directory_store s(shard.x, base.path, "out", options);
    for (const std::string text : {"first", "second"}) {
        std::vector<request> one;
        one.push_back({"a.json", text, true});
        put_together(shard, s, one);
        BOOST_TEST_REQUIRE(one[0].outcome->has_value());
        BOOST_TEST((*one[0].outcome)->size == 5U);
    }
    BOOST_TEST(read_file(base.path / "out/a.json") == "first");
    for (const auto& e : fs::recursive_directory_iterator(base.path / "out/.firehose-tmp"))
        BOOST_TEST(e.is_directory());
}

BOOST_AUTO_TEST_CASE(many_puts_share_their_syncs) {
    const temporary_directory base;
    real_shard shard;
    tampered_calls calls;
    directory_options options;
    options.calls = &calls;
    directory_store s(shard.x, base.path, "out", options);
    BOOST_REQUIRE(put(shard, s, "warm-up.json", "x"));
    calls.file_syncs = 0;
    calls.system_syncs = 0;
    std::vector<request> requests;
    for (int i = 0; i < 201; ++i)
        requests.push_back({"lead" + std::to_string(i) + "/e.json", std::to_string(i)});
    put_together(shard, s, requests);
    for (const auto& r : requests) BOOST_TEST(r.outcome->has_value());
    BOOST_TEST(calls.system_syncs == 2);  // bodies and names of the 200 that came while the first was written
    BOOST_TEST(calls.file_syncs <= 3);    // the first one: body, its folder and the folder above
}

BOOST_AUTO_TEST_CASE(what_a_killed_process_left_is_cleared_and_what_a_living_one_writes_is_not) {
    const temporary_directory base;
    const auto tmp = base.path / "out/.firehose-tmp";
    fs::create_directories(tmp / "0");
    fs::create_directories(tmp / "1");
    write_file(tmp / "0/7", "half an obj");
    write_file(tmp / "1/7", "half an object");
    const int alive = ::open((tmp / "1").c_str(), O_RDONLY | O_DIRECTORY);
    BOOST_REQUIRE(::flock(alive, LOCK_EX) == 0);
    real_shard shard;
    {
        directory_store s(shard.x, base.path, "out");
        const auto listed = shard.run(s.list("", "", no_deadline));
        BOOST_TEST(listed->items.empty());
        BOOST_REQUIRE(put(shard, s, "a.json", "x"));
        BOOST_TEST(!fs::exists(tmp / "0/7"));
        BOOST_TEST(read_file(tmp / "1/7") == "half an object");
    }
    ::close(alive);
    BOOST_TEST(fs::exists(tmp / "1"));
}

BOOST_AUTO_TEST_CASE(several_stores_share_a_root) {
    const temporary_directory base;
    real_shard shard;
    directory_store one(shard.x, base.path, "out");
    directory_store two(shard.x, base.path, "out");
    for (int i = 0; i < 3; ++i) {
        BOOST_TEST(put(shard, one, "one" + std::to_string(i), "1").has_value());
        BOOST_TEST(put(shard, two, "two" + std::to_string(i), "2").has_value());
    }
    BOOST_TEST(shard.run(one.list("", "", no_deadline))->items.size() == 6U);
}

BOOST_AUTO_TEST_CASE(a_root_that_was_removed_meanwhile_is_made_again) {
    const temporary_directory base;
    real_shard shard;
    directory_store s(shard.x, base.path, "out");
    BOOST_REQUIRE(put(shard, s, "a/a.json", "x"));
    fs::remove_all(base.path / "out");
    BOOST_TEST(put(shard, s, "a/a.json", "y").has_value());
    BOOST_TEST(read_file(base.path / "out/a/a.json") == "y");
}

BOOST_AUTO_TEST_CASE(a_folder_that_vanished_before_its_sync_holds_nobody_up) {
    const temporary_directory base;
    real_shard shard;
    tampered_calls calls;
    directory_options options;
    options.calls = &calls;
    directory_store s(shard.x, base.path, "out", options);
    const std::string deep = std::string(250, 'x') + "/" + std::string(250, 'y') + "/" +
                             std::string(250, 'z') + "/" + std::string(250, 'u');
    BOOST_REQUIRE(put(shard, s, "a.json", "x"));
    BOOST_REQUIRE(put(shard, s, deep, "x"));
    calls.directory_sync_fails = true;
    const auto failed = put(shard, s, deep, "y");
    BOOST_TEST_REQUIRE(failed.has_error());
    BOOST_TEST((failed.error().what() == disposition::retry));
    calls.directory_sync_fails = false;
    fs::remove_all(base.path / "out" / std::string(250, 'x'));
    BOOST_TEST(put(shard, s, "b.json", "x").has_value());
    BOOST_TEST(put(shard, s, deep, "z").has_value());
}

BOOST_AUTO_TEST_CASE(a_put_that_is_cancelled_in_the_queue_does_nothing) {
    const temporary_directory base;
    real_shard shard;
    tampered_calls calls;
    std::promise<void> gate;
    calls.write_waits_for = gate.get_future();
    directory_options options;
    options.calls = &calls;
    directory_store s(shard.x, base.path, "out", options);
    std::vector<request> requests;
    for (int i = 0; i < 5; ++i) requests.push_back({std::to_string(i), "x"});
    auto all = with_scope(shard.x.ex, [&](task_scope& scope) {
        for (auto& r : requests) scope.spawn(put_child(s, r.key, r.text, false, r.outcome));
        after_turns(shard.x.ex, 10, [&] {  // the first is being written, the others wait
            scope.cancel();
            after_turns(shard.x.ex, 10, [&] { gate.set_value(); });
        });
    });
    try {
        shard.run(std::move(all));
    } catch (const boost::system::system_error& e) {
        BOOST_TEST((e.code() == asio::error::operation_aborted));
    }
    for (std::size_t i = 1; i < requests.size(); ++i) BOOST_TEST(!requests[i].outcome.has_value());
    const auto listed = shard.run(s.list("", "", no_deadline));
    BOOST_TEST_REQUIRE(listed->items.size() == 1U);
    BOOST_TEST(read_file(base.path / "out/0") == "x");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(directory_store_errors)

BOOST_AUTO_TEST_CASE(a_missing_base_directory_stops_and_says_so) {
    const temporary_directory base;
    real_shard shard;
    directory_store s(shard.x, base.path / "not-there", "out");
    const auto stored = put(shard, s, "a.json", "x");
    BOOST_TEST_REQUIRE(stored.has_error());
    BOOST_TEST((stored.error().what() == disposition::stop));
    BOOST_TEST(stored.error().context().find("not-there") != std::string::npos);
    BOOST_TEST(stored.error().context().find("create the folder") != std::string::npos);
    const auto found = shard.run(s.head("a.json", no_deadline));
    BOOST_TEST_REQUIRE(found.has_error());
    BOOST_TEST((found.error().what() == disposition::stop));
}

BOOST_AUTO_TEST_CASE(each_cause_has_its_disposition_and_names_the_path) {
    const std::pair<int, disposition> causes[] = {
        {ENOSPC, disposition::retry},     {EDQUOT, disposition::retry}, {EIO, disposition::retry},
        {EMFILE, disposition::retry},     {EACCES, disposition::stop},  {EROFS, disposition::stop},
        {ENAMETOOLONG, disposition::park}};
    for (const auto& [code, expected] : causes) {
        const temporary_directory base;
        real_shard shard;
        tampered_calls calls;
        directory_options options;
        options.calls = &calls;
        directory_store s(shard.x, base.path, "out", options);
        BOOST_REQUIRE(put(shard, s, "a/b.json", "x"));
        calls.code = code;
        bool seen = false;
        for (int n = 1; n < 40 && !seen; ++n) {  // the first call that names the key's folder
            calls.made = 0;
            calls.fail_at = n;
            const auto stored = put(shard, s, "a/b.json", "x");
            if (stored || stored.error().context().find("out/a") == std::string::npos) continue;
            seen = true;
            BOOST_TEST((stored.error().what() == expected), stored.error().context());
            BOOST_TEST(stored.error().code().value() == code);
            BOOST_TEST(stored.error().context().find(base.path.string()) != std::string::npos);
        }
        BOOST_TEST(seen);
    }
}

BOOST_AUTO_TEST_CASE(a_read_only_directory_stops) {
    if (::geteuid() == 0) return;  // nothing is read-only to root; the case above covers the mapping
    const temporary_directory base;
    fs::permissions(base.path, fs::perms::owner_read | fs::perms::owner_exec);
    real_shard shard;
    directory_store s(shard.x, base.path, "out");
    const auto stored = put(shard, s, "a.json", "x");
    fs::permissions(base.path, fs::perms::owner_all);
    BOOST_TEST_REQUIRE(stored.has_error());
    BOOST_TEST((stored.error().what() == disposition::stop));
}

BOOST_AUTO_TEST_CASE(a_body_beyond_the_file_size_limit_is_parked_and_leaves_nothing) {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const temporary_directory base;
    real_shard shard;
    directory_store s(shard.x, base.path, "out");
    BOOST_REQUIRE(put(shard, s, "a.json", "small"));
    rlimit small = before;
    small.rlim_cur = 1000;
    ::setrlimit(RLIMIT_FSIZE, &small);
    const auto stored = put(shard, s, "a.json", std::string(5000, 'x'));
    ::setrlimit(RLIMIT_FSIZE, &before);
    BOOST_TEST_REQUIRE(stored.has_error());
    BOOST_TEST((stored.error().what() == disposition::park));
    BOOST_TEST(read_file(base.path / "out/a.json") == "small");
    for (const auto& e : fs::recursive_directory_iterator(base.path / "out/.firehose-tmp"))
        BOOST_TEST(e.is_directory());
}

BOOST_AUTO_TEST_CASE(a_deadline_that_passed_is_a_retry) {
    const temporary_directory base;
    real_shard shard;
    directory_store s(shard.x, base.path, "out");
    const payload body;
    const put_options how;
    const auto stored = shard.run(s.put("a.json", body, how, shard.x.time.now()));
    BOOST_TEST_REQUIRE(stored.has_error());
    BOOST_TEST((stored.error().what() == disposition::retry));
    BOOST_TEST(fs::is_empty(base.path));
}

BOOST_AUTO_TEST_SUITE_END()
