#include "tests/fakes/fake_azure.hpp"

#include "http/digest.hpp"
#include "storage/provider_answer.hpp"
#include "tests/fakes/azure_request_check.hpp"

#include <pugixml.hpp>

#include <algorithm>
#include <stdexcept>

namespace firehose::fakes {
namespace {

constexpr std::string_view domain = ".blob.fake.invalid";

std::string operation_of(const fake_request& r) {
    const auto comp = r.parameter("comp").value_or("");
    if (r.key.empty()) {
        if (r.parameter("restype") != "container") return "other";
        if (comp == "list") return r.method == "GET" ? "list" : "other";
        return comp.empty() && (r.method == "GET" || r.method == "HEAD") ? "check" : "other";
    }
    if (comp == "block" && r.method == "PUT") return "put_part";
    if (comp == "blocklist")
        return r.method == "PUT" ? "complete" : r.method == "GET" ? "list_parts" : "other";
    if (!comp.empty()) return "other";
    if (r.method == "PUT") return "put";
    if (r.method == "HEAD") return "head";
    if (r.method == "GET") return "get";
    return r.method == "DELETE" ? "remove" : "other";
}

http::header_list blob_headers(const fake_request& r) {
    auto out = kept_headers(r.headers, "x-ms-meta-", {"x-ms-access-tier", "x-ms-tags"});
    const auto keep = [&](const char* as, const char* own, const char* plain) {
        // A block list's Content-Type is that of the list.
        auto value = r.header(own);
        if (value.empty() && r.operation == "put") value = r.header(plain);
        if (!value.empty()) out.emplace_back(as, value);
    };
    keep("Content-Type", "x-ms-blob-content-type", "Content-Type");
    keep("Content-Encoding", "x-ms-blob-content-encoding", "Content-Encoding");
    return out;
}

std::string in_quotes(const std::string& etag) { return "\"" + etag + "\""; }

bool already_there(const fake_request& r, const azure_blobs& in) {
    return r.header("If-None-Match") == "*" && in.objects.contains(r.key);
}

/// A name as the listing has it: encoded when XML cannot hold it.
std::string listed_name(const std::string& key) {
    const bool plain = std::ranges::all_of(key, [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
    if (plain && key.find("\xEF\xBF") == std::string::npos) return "<Name>" + xml_text(key) + "</Name>";
    return "<Name Encoded=\"true\">" + http::encode_query(key) + "</Name>";
}

const std::string* block_of(const azure_blob& blob, const std::string& id) {
    const auto found = std::ranges::find(blob.blocks, id, &std::pair<std::string, std::string>::first);
    return found == blob.blocks.end() ? nullptr : &found->second;
}

/// The bytes of the block that an element of a list names; null when there is none.
const std::string* find_block(std::string_view kind, const std::string& id, const azure_blob* committed,
                              const std::map<std::string, std::string>* waiting) {
    if (kind != "Committed" && waiting != nullptr) {
        const auto found = waiting->find(id);
        if (found != waiting->end()) return &found->second;
    }
    return kind != "Uncommitted" && committed != nullptr ? block_of(*committed, id) : nullptr;
}

}  // namespace

fake_azure::fake_azure(context& shard) : fake_cloud(shard) {}

azure_blobs& fake_azure::container(std::string_view name) {
    const auto found = containers_.find(name);
    if (found == containers_.end()) throw std::out_of_range("no container " + std::string(name));
    return found->second;
}

storage::credential fake_azure::credential(std::string id) const {
    storage::credential c;
    c.id = std::move(id);
    c.type = "token";
    c.token = storage::secret("BlobEndpoint=https://" + account + std::string(domain) +
                              ";AccountName=" + account + ";AccountKey=" + key_base64);
    return c;
}

storage::credential fake_azure::credential_by_sas(const azure_sas& how, std::string id) const {
    auto c = credential(std::move(id));
    c.token = storage::secret("BlobEndpoint=https://" + account + std::string(domain) +
                              ";SharedAccessSignature=" + signed_sas(how, account, key_base64));
    return c;
}

void fake_azure::classify(fake_request& r) const {
    auto rest = std::string_view(r.path);
    if (rest.starts_with('/')) rest.remove_prefix(1);
    const bool by_host = r.to.host.starts_with(account + ".");
    if (!by_host && rest.starts_with(account + "/")) rest.remove_prefix(account.size() + 1);
    const auto slash = std::min(rest.find('/'), rest.size());
    r.bucket = http::decode_percent(rest.substr(0, slash));
    r.key = http::decode_percent(rest.substr(std::min(slash + 1, rest.size())));
    r.operation = operation_of(r);
}

http::response fake_azure::serve(const fake_request& r, effect how) {
    const azure_access with{account, key_base64, bearer_tokens};
    auto wrong = check_azure_access(r, with, server_time());
    const auto found = containers_.find(r.bucket);
    if (!wrong && found == containers_.end())
        wrong = azure_refusal{404, "ContainerNotFound", "The specified container does not exist."};
    if (!wrong) wrong = check_azure_body(r);
    if (wrong) return refuse(r, wrong->status, wrong->code, wrong->message);
    return perform(r, found->second, how);
}

http::response fake_azure::perform(const fake_request& r, azure_blobs& in, effect how) {
    if (r.operation == "put") return put(r, in, how);
    if (r.operation == "get" || r.operation == "head") return get(r, in);
    if (r.operation == "list") return list(r, in);
    if (r.operation == "remove") return remove(r, in, how);
    if (r.operation == "check") return success(200);
    if (r.operation == "put_part") return put_block(r, in, how);
    if (r.operation == "complete") return put_block_list(r, in, how);
    if (r.operation == "list_parts") return get_block_list(r, in);
    return refuse(r, 501, "NotImplemented", "This fake does not know the operation.");
}

http::response fake_azure::success(int status, http::header_list headers, std::string body) {
    headers.emplace_back("x-ms-request-id", "fake-" + next_id());
    if (!body.empty()) headers.emplace_back("Content-Type", "application/xml");
    return plain_answer(status, std::move(body), std::move(headers));
}

http::response fake_azure::refuse(const fake_request&, int status, std::string_view code,
                                  std::string_view message) {
    const auto id = "fake-" + next_id();
    auto reply = plain_answer(status, {}, {{"x-ms-request-id", id}, {"Content-Type", "application/xml"}});
    if (code.empty()) return reply;
    reply.headers.emplace_back("x-ms-error-code", code);
    reply.body = "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>" + xml_text(code) +
                 "</Code><Message>" + xml_text(message) + "\nRequestId:" + id + "</Message></Error>";
    return reply;
}

http::response fake_azure::expired(const fake_request& r) {
    const bool bearer = r.header("Authorization").starts_with("Bearer ");
    return bearer ? refuse(r, 401, "InvalidAuthenticationInfo",
                           "Lifetime validation failed. The token is expired.")
                  : refuse(r, 403, "AuthenticationFailed", "Signature not valid in the specified time frame");
}

http::response fake_azure::redirect(const fake_request& r, const std::string& region) {
    auto reply = refuse(r, 307, "", "");
    reply.headers.emplace_back("Location",
                               "https://" + account + "-" + region + std::string(domain) + r.path);
    return reply;
}

std::string fake_azure::next_etag() { return "0x8DE" + next_id(); }

http::response fake_azure::put(const fake_request& r, azure_blobs& in, effect how) {
    if (r.header("x-ms-blob-type") != "BlockBlob")
        return refuse(r, 400, "InvalidHeaderValue", "x-ms-blob-type must be BlockBlob");
    if (already_there(r, in))
        return refuse(r, 409, "BlobAlreadyExists", "The specified blob already exists.");
    azure_blob blob{r.body, next_etag(), blob_headers(r), {}};
    auto reply = success(201, {{"ETag", in_quotes(blob.etag)}});
    if (how == effect::carried_out) {
        in.objects.insert_or_assign(r.key, std::move(blob));
        in.uncommitted.erase(r.key);
    }
    return reply;
}

http::response fake_azure::get(const fake_request& r, const azure_blobs& in) {
    const auto found = in.objects.find(r.key);
    if (found == in.objects.end())
        return refuse(r, 404, "BlobNotFound", "The specified blob does not exist.");
    const auto& blob = found->second;
    auto range = r.header("x-ms-range");
    if (range.empty()) range = r.header("Range");
    const auto match = r.header("If-Match");
    if (!match.empty() && storage::unquoted(match) != blob.etag)
        return refuse(r, 412, "ConditionNotMet",
                      "The condition specified using HTTP conditional header(s) is not met.");
    auto reply = ranged_answer(blob.body, r.operation == "get" ? range : std::string());
    if (reply.status == 416) {
        auto refused = refuse(r, 416, "InvalidRange",
                              "The range specified is invalid for the current size of the resource.");
        refused.headers.insert(refused.headers.end(), reply.headers.begin(), reply.headers.end());
        return refused;
    }
    reply.headers.insert(reply.headers.end(), blob.headers.begin(), blob.headers.end());
    reply.headers.emplace_back("ETag", in_quotes(blob.etag));
    reply.headers.emplace_back("x-ms-blob-type", "BlockBlob");
    reply.headers.emplace_back("x-ms-request-id", "fake-" + next_id());
    return reply;
}

http::response fake_azure::list(const fake_request& r, const azure_blobs& in) {
    if (r.parameter("delimiter")) return refuse(r, 501, "NotImplemented", "There is no delimiter here.");
    const auto prefix = r.parameter("prefix").value_or("");
    const auto marker = r.parameter("marker").value_or("");
    const auto asked = storage::whole_number(r.parameter("maxresults").value_or("5000"));
    const auto most = std::min<std::size_t>(page_size, asked.value_or(5000));
    auto at = marker.empty() ? in.objects.lower_bound(prefix) : in.objects.lower_bound(marker);
    std::string items;
    for (std::size_t count = 0; at != in.objects.end() && at->first.starts_with(prefix) && count < most;
         ++at, ++count)
        items += "<Blob>" + listed_name(at->first) + "<Properties><Content-Length>" +
                 std::to_string(at->second.body.size()) + "</Content-Length><Etag>" +
                 xml_text(at->second.etag) + "</Etag><BlobType>BlockBlob</BlobType></Properties></Blob>";
    const bool more = at != in.objects.end() && at->first.starts_with(prefix);
    return success(200, {},
                   "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ContainerName=\"" +
                       xml_text(r.bucket) + "\"><Prefix>" + xml_text(prefix) + "</Prefix><Blobs>" + items +
                       "</Blobs><NextMarker>" + (more ? xml_text(at->first) : std::string()) +
                       "</NextMarker></EnumerationResults>");
}

http::response fake_azure::remove(const fake_request& r, azure_blobs& in, effect how) {
    if (!in.objects.contains(r.key))
        return refuse(r, 404, "BlobNotFound", "The specified blob does not exist.");
    if (how == effect::carried_out) in.objects.erase(r.key);
    return success(202);
}

http::response fake_azure::put_block(const fake_request& r, azure_blobs& in, effect how) {
    const auto id = r.parameter("blockid").value_or("");
    const auto raw = http::from_base64(id);
    if (!raw || raw->empty() || raw->size() > 64)
        return refuse(r, 400, "InvalidQueryParameterValue", "blockid must be base64 of at most 64 bytes");
    if (r.body.empty()) return refuse(r, 400, "InvalidHeaderValue", "Content-Length must not be 0");
    const auto there = in.uncommitted.find(r.key);
    if (there != in.uncommitted.end() && !there->second.empty() &&
        there->second.begin()->first.size() != id.size())
        return refuse(r, 400, "InvalidBlobOrBlock", "The specified blob or block content is invalid.");
    if (how == effect::carried_out) in.uncommitted[r.key].insert_or_assign(id, r.body);
    return success(201);
}

http::response fake_azure::put_block_list(const fake_request& r, azure_blobs& in, effect how) {
    pugi::xml_document document;
    if (!document.load_buffer(r.body.data(), r.body.size()) || !document.child("BlockList"))
        return refuse(r, 400, "InvalidXmlDocument", "The specified XML is not syntactically valid.");
    if (already_there(r, in))
        return refuse(r, 409, "BlobAlreadyExists", "The specified blob already exists.");
    const auto committed = in.objects.find(r.key);
    const auto waiting = in.uncommitted.find(r.key);
    azure_blob blob{{}, next_etag(), blob_headers(r), {}};
    for (const auto named : document.child("BlockList").children()) {
        const std::string id = named.child_value();
        const auto* bytes =
            find_block(named.name(), id, committed == in.objects.end() ? nullptr : &committed->second,
                       waiting == in.uncommitted.end() ? nullptr : &waiting->second);
        if (bytes == nullptr)
            return refuse(r, 400, "InvalidBlockList", "The specified block list is invalid.");
        blob.body += *bytes;
        blob.blocks.emplace_back(id, *bytes);
    }
    auto reply = success(201, {{"ETag", in_quotes(blob.etag)}});
    if (how == effect::carried_out) {
        in.objects.insert_or_assign(r.key, std::move(blob));
        in.uncommitted.erase(r.key);
    }
    return reply;
}

http::response fake_azure::get_block_list(const fake_request& r, const azure_blobs& in) {
    const auto row = [](const std::string& id, const std::string& bytes) {
        return "<Block><Name>" + xml_text(id) + "</Name><Size>" + std::to_string(bytes.size()) +
               "</Size></Block>";
    };
    std::string committed, waiting;
    const auto blob = in.objects.find(r.key);
    const auto blocks = in.uncommitted.find(r.key);
    if (blob == in.objects.end() && blocks == in.uncommitted.end())
        return refuse(r, 404, "BlobNotFound", "The specified blob does not exist.");
    if (blob != in.objects.end())
        for (const auto& [id, bytes] : blob->second.blocks) committed += row(id, bytes);
    if (blocks != in.uncommitted.end())
        for (const auto& [id, bytes] : blocks->second) waiting += row(id, bytes);
    return success(200, {},
                   "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><CommittedBlocks>" + committed +
                       "</CommittedBlocks><UncommittedBlocks>" + waiting +
                       "</UncommittedBlocks></BlockList>");
}

}  // namespace firehose::fakes
