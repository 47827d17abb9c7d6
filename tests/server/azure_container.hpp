/// A container of its own on the Azure server that CTest started.
#pragma once
#include "http/client.hpp"
#include "storage/azure_store.hpp"
#include "tests/contract/real_shard.hpp"

#include <map>
#include <memory>
#include <string>

namespace firehose::azure_test {

/// The lines of the file that AZURE_ENV_FILE names. Throws when there is no server to test with.
const std::map<std::string, std::string>& environment();

enum class scheme { http, https };

/// With the account's key.
storage::credential working_credential(scheme how);

/// A SAS of the whole account: permissions like "rwdlc", resource types like "co", end like
/// "2099-01-01T00:00:00Z". Not encoded.
std::string account_sas(const std::string& permissions, const std::string& types, const std::string& end);

/// A SAS of one container and what is in it, likewise.
std::string container_sas(const std::string& container, const std::string& permissions,
                          const std::string& end);

/// working_credential() with a SAS in the key's place.
storage::credential sas_credential(scheme how, const std::string& sas);

/// A shard, a client and a new, empty container.
class azure_container_fixture {
public:
    explicit azure_container_fixture(scheme how, http::client_options client = {});

    context& shard() { return shard_.x; }
    const std::string& name() const { return name_; }
    storage::credential credential{};
    storage::destination_settings settings{};        ///< of stores made from now on
    storage::credential_sources* sources = nullptr;  ///< likewise

    std::unique_ptr<storage::store> store() { return store_with(credential, name_); }
    std::unique_ptr<storage::store> store_with(const storage::credential& with, const std::string& container);

    /// Runs to the end and leaves no connection open.
    template <class T> T run(task<T> work) { return shard_.run(and_close(std::move(work))); }
    template <class T> task<T> and_close(task<T> work) {
        auto value = co_await std::move(work);
        client_.close_idle();
        co_return value;
    }

    /// HEAD and GET, past the store.
    task<result<http::response>> head(std::string key);
    task<result<http::response>> get(std::string key);
    task<result<std::string>> read(std::string key);
    http::client& client() { return client_; }

private:
    task<result<http::response>> ask(std::string method, std::string path);
    contract::real_shard shard_;
    http::client client_;
    std::string name_;
};

}  // namespace firehose::azure_test
