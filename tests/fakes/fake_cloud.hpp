/// What the fake clouds have in common: a transport without sockets that signs, arrives, and meets faults.
#pragma once
#include "http/signer.hpp"
#include "http/transport.hpp"
#include "http/url.hpp"
#include "pipeline/stage.hpp"
#include "storage/registry.hpp"
#include "tests/fakes/fault_script.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firehose::fakes {

/// A request as it arrived: the bytes are copies. The operations are
///     put  head  get  list  remove  check (of the bucket or container)
///     start_multipart  put_part  complete  abort  list_parts      (of S3; Azure's blocks: put_part,
///                                                                  complete, list_parts)
/// and "other", which is refused.
struct fake_request {
    http::authority to{};
    std::string host{};  ///< of the Host header
    std::string method{};
    std::string target{};  ///< as on the request line
    std::string path{};    ///< as on the request line, without the query
    http::header_list headers{};
    std::string body{};
    std::vector<std::pair<std::string, std::string>> parameters{};  ///< of the query, decoded

    std::string operation{};
    std::string bucket{};  ///< or container
    std::string key{};     ///< decoded

    /// "" when it is not there.
    std::string header(std::string_view name) const;
    /// Nothing when it is not there.
    std::optional<std::string> parameter(std::string_view name) const;
    std::string_view query() const;
};

/// Whether a request has its effect; an answer is made either way.
enum class effect : std::uint8_t { carried_out, none };

/// The contract of http::transport holds for what transports() makes. Requests are signed by their signer,
/// as http::client does; then a turn of the shard passes, then the latency, then `faults` decide. An object
/// is stored in one moment, after the waiting; cancelled before it, nothing happens. A deadline that comes
/// first is the transport's usual error. All waiting is the context's: in virtual time nothing sleeps.
/// Single shard; outlives the transports and the stores above them.
class fake_cloud {
public:
    explicit fake_cloud(context& shard);
    virtual ~fake_cloud() = default;
    fake_cloud(const fake_cloud&) = delete;
    fake_cloud& operator=(const fake_cloud&) = delete;

    /// In the place of http::client::transports().
    http::transport_factory transports();
    /// A kind of store whose stores talk to this cloud; for a registry. Checks stay those of `real`.
    storage::store_kind kind(storage::store_kind real);

    fault_script faults{};
    std::chrono::milliseconds latency{0};          ///< of every request
    time_source::wall::duration clock_ahead{};     ///< of the server's clock
    std::map<std::string, std::uint64_t> calls{};  ///< by operation, as far as they arrived
    std::deque<fake_request> seen{};               ///< the last ones, newest last
    std::size_t keep_seen = 100;

protected:
    /// Fills operation, bucket and key.
    virtual void classify(fake_request& r) const = 0;
    virtual http::response serve(const fake_request& r, effect how) = 0;
    virtual http::response refuse(const fake_request& r, int status, std::string_view code,
                                  std::string_view message) = 0;
    virtual http::response expired(const fake_request& r) = 0;
    virtual http::response redirect(const fake_request& r, const std::string& region) = 0;

    time_source::wall server_time() const { return shard_.time.wall_now() + clock_ahead; }
    /// 16 digits, different for each answer.
    std::string next_id();

private:
    class line;  ///< one transport
    task<result<http::response>> receive(const http::authority& to, http::signer* by, http::request& req,
                                         time_source::steady deadline);
    fake_request arrive(const http::authority& to, const http::request& req) const;
    void remember(const fake_request& r);
    http::response answer(const fake_request& r, const fault_effect* fault);

    context& shard_;
    time_source::steady born_;
    std::uint64_t answers_ = 0;
};

/// `text` as XML character data.
std::string xml_text(std::string_view text);

/// Of the headers named `prefix…` and those of `names`, for keeping them with an object.
http::header_list kept_headers(const http::header_list& headers, std::string_view prefix,
                               std::initializer_list<std::string_view> names);

/// A plain answer.
http::response plain_answer(int status, std::string body = {}, http::header_list headers = {});

/// "bytes=2-5" or "bytes=2-" of a body, as a 206, or a 416; the whole as a 200 for anything else.
http::response ranged_answer(const std::string& body, const std::string& range);

}  // namespace firehose::fakes
