/// Host names to addresses, cached, without ever blocking the shard.
#pragma once
#include "pipeline/error.hpp"
#include "pipeline/stage.hpp"

#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace firehose::http {

using addresses = std::vector<boost::asio::ip::address>;

/// Blocks until it knows; runs on the blocking pool, also several at once. The error's context is a reason,
/// "the name has no address".
using name_lookup = std::function<result<addresses>(const std::string& host)>;

/// Numeric hosts are answered at once. Names are looked up on the blocking pool, one look-up per
/// name at a time whoever asks; a caller stops waiting at its deadline or when it is cancelled, the
/// look-up goes on and serves the next. Single shard.
class resolver {
public:
    /// Without `names` the system's.
    resolver(context& shard, std::chrono::milliseconds believe, name_lookup names = {});
    ~resolver();

    task<result<addresses>> lookup(const std::string& host, time_source::steady deadline);
    /// None of the addresses worked: ask again next time.
    void forget(const std::string& host);

private:
    struct entry;
    void start(const std::string& host, const std::shared_ptr<entry>& into);
    context& shard_;
    std::chrono::milliseconds believe_;
    name_lookup names_;
    std::map<std::string, std::shared_ptr<entry>> known_;
};

}  // namespace firehose::http
