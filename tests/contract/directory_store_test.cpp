#include "storage/directory_store.hpp"
#include "tests/contract/real_shard.hpp"
#include "tests/contract/store_contract.hpp"
#include "tests/contract/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>

using namespace firehose;

namespace {

void check(std::size_t sync_together_from) {
    const contract::temporary_directory base;
    contract::real_shard shard;
    storage::directory_options options;
    options.sync_together_from = sync_together_from;
    options.page_size = 5;
    {
        storage::directory_store s(shard.x, base.path, "data/out", options);
        contract::store_options how;
        how.read = [root = base.path / "data/out"](std::string key) -> task<result<std::string>> {
            co_return contract::read_file(root / key);
        };
        const auto broken = shard.run(contract::check_store(s, shard.x, how));
        for (const auto& sentence : broken) BOOST_ERROR(sentence);
    }
    for (const auto& left : std::filesystem::recursive_directory_iterator(base.path))
        BOOST_TEST(left.is_directory(), left.path() << " is left");
    BOOST_TEST(!std::filesystem::exists(base.path / "data/out/.firehose-tmp"));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(directory_store)

BOOST_AUTO_TEST_CASE(keeps_the_contract_when_it_syncs_files_together) { check(8); }
BOOST_AUTO_TEST_CASE(keeps_the_contract_when_it_syncs_every_file) { check(100'000); }

BOOST_AUTO_TEST_SUITE_END()
