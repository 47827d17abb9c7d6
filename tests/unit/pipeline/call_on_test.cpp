#include "pipeline/call_on.hpp"

#include "pipeline/run.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <thread>

namespace firehose {
namespace {

using answers_of_one = std::vector<int>;

/// Lives on shard 0, which counts without a lock.
struct counter {
    std::thread::id home{};
    int calls = 0;
    bool strayed = false;

    /// Calls may come before the root of shard 0 has run.
    void note_thread() {
        const auto here = std::this_thread::get_id();
        if (home == std::thread::id{}) home = here;
        strayed = strayed || here != home;
    }
    task<answers_of_one> next(int by) {
        note_thread();
        if (by < 0) throw std::runtime_error("negative");
        co_await asio::post(use_task);
        calls += by;
        co_return answers_of_one{calls};
    }
};

task<> call_often(counter& what, executor there, std::string& failure, int& answers) {
    const auto here = std::this_thread::get_id();
    for (int i = 0; i < 200; ++i) {
        std::function<task<answers_of_one>()> ask = [&what] { return what.next(1); };
        const auto got = co_await call_on(there, std::move(ask));
        answers += got.size() == 1 && std::this_thread::get_id() == here ? 1 : 0;
    }
    std::function<task<answers_of_one>()> bad = [&what] { return what.next(-1); };
    try {
        co_await call_on(there, std::move(bad));
    } catch (const std::runtime_error& e) {
        failure = e.what();
    }
}

task<> be_home(counter& what) {
    what.note_thread();
    co_return;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(calls_between_shards)

BOOST_AUTO_TEST_CASE(run_over_there_and_come_back_with_results_and_failures) {
    counter what;
    std::array<std::string, 3> failures;
    std::array<int, 3> answers{};
    run_options options;
    options.handle_signals = false;
    const auto root = [&](unsigned shard, context&, const std::vector<executor>& all) {
        return shard == 0 ? be_home(what) : call_often(what, all[0], failures[shard], answers[shard]);
    };
    const auto report = run_sharded(3, root, options);
    BOOST_TEST((report.how == ending::finished), report.what);
    BOOST_TEST(what.calls == 400);
    BOOST_TEST(!what.strayed);
    for (const unsigned shard : {1U, 2U}) {
        BOOST_TEST(answers[shard] == 200);
        BOOST_TEST(failures[shard] == "negative");
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace firehose
