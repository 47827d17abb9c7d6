#include "tests/contract/store_contract.hpp"

#include "pipeline/scope.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <set>
#include <span>
#include <utility>

namespace firehose::contract {
namespace {

using storage::payload;

std::string pattern(std::size_t size, unsigned seed) {
    std::string text(size, '\0');
    std::uint32_t state = seed * 2654435761U + 12345U;
    for (char& c : text) {
        state = state * 1664525U + 1013904223U;
        c = static_cast<char>(state >> 24);
    }
    return text;
}

payload one_piece(const std::string& text) { return {std::as_bytes(std::span(text.data(), text.size()))}; }

/// Uneven pieces, some of them empty: `pieces` of them whatever the length.
payload many_pieces(const std::string& text, std::size_t pieces) {
    payload body;
    const auto whole = std::as_bytes(std::span(text.data(), text.size()));
    std::size_t from = 0;
    for (std::size_t i = 0; i + 1 < pieces; ++i) {
        const std::size_t left = whole.size() - from;
        const std::size_t length = std::min(left, i % 5);
        body.push_back(whole.subspan(from, length));
        from += length;
    }
    body.push_back(whole.subspan(from));
    return body;
}

class checker {
public:
    checker(storage::store& s, context& x, store_options how) : s_(s), x_(x), how_(std::move(how)) {}

    task<> run();
    std::vector<std::string> take() { return std::move(broken_); }

private:
    task<> guard(std::string title, task<> part);
    task<> sizes();
    task<> scattered();
    task<> overwriting();
    task<> awkward();
    task<> absent_only();
    task<> absent();
    task<> listing();
    task<> list_all(std::string prefix, std::vector<storage::object_info>& found);
    task<> removing();
    task<> reading();
    task<> read_range(const std::string& where, const std::string& text, storage::byte_range which);
    task<> checking();
    task<> in_parts();
    task<> put_parts(storage::multipart& upload, const std::string& where, std::vector<std::string> parts);
    task<> put_part_child(storage::multipart& upload, int number, std::string text);
    task<> complete_and_check(storage::multipart& upload, const std::string& where, const std::string& text);
    task<std::unique_ptr<storage::multipart>> begin_upload(const std::string& where,
                                                           const storage::put_options& how);
    task<> given_up();
    task<> resumed();
    std::vector<std::string> three_parts(unsigned seed) const;
    task<> many_at_once();
    task<> same_key_at_once();
    task<> cancelling();
    task<> cancel_one(std::string key, const std::string& text, unsigned turns);
    task<> expired();
    task<> store_and_check(std::string key, const std::string& text, const payload& body);
    task<> expect_object(std::string key, const std::string& text);
    task<> put_child(std::string key, std::string text);
    task<> put_racing(std::string key, std::string text);
    task<> put_and_forget(std::string key, const payload& body);
    task<> cancelled_put(const std::string& key, const payload& body, unsigned turns);
    task<> cancel_later(task_scope* scope, unsigned turns);
    task<> sweep();

    void fail(std::string sentence) { broken_.push_back(title_ + ": " + std::move(sentence)); }
    void fail(const std::string& call, const error& e) { fail(call + " failed: " + e.context()); }
    std::string key(const std::string& rest) {
        auto k = how_.prefix + "/" + rest;
        used_.insert(k);
        return k;
    }
    time_source::steady until() const { return x_.time.now() + how_.patience; }

    storage::store& s_;
    context& x_;
    store_options how_;
    std::string title_;
    std::vector<std::string> broken_;
    std::set<std::string> used_;
};

task<> checker::run() {
    co_await guard("sizes", sizes());
    co_await guard("scattered bodies", scattered());
    co_await guard("overwriting", overwriting());
    co_await guard("awkward keys", awkward());
    co_await guard("an absent key", absent());
    if (s_.can().only_if_absent && how_.conditional_puts) co_await guard("only_if_absent", absent_only());
    if (s_.can().list) co_await guard("listing", listing());
    if (s_.can().remove) co_await guard("removing", removing());
    if (s_.can().get) co_await guard("reading", reading());
    co_await guard("checking", checking());
    if (s_.can().max_parts > 0) co_await guard("uploads in parts", in_parts());
    if (s_.can().max_parts > 0) co_await guard("an upload given up", given_up());
    if (s_.can().max_parts > 0) co_await guard("an upload gone on with", resumed());
    co_await guard("many puts at once", many_at_once());
    co_await guard("one key put many times at once", same_key_at_once());
    co_await guard("cancellation", cancelling());
    co_await guard("a deadline that has passed", expired());
    if (s_.can().remove) co_await guard("cleaning up", sweep());
}

task<> checker::guard(std::string title, task<> part) {
    title_ = std::move(title);
    try {
        co_await std::move(part);
    } catch (const boost::system::system_error& e) {
        if (e.code() == asio::error::operation_aborted) throw;
        fail(std::string("an exception came out: ") + e.what());
    } catch (const std::exception& e) {
        fail(std::string("an exception came out: ") + e.what());
    }
}

task<> checker::store_and_check(std::string key, const std::string& text, const payload& body) {
    const storage::put_options how;
    const auto deadline = until();
    auto put = co_await s_.put(key, body, how, deadline);
    if (!put) {
        fail("put(" + key + ")", put.error());
        co_return;
    }
    if (put->key != key) fail("put(" + key + ") reports the key " + put->key);
    if (put->size != text.size())
        fail("put(" + key + ") of " + std::to_string(text.size()) + " bytes reports " +
             std::to_string(put->size));
    co_await expect_object(key, text);
}

task<> checker::expect_object(std::string key, const std::string& text) {
    const auto deadline = until();
    auto head = co_await s_.head(key, deadline);
    if (!head) {
        fail("head(" + key + ") after a successful put()", head.error());
        co_return;
    }
    if (head->key != key) fail("head(" + key + ") reports the key " + head->key);
    if (head->size != text.size())
        fail("head(" + key + ") reports " + std::to_string(head->size) + " bytes instead of " +
             std::to_string(text.size()));
    if (s_.can().get) {
        const storage::byte_range all;
        co_await read_range(key, text, all);
    }
    if (!how_.read) co_return;
    auto read = co_await how_.read(key);
    if (!read) {
        fail("reading " + key + " back", read.error());
    } else if (*read != text) {
        fail(key + " holds other bytes than were put");
    }
}

task<> checker::sizes() {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4096}, how_.large_body}) {
        const auto text = pattern(size, 1);
        const auto body = one_piece(text);
        co_await store_and_check(key("sizes/" + std::to_string(size)), text, body);
    }
    const std::string nothing;
    const payload no_pieces;
    co_await store_and_check(key("sizes/no-pieces"), nothing, no_pieces);
}

task<> checker::scattered() {
    const auto text = pattern(20'000, 2);
    for (const std::size_t pieces : {2U, 17U, 3000U}) {  // more than one writev(2) takes
        const auto body = many_pieces(text, pieces);
        co_await store_and_check(key("scattered/" + std::to_string(pieces)), text, body);
    }
}

task<> checker::overwriting() {
    for (const std::size_t size : {2000U, 10U, 3000U}) {
        const auto text = pattern(size, static_cast<unsigned>(size));
        const auto body = one_piece(text);
        co_await store_and_check(key("overwriting/object"), text, body);
    }
}

task<> checker::awkward() {
    unsigned seed = 3;
    for (const auto& name : how_.awkward_keys) {
        const auto text = pattern(100 + seed, seed);
        const auto body = one_piece(text);
        ++seed;
        co_await store_and_check(key("awkward/" + name), text, body);
    }
    seed = 3;
    for (const auto& name : how_.awkward_keys) {  // and none of them was another one's place
        const auto text = pattern(100 + seed, seed);
        ++seed;
        co_await expect_object(key("awkward/" + name), text);
    }
}

task<> checker::absent_only() {
    const auto first = pattern(500, 4);
    const auto second = pattern(700, 5);
    const auto first_body = one_piece(first);
    const auto second_body = one_piece(second);
    const auto where = key("only-if-absent/object");
    storage::put_options how;
    how.only_if_absent = true;
    const auto deadline = until();
    auto created = co_await s_.put(where, first_body, how, deadline);
    if (!created) fail("put(" + where + ") of a new object", created.error());
    co_await expect_object(where, first);
    auto again = co_await s_.put(where, second_body, how, deadline);
    if (!again)
        fail("put(" + where + ") of an object that is there, which is success by contract,", again.error());
    co_await expect_object(where, first);
}

task<> checker::absent() {
    const auto deadline = until();
    for (const char* name : {"absent/object", "absent-as-well", "sizes/1x"}) {
        const auto where = key(name);
        auto head = co_await s_.head(where, deadline);
        if (head) {
            fail("head(" + where + ") finds an object that was never put");
            continue;
        }
        if (!storage::is_not_found(head.error()))
            fail("head(" + where + ") must fail with the provider code " + std::string(storage::not_found) +
                 " and disposition park, but says " + std::string(to_string(head.error().what())) + " \"" +
                 head.error().provider_code() + "\": " + head.error().context());
    }
    if (!s_.can().remove) co_return;
    const auto where = key("absent/object");
    auto removed = co_await s_.remove(where, deadline);
    if (!removed)
        fail("remove(" + where + ") of an absent object, which is success by contract,", removed.error());
}

task<> checker::list_all(std::string prefix, std::vector<storage::object_info>& found) {
    std::string from;
    for (std::size_t pages = 0;; ++pages) {
        const auto deadline = until();
        auto page = co_await s_.list(prefix, from, deadline);
        if (!page) {
            fail("list(" + prefix + ")", page.error());
            co_return;
        }
        found.insert(found.end(), page->items.begin(), page->items.end());
        if (page->next.empty()) co_return;
        if (page->next == from || pages > how_.objects_to_list + 100) {
            fail("list(" + prefix + ") never ends");
            co_return;
        }
        from = page->next;
    }
}

task<> checker::listing() {
    std::vector<storage::object_info> found;
    co_await list_all(how_.prefix + "/nothing-was-put-here/", found);
    if (!found.empty()) fail("an absent prefix is not empty");

    std::set<std::string> expected;
    for (std::size_t i = 0; i < how_.objects_to_list; ++i) {
        const auto where = key("listing/" + std::to_string(i % 3) + "/object " + std::to_string(i));
        expected.insert(where);
        co_await put_child(where, pattern(i, 6));
    }
    co_await put_child(key("listing-not/object"), "sibling");
    found.clear();
    co_await list_all(how_.prefix + "/listing/", found);
    std::set<std::string> seen;
    for (const auto& item : found) {
        if (!seen.insert(item.key).second) fail("list() names " + item.key + " twice");
        if (!expected.contains(item.key))
            fail("list() names " + item.key + ", which is not below the prefix");
        const auto number = item.key.substr(item.key.find_last_of(' ') + 1);
        if (std::to_string(item.size) != number)
            fail("list() reports " + std::to_string(item.size) + " bytes for " + item.key);
    }
    for (const auto& where : expected)
        if (!seen.contains(where)) fail("list() leaves out " + where);
    const bool sorted = std::ranges::is_sorted(found, {}, &storage::object_info::key);
    if (!sorted) fail("list() is not in byte order of the keys");

    found.clear();
    co_await list_all(how_.prefix + "/listin", found);  // a prefix is text, not a folder
    if (found.size() != expected.size() + 1)
        fail("a prefix that ends inside a component finds " + std::to_string(found.size()) +
             " objects instead of " + std::to_string(expected.size() + 1));
}

task<> checker::removing() {
    const auto where = key("removing/object");
    co_await put_child(where, "short-lived");
    const auto deadline = until();
    auto removed = co_await s_.remove(where, deadline);
    if (!removed) fail("remove(" + where + ")", removed.error());
    auto head = co_await s_.head(where, deadline);
    if (head) fail("head(" + where + ") finds the object after remove()");
    auto again = co_await s_.remove(where, deadline);
    if (!again) fail("a second remove(" + where + "), which is success by contract,", again.error());
    const auto text = pattern(50, 7);
    const auto body = one_piece(text);
    co_await store_and_check(where, text, body);
}

task<> checker::read_range(const std::string& where, const std::string& text, storage::byte_range which) {
    const auto deadline = until();
    auto got = co_await s_.get(where, which, deadline);
    const auto call = "get(" + where + ") from byte " + std::to_string(which.first);
    if (!got) {
        fail(call, got.error());
        co_return;
    }
    const auto expected = which.first < text.size() ? text.substr(which.first, which.count) : std::string();
    if (got->info.key != where) fail(call + " reports the key " + got->info.key);
    if (got->info.size != text.size())
        fail(call + " reports an object of " + std::to_string(got->info.size) + " bytes instead of " +
             std::to_string(text.size()));
    if (got->bytes.size() != expected.size())
        fail(call + " gives " + std::to_string(got->bytes.size()) + " bytes instead of " +
             std::to_string(expected.size()));
    else if (got->bytes != expected)
        fail(call + " gives other bytes than were put");
}

task<> checker::reading() {
    const auto where = key("reading/object");
    const auto text = pattern(10'000, 10);
    co_await put_child(where, text);
    constexpr auto to_the_end = std::numeric_limits<std::uint64_t>::max();
    const std::array<storage::byte_range, 9> ranges{{{0, 1},
                                                     {0, 10'000},
                                                     {1, 4096},
                                                     {9'999, 1},
                                                     {9'000, 5'000},
                                                     {5'000, to_the_end},
                                                     {10'000, 10},
                                                     {20'000, to_the_end},
                                                     {3, 0}}};
    for (const auto& which : ranges) co_await read_range(where, text, which);

    const auto nowhere = key("reading/absent");
    const auto deadline = until();
    const storage::byte_range all;
    auto absent = co_await s_.get(nowhere, all, deadline);
    if (absent)
        fail("get(" + nowhere + ") finds an object that was never put");
    else if (!storage::is_not_found(absent.error()))
        fail("get(" + nowhere + ") must fail with the provider code " + std::string(storage::not_found) +
             " and disposition park, but says: " + absent.error().context());
}

task<> checker::checking() {
    const auto deadline = until();
    auto checked = co_await s_.check(deadline);
    if (!checked) fail("check() of a place where objects were put", checked.error());
}

std::vector<std::string> checker::three_parts(unsigned seed) const {
    const auto least = static_cast<std::size_t>(std::max<std::uint64_t>(s_.can().min_part, 1000));
    return {pattern(least, seed), pattern(least, seed + 1), pattern(777, seed + 2)};
}

task<std::unique_ptr<storage::multipart>> checker::begin_upload(const std::string& where,
                                                                const storage::put_options& how) {
    const auto deadline = until();
    auto started = co_await s_.start_multipart(where, how, deadline);
    if (started) co_return std::move(*started);
    fail("start_multipart(" + where + ")", started.error());
    co_return nullptr;
}

task<> checker::put_part_child(storage::multipart& upload, int number, std::string text) {
    const auto body = many_pieces(text, 3);
    const auto deadline = until();
    auto put = co_await upload.put_part(number, body, deadline);
    if (!put) fail("put_part(" + std::to_string(number) + ")", put.error());
}

/// All at once, the last one first.
task<> checker::put_parts(storage::multipart& upload, const std::string&, std::vector<std::string> parts) {
    auto spawn_all = [this, &upload, &parts](task_scope& s) {
        for (std::size_t i = parts.size(); i > 0; --i)
            s.spawn(put_part_child(upload, static_cast<int>(i), parts[i - 1]));
    };
    auto all = with_scope(x_.ex, spawn_all);
    co_await std::move(all);
}

task<> checker::complete_and_check(storage::multipart& upload, const std::string& where,
                                   const std::string& text) {
    const auto deadline = until();
    auto done = co_await upload.complete(deadline);
    if (!done) {
        fail("complete() of " + where, done.error());
        co_return;
    }
    if (done->key != where) fail("complete() of " + where + " reports the key " + done->key);
    if (done->size != text.size())
        fail("complete() of " + where + " reports " + std::to_string(done->size) + " bytes instead of " +
             std::to_string(text.size()));
    co_await expect_object(where, text);
}

task<> checker::in_parts() {
    storage::put_options how;
    const auto where = key("in-parts/object +%");
    auto parts = three_parts(20);
    auto upload = co_await begin_upload(where, how);
    if (!upload) co_return;
    co_await put_parts(*upload, where, parts);
    const auto deadline = until();
    auto early = co_await s_.head(where, deadline);
    if (early) fail(where + " is there before complete()");
    parts[1] = pattern(parts[1].size() + 5, 30);
    co_await put_part_child(*upload, 2, parts[1]);  // in the place of the one before
    co_await complete_and_check(*upload, where, parts[0] + parts[1] + parts[2]);

    const auto small = key("in-parts/one part");
    const auto text = pattern(10, 31);
    auto single = co_await begin_upload(small, how);
    if (!single) co_return;
    co_await put_part_child(*single, 1, text);
    co_await complete_and_check(*single, small, text);
    if (!s_.can().only_if_absent || !how_.conditional_completions) co_return;
    how.only_if_absent = true;
    const auto other = pattern(20, 32);
    auto late = co_await begin_upload(small, how);
    if (!late) co_return;
    co_await put_part_child(*late, 1, other);
    auto done = co_await late->complete(deadline);
    if (!done) fail("complete() of an object that is there, which is success by contract,", done.error());
    co_await expect_object(small, text);
    co_await late->abort();
}

task<> checker::given_up() {
    const storage::put_options how;
    const auto where = key("given-up/object");
    const auto parts = three_parts(40);
    auto upload = co_await begin_upload(where, how);
    if (!upload) co_return;
    co_await put_parts(*upload, where, parts);
    co_await upload->abort();
    const auto deadline = until();
    auto head = co_await s_.head(where, deadline);
    if (head) fail(where + " is there after abort()");
    if (!head && !storage::is_not_found(head.error())) fail("head(" + where + ")", head.error());
}

task<> checker::resumed() {
    const storage::put_options how;
    const auto where = key("resumed/object");
    const auto parts = three_parts(50);
    auto upload = co_await begin_upload(where, how);
    if (!upload) co_return;
    const auto token = upload->token();
    co_await put_part_child(*upload, 1, parts[0]);
    if (token.empty()) {
        co_await upload->abort();
        co_return;
    }
    upload.reset();
    const auto deadline = until();
    auto again = co_await s_.resume_multipart(where, token, how, deadline);
    if (!again) {
        fail("resume_multipart(" + where + ")", again.error());
        co_return;
    }
    auto& resumed = **again;
    co_await put_parts(resumed, where, parts);
    co_await complete_and_check(resumed, where, parts[0] + parts[1] + parts[2]);
    const auto other = key("resumed/given up");
    auto left = co_await begin_upload(other, how);
    if (!left) co_return;
    const auto gone = left->token();
    co_await left->abort();
    auto nothing = co_await s_.resume_multipart(other, gone, how, deadline);
    if (nothing || nothing.error().provider_code() != storage::no_such_upload)
        fail("resume_multipart() of an upload that was aborted must fail with the provider code " +
             std::string(storage::no_such_upload));
}

task<> checker::put_child(std::string where, std::string text) {
    const auto body = one_piece(text);
    const storage::put_options how;
    const auto deadline = until();
    auto put = co_await s_.put(where, body, how, deadline);
    if (!put) fail("put(" + where + ")", put.error());
}

task<> checker::put_racing(std::string where, std::string text) {
    const auto body = one_piece(text);
    const storage::put_options how;
    const auto deadline = until();
    auto put = co_await s_.put(where, body, how, deadline);
    const bool lost = !put && put.error().what() == disposition::retry && how_.lost_races_may_fail;
    if (!put && !lost) fail("put(" + where + ")", put.error());
}

task<> checker::many_at_once() {
    std::vector<std::pair<std::string, std::string>> objects;
    for (std::size_t i = 0; i < how_.concurrent_puts; ++i)
        objects.emplace_back(key("many/" + std::to_string(i % 7) + "/" + std::to_string(i)),
                             pattern(100 + 37 * i, static_cast<unsigned>(i)));
    auto spawn_all = [this, &objects](task_scope& s) {
        for (const auto& [where, text] : objects) s.spawn(put_child(where, text));
    };
    auto all = with_scope(x_.ex, spawn_all);
    co_await std::move(all);
    for (const auto& [where, text] : objects) co_await expect_object(where, text);
}

task<> checker::same_key_at_once() {
    const auto where = key("same/object");
    std::vector<std::string> texts;
    for (unsigned i = 0; i < 16; ++i) texts.push_back(pattern(1000 + i, i));
    auto spawn_all = [this, &where, &texts](task_scope& s) {
        for (const auto& text : texts) s.spawn(put_racing(where, text));
    };
    auto all = with_scope(x_.ex, spawn_all);
    co_await std::move(all);
    const auto deadline = until();
    auto head = co_await s_.head(where, deadline);
    if (!head) {
        fail("head(" + where + ")", head.error());
    } else if (head->size < 1000 || head->size >= 1000 + texts.size()) {
        fail(where + " has " + std::to_string(head->size) + " bytes, as many as none of the bodies");
    } else {
        const auto& winner = texts[static_cast<std::size_t>(head->size) - 1000];
        co_await expect_object(where, winner);
    }
}

task<> checker::cancel_later(task_scope* scope, unsigned turns) {
    // Once at least: Boost 1.81 loses a coroutine that cancels itself before it was ever suspended.
    for (unsigned i = 0; i <= turns; ++i) co_await asio::post(x_.ex, use_task);
    scope->cancel();
}

task<> checker::put_and_forget(std::string where, const payload& body) {
    const storage::put_options how;
    const auto deadline = until();
    auto put = co_await s_.put(where, body, how, deadline);
    if (!put) fail("put(" + where + "), which was about to be cancelled,", put.error());
}

task<> checker::cancelled_put(const std::string& where, const payload& body, unsigned turns) {
    return with_scope(x_.ex, [this, &where, &body, turns](task_scope& s) {
        s.spawn(put_and_forget(where, body));
        s.spawn(cancel_later(&s, turns));
    });
}

task<> checker::cancel_one(std::string where, const std::string& text, unsigned turns) {
    const auto body = one_piece(text);
    try {
        co_await cancelled_put(where, body, turns);
    } catch (const boost::system::system_error& e) {
        if (e.code() != asio::error::operation_aborted)
            fail("a cancelled put() throws " + std::string(e.what()) + " instead of operation_aborted");
    }
    const auto deadline = until();
    auto head = co_await s_.head(where, deadline);
    if (head) {
        co_await expect_object(where, text);
    } else if (!storage::is_not_found(head.error())) {
        fail("head(" + where + ") after a cancelled put()", head.error());
    }
    const auto again = pattern(64, turns);  // whatever is left behind does not disturb the next put
    const auto again_body = one_piece(again);
    if (how_.cancelled_put_may_land_late) where = key("after " + where);
    co_await store_and_check(where, again, again_body);
}

task<> checker::cancelling() {
    const auto text = pattern(300'000, 8);
    for (unsigned turns = 0; turns <= 16'384; turns = turns == 0 ? 1 : 2 * turns) {
        const auto where = key("cancelled/" + std::to_string(turns));
        co_await cancel_one(where, text, turns);
    }
}

task<> checker::expired() {
    const auto where = key("expired/object");
    const auto text = pattern(100, 9);
    const auto body = one_piece(text);
    const storage::put_options how;
    const auto past = x_.time.now() - std::chrono::seconds(1);
    auto put = co_await s_.put(where, body, how, past);
    if (!put && put.error().what() != disposition::retry)
        fail("put(" + where + ") must succeed or fail with disposition retry, but says " +
             std::string(to_string(put.error().what())));
    if (put) co_await expect_object(where, text);
}

task<> checker::sweep() {
    for (const auto& where : used_) {
        const auto deadline = until();
        auto removed = co_await s_.remove(where, deadline);
        if (!removed) fail("remove(" + where + ")", removed.error());
    }
    if (!s_.can().list) co_return;
    std::vector<storage::object_info> left;
    co_await list_all(how_.prefix + "/", left);
    for (const auto& item : left) {
        if (how_.cancelled_put_may_land_late && used_.contains(item.key)) {
            const auto deadline = until();  // it landed after it was removed
            co_await s_.remove(item.key, deadline);
        } else {
            fail(item.key + " is left, though its key was never put or was removed");
        }
    }
}

}  // namespace

std::vector<std::string> store_options::default_awkward_keys() {
    return {
        "blank in name",
        "plus+and=equals&ampersand",
        "percent%2Fslash",
        "percent%",
        "tilde~star*bang!paren(s)'quote'",
        "hash#question?mark",
        "at@colon:semi;comma,dollar$",
        "brackets[0]{1}<2>|^`\"",
        "back\\slash",
        ".hidden",
        "dots..inside",
        "trailing.dot.",
        "Upper",
        "upper",
        "\xC3\xA9t\xC3\xA9/\xE6\x97\xA5\xE6\x9C\xAC/\xF0\x9F\x9A\x92",
        "e\xCC\x81t\xC3\xA9",  // the same for the eye, decomposed: another key
        "-leading-dash",
        "a/b/c/d/e/f/g/h/i/j",
        std::string(205, 'x'),
        std::string(200, 'x') + "/" + std::string(200, 'y') + "/" + std::string(205, 'z'),
    };
}

task<std::vector<std::string>> check_store(storage::store& s, context& x, store_options how) {
    checker c(s, x, std::move(how));
    co_await c.run();
    co_return c.take();
}

}  // namespace firehose::contract
