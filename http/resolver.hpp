/// Host names to addresses, cached, without ever blocking the shard.
#pragma once
#include "pipeline/error.hpp"
#include "pipeline/stage.hpp"

#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace firehose::http {

using addresses = std::vector<boost::asio::ip::address>;

/// Numeric hosts are answered at once. Names are looked up on the blocking pool, one look-up per
/// name at a time whoever asks; a caller stops waiting at its deadline or when it is cancelled, the
/// look-up goes on and serves the next. Single shard.
class resolver {
public:
    resolver(context& shard, std::chrono::milliseconds believe);
    ~resolver();

    task<result<addresses>> lookup(const std::string& host, time_source::steady deadline);
    /// None of the addresses worked: ask again next time.
    void forget(const std::string& host);

private:
    struct entry;
    void start(const std::string& host, const std::shared_ptr<entry>& into);
    context& shard_;
    std::chrono::milliseconds believe_;
    std::map<std::string, std::shared_ptr<entry>> known_;
};

}  // namespace firehose::http
