#include "storage/azure_blocks.hpp"

#include "http/digest.hpp"
#include "http/random_hex.hpp"
#include "pipeline/bytes.hpp"
#include "storage/azure_labels.hpp"

#include <pugixml.hpp>

#include <utility>

namespace firehose::storage {

namespace {

constexpr std::uint64_t largest_block = std::uint64_t{4000} << 20;

}  // namespace

azure_blocks::azure_blocks(std::shared_ptr<azure_container> in, std::string key, const put_options& how)
    : in_(std::move(in)), key_(std::move(key)), how_(how), nonce_(http::random_hex(in_->shard.random, 8)) {}

/// All ids of a blob must have one length.
std::string azure_blocks::block_id(int number) const {
    std::string digits = std::to_string(number);
    digits.insert(0, 8 - digits.size(), '0');
    const std::string id = nonce_ + digits;
    return http::to_base64(as_bytes(id));
}

task<result<>> azure_blocks::put_part(int number, const payload& body, time_source::steady deadline) {
    const auto what = "part " + std::to_string(number) + " of " + key_;
    if (number < 1 || number > most_blocks)
        co_return in_->explain("PUT", what, error(disposition::park, "parts are numbered 1 to 50000"));
    auto req = in_->about("PUT", key_, "comp=block&blockid=" + http::encode_query(block_id(number)));
    req.body = body;
    const std::uint64_t size = http::body_size(req);
    if (size == 0 || size > largest_block)
        co_return in_->explain("PUT", what, error(disposition::park, "a part has 1 byte to 4000 MiB"));
    const auto there = found_.find(number);
    if (there != found_.end() && there->second == size) co_return result<>();
    add_checksum(req.headers, in_->settings, body);
    auto answer = co_await in_->retrying.send(req, deadline);
    if (!answer.has_value()) co_return in_->explain("PUT", what, answer.error());
    stored_[number] = size;
    co_return result<>();
}

task<result<object_info>> azure_blocks::complete(time_source::steady deadline) {
    // Latest: a repeat, after an answer that was lost, finds the blocks among the committed ones.
    std::string blocks = "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>";
    std::uint64_t size = 0;
    for (const auto& [number, length] : stored_) {
        blocks.append("<Latest>").append(block_id(number)).append("</Latest>");
        size += length;
    }
    blocks.append("</BlockList>");
    auto req = in_->about("PUT", key_, "comp=blocklist");
    req.body.emplace_back(as_bytes(blocks));
    req.headers.emplace_back("Content-Type", "application/xml");
    req.headers.emplace_back("Content-MD5", http::to_base64(http::md5(req.body)));
    req.headers.emplace_back("x-ms-blob-content-type", how_.content_type);
    add_labels(req.headers, in_->settings, how_);
    if (how_.only_if_absent) req.headers.emplace_back("If-None-Match", "*");
    auto answer = co_await in_->retrying.send(req, deadline);
    if (answer.has_value()) co_return object_info{key_, size, etag_of(*answer)};
    const auto& why = answer.error();
    if (how_.only_if_absent && says_already_there(why.status(), why.provider_code()))
        co_return object_info{key_, size, {}};
    co_return in_->explain("PUT", key_, why);
}

task<> azure_blocks::abort() {
    stored_.clear();
    found_.clear();
    co_return;
}

/// Of other uploads of the same key, blocks have other names.
void azure_blocks::take_listed(std::string_view listing) {
    pugi::xml_document document;
    document.load_buffer(listing.data(), listing.size(), pugi::parse_default, pugi::encoding_utf8);
    for (const auto block : document.child("BlockList").child("UncommittedBlocks").children("Block")) {
        const auto bytes = http::from_base64(block.child_value("Name"));
        const auto size = whole_number(block.child_value("Size"));
        if (!bytes || !size) continue;
        const auto id = as_text(*bytes);
        if (id.size() != nonce_.size() + 8 || !id.starts_with(nonce_)) continue;
        const auto number = whole_number(id.substr(nonce_.size()));
        if (number && *number <= most_blocks) found_[static_cast<int>(*number)] = *size;
    }
    stored_ = found_;
}

task<result<>> azure_blocks::resume(std::string token, time_source::steady deadline) {
    nonce_ = std::move(token);
    auto req = in_->about("GET", key_, "blocklisttype=uncommitted&comp=blocklist");
    auto answer = co_await in_->retrying.send(req, deadline);
    const bool absent = !answer.has_value() && answer.error().status() == 404;
    if (!answer.has_value() && !absent) co_return in_->explain("GET", key_, answer.error());
    if (answer.has_value()) take_listed(answer->body);
    if (!found_.empty()) co_return result<>();
    error_details d;
    d.provider_code = no_such_upload;
    d.context = "Azure holds no blocks of this upload any more";
    co_return in_->explain("PUT", key_, error(disposition::retry, std::move(d)));
}

}  // namespace firehose::storage
