#include "tests/fakes/fake_s3.hpp"

#include "http/date.hpp"
#include "http/digest.hpp"
#include "pipeline/bytes.hpp"
#include "storage/provider_answer.hpp"
#include "storage/s3_location.hpp"
#include "tests/fakes/checksums.hpp"
#include "tests/fakes/s3_request_check.hpp"

#include <pugixml.hpp>

#include <algorithm>

namespace firehose::fakes {
namespace {

constexpr std::string_view first_user = "AKIAFAKEFAKEFAKEFAKE";
constexpr std::string_view host_of_fake = "s3.fake.invalid";
constexpr std::string_view amazon = ".amazonaws.com";

/// "us-east-1" of "bucket.s3.us-east-1.amazonaws.com"; "" of other hosts.
std::string region_of_host(std::string_view host) {
    if (!host.ends_with(amazon)) return {};
    host.remove_suffix(amazon.size());
    const auto service = host.starts_with("s3.") ? 0 : host.find(".s3.");
    if (service == std::string_view::npos) return {};
    return std::string(host.substr(host.find("s3.", service) + 3));
}

/// The bucket of a virtual host; "" in path style.
std::string bucket_of_host(std::string_view host) {
    for (const auto mark : {std::string_view(".s3."), std::string_view(".s3-")}) {
        const auto at = host.find(mark);
        if (at != std::string_view::npos) return std::string(host.substr(0, at));
    }
    return {};
}

http::header_list object_headers(const fake_request& r) {
    return kept_headers(r.headers, "x-amz-meta-",
                        {"Content-Type", "Content-Encoding", "x-amz-storage-class", "x-amz-tagging",
                         "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
                         "x-amz-server-side-encryption-context",
                         "x-amz-server-side-encryption-bucket-key-enabled"});
}

std::string in_quotes(const std::string& etag) { return "\"" + etag + "\""; }

/// "ChecksumCRC32C" and its like with their values, as lists of parts have them.
std::string checksum_elements(const http::header_list& headers) {
    std::string out;
    for (const auto& [name, value] : headers) {
        std::string element = "Checksum";
        for (const char c : std::string_view(name).substr(std::string_view("x-amz-checksum-").size()))
            element += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        out += "<" + element + ">" + value + "</" + element + ">";
    }
    return out;
}

std::string operation_of(const fake_request& r) {
    const bool upload = r.parameter("uploadId").has_value();
    if (r.key.empty()) {
        if (r.method == "HEAD") return "check";
        return r.method == "GET" && r.parameter("list-type") == "2" ? "list" : "other";
    }
    if (r.method == "PUT") return upload ? "put_part" : "put";
    if (r.method == "HEAD") return "head";
    if (r.method == "GET") return upload ? "list_parts" : "get";
    if (r.method == "DELETE") return upload ? "abort" : "remove";
    if (r.method == "POST") return upload ? "complete" : r.parameter("uploads") ? "start_multipart" : "other";
    return "other";
}

/// Number and ETag, in the order of the document.
std::optional<std::vector<std::pair<int, std::string>>> read_completion(const std::string& body) {
    pugi::xml_document document;
    if (!document.load_buffer(body.data(), body.size())) return std::nullopt;
    const auto root = document.child("CompleteMultipartUpload");
    std::vector<std::pair<int, std::string>> out;
    for (const auto part : root.children("Part")) {
        const auto number = storage::whole_number(part.child_value("PartNumber"));
        if (!number || *number > 10'000) return std::nullopt;
        out.emplace_back(static_cast<int>(*number), storage::unquoted(part.child_value("ETag")));
    }
    if (out.empty()) return std::nullopt;
    return out;
}

bool already_there(const fake_request& r, const s3_bucket& in) {
    return r.header("If-None-Match") == "*" && in.objects.contains(r.key);
}

constexpr std::string_view precondition = "At least one of the pre-conditions you specified did not hold";

}  // namespace

fake_s3::fake_s3(context& shard) : fake_cloud(shard) {
    users[std::string(first_user)].secret_access_key =
        storage::secret("fake/secret/of/nobody/40/characters/long");
}

s3_bucket& fake_s3::make_bucket(const std::string& name, std::string region) {
    auto& made = buckets_[name];
    made.region = std::move(region);
    return made;
}

s3_bucket& fake_s3::bucket(std::string_view name) {
    const auto found = buckets_.find(name);
    if (found == buckets_.end()) throw std::out_of_range("no bucket " + std::string(name));
    return found->second;
}

storage::credential fake_s3::credential(std::string id) const {
    storage::credential c;
    c.id = std::move(id);
    c.type = "user";
    c.username = first_user;
    c.password = users.at(std::string(first_user)).secret_access_key;
    c.session_token = storage::secret(users.at(std::string(first_user)).session_token);
    c.endpoint = "https://" + std::string(host_of_fake);
    return c;
}

void fake_s3::classify(fake_request& r) const {
    auto rest = std::string_view(r.path);
    if (rest.starts_with('/')) rest.remove_prefix(1);
    r.bucket = bucket_of_host(r.to.host);
    if (r.bucket.empty()) {
        const auto slash = std::min(rest.find('/'), rest.size());
        r.bucket = http::decode_percent(rest.substr(0, slash));
        rest.remove_prefix(std::min(slash + 1, rest.size()));
    }
    r.key = http::decode_percent(rest);
    r.operation = operation_of(r);
}

http::response fake_s3::serve(const fake_request& r, effect how) {
    const auto found = buckets_.find(r.bucket);
    const auto in_host = region_of_host(r.to.host);
    // Without a bucket the signature is held against the region that the client took for right.
    auto region = found != buckets_.end() ? found->second.region : in_host;
    if (region.empty()) region = "us-east-1";
    if (!in_host.empty() && in_host != region) return wrong_region(r, region);
    auto wrong = check_s3_signature(r, users, region, server_time());
    if (!wrong && found == buckets_.end())
        wrong = s3_refusal{404, "NoSuchBucket", "The specified bucket does not exist", {}};
    if (!wrong) wrong = check_s3_body(r);
    if (!wrong) {
        const auto user = users.find(s3_user_of(r));
        if (user->second.read_only && r.method != "GET" && r.method != "HEAD")
            wrong = s3_refusal{403, "AccessDenied", "Access Denied", {}};
    }
    if (!wrong) return perform(r, found->second, how);
    auto reply = refuse(r, wrong->status, wrong->code, wrong->message);
    if (wrong->region.empty()) return reply;
    const auto end = reply.body.rfind("</Error>");
    if (end != std::string::npos) reply.body.insert(end, "<Region>" + wrong->region + "</Region>");
    if (r.method == "HEAD") reply.headers.emplace_back("x-amz-bucket-region", wrong->region);
    return reply;
}

http::response fake_s3::perform(const fake_request& r, s3_bucket& in, effect how) {
    if (r.operation == "put") return put(r, in, how);
    if (r.operation == "get" || r.operation == "head") return get(r, in);
    if (r.operation == "list") return list(r, in);
    if (r.operation == "remove") return remove(r, in, how);
    if (r.operation == "check") return success({{"x-amz-bucket-region", in.region}});
    if (r.operation == "start_multipart") return start_multipart(r, how);
    if (r.operation == "put_part") return put_part(r, how);
    if (r.operation == "list_parts") return list_parts(r);
    if (r.operation == "complete") return complete(r, in, how);
    if (r.operation == "abort") return abort(r, how);
    return refuse(r, 501, "NotImplemented",
                  "A header or query you provided implies functionality that is not implemented");
}

http::response fake_s3::success(http::header_list headers, std::string body) {
    headers.emplace_back("x-amz-request-id", "FAKE" + next_id());
    if (!body.empty()) headers.emplace_back("Content-Type", "application/xml");
    return plain_answer(200, std::move(body), std::move(headers));
}

http::response fake_s3::refuse(const fake_request& r, int status, std::string_view code,
                               std::string_view message) {
    const auto id = "FAKE" + next_id();
    auto reply = plain_answer(status, {}, {{"x-amz-request-id", id}, {"Content-Type", "application/xml"}});
    if (code.empty()) return reply;
    reply.body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + xml_text(code) +
                 "</Code><Message>" + xml_text(message) + "</Message><Resource>" + xml_text(r.path) +
                 "</Resource><RequestId>" + id + "</RequestId></Error>";
    return reply;
}

http::response fake_s3::expired(const fake_request& r) {
    return refuse(r, 400, "ExpiredToken", "The provided token has expired.");
}

http::response fake_s3::wrong_region(const fake_request& r, const std::string& region) {
    auto reply =
        refuse(r, 301, "PermanentRedirect",
               "The bucket you are attempting to access must be addressed using the specified endpoint.");
    reply.headers.emplace_back("x-amz-bucket-region", region);
    return reply;
}

http::response fake_s3::redirect(const fake_request& r, const std::string& region) {
    return wrong_region(r, region);
}

http::response fake_s3::put(const fake_request& r, s3_bucket& in, effect how) {
    if (r.key.size() > 1024) return refuse(r, 400, "KeyTooLongError", "Your key is too long");
    if (already_there(r, in)) return refuse(r, 412, "PreconditionFailed", precondition);
    s3_object object{r.body, md5_hex(r.body), object_headers(r)};
    auto reply = success({{"ETag", in_quotes(object.etag)}});
    if (how == effect::carried_out) in.objects.insert_or_assign(r.key, std::move(object));
    return reply;
}

http::response fake_s3::get(const fake_request& r, const s3_bucket& in) {
    const auto found = in.objects.find(r.key);
    if (found == in.objects.end()) return refuse(r, 404, "NoSuchKey", "The specified key does not exist.");
    const auto& object = found->second;
    const auto match = r.header("If-Match");
    if (!match.empty() && storage::unquoted(match) != object.etag)
        return refuse(r, 412, "PreconditionFailed", precondition);
    auto reply = ranged_answer(object.body, r.operation == "get" ? r.header("Range") : std::string());
    if (reply.status == 416) {
        auto refused = refuse(r, 416, "InvalidRange", "The requested range is not satisfiable");
        refused.headers.insert(refused.headers.end(), reply.headers.begin(), reply.headers.end());
        return refused;
    }
    for (const auto& header : object.headers)
        if (!http::same_name(header.first, "x-amz-tagging")) reply.headers.push_back(header);
    reply.headers.emplace_back("ETag", in_quotes(object.etag));
    reply.headers.emplace_back("x-amz-request-id", "FAKE" + next_id());
    return reply;
}

http::response fake_s3::list(const fake_request& r, const s3_bucket& in) {
    if (r.parameter("delimiter")) return refuse(r, 501, "NotImplemented", "There is no delimiter here");
    const auto prefix = r.parameter("prefix").value_or("");
    const auto from = r.parameter("continuation-token");
    const auto asked = storage::whole_number(r.parameter("max-keys").value_or("1000"));
    const auto most = std::min<std::size_t>(page_size, asked.value_or(1000));
    const bool encoded = r.parameter("encoding-type") == "url";
    const auto name = [encoded](const std::string& key) {
        return encoded ? http::encode_path(key) : xml_text(key);
    };
    auto at = from ? in.objects.upper_bound(*from) : in.objects.lower_bound(prefix);
    std::string items, last;
    std::size_t count = 0;
    for (; at != in.objects.end() && at->first.starts_with(prefix) && count < most; ++at, ++count) {
        items += "<Contents><Key>" + name(at->first) +
                 "</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>" +
                 xml_text(in_quotes(at->second.etag)) + "</ETag><Size>" +
                 std::to_string(at->second.body.size()) +
                 "</Size><StorageClass>STANDARD</StorageClass></Contents>";
        last = at->first;
    }
    const bool more = at != in.objects.end() && at->first.starts_with(prefix);
    std::string body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
                       "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>" +
                       xml_text(r.bucket) + "</Name><Prefix>" + name(prefix) + "</Prefix><KeyCount>" +
                       std::to_string(count) + "</KeyCount><MaxKeys>" + std::to_string(most) + "</MaxKeys>";
    if (encoded) body += "<EncodingType>url</EncodingType>";
    body += more ? "<IsTruncated>true</IsTruncated><NextContinuationToken>" + xml_text(last) +
                       "</NextContinuationToken>"
                 : "<IsTruncated>false</IsTruncated>";
    return success({}, body + items + "</ListBucketResult>");
}

http::response fake_s3::remove(const fake_request& r, s3_bucket& in, effect how) {
    if (how == effect::carried_out) in.objects.erase(r.key);
    return plain_answer(204, {}, {{"x-amz-request-id", "FAKE" + next_id()}});
}

http::response fake_s3::start_multipart(const fake_request& r, effect how) {
    const auto id = "upload-" + std::to_string(++started_);
    if (how == effect::carried_out) uploads[id] = {r.bucket, r.key, object_headers(r), {}};
    return success({}, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<InitiateMultipartUploadResult><Bucket>" +
                           xml_text(r.bucket) + "</Bucket><Key>" + xml_text(r.key) + "</Key><UploadId>" + id +
                           "</UploadId></InitiateMultipartUploadResult>");
}

s3_upload* fake_s3::upload_of(const fake_request& r) {
    const auto found = uploads.find(r.parameter("uploadId").value_or(""));
    const bool same =
        found != uploads.end() && found->second.bucket == r.bucket && found->second.key == r.key;
    return same ? &found->second : nullptr;
}

constexpr std::string_view no_upload = "The specified upload does not exist. The upload ID may be invalid, "
                                       "or the upload may have been aborted or completed.";

http::response fake_s3::put_part(const fake_request& r, effect how) {
    auto* upload = upload_of(r);
    if (upload == nullptr) return refuse(r, 404, "NoSuchUpload", no_upload);
    const auto number = storage::whole_number(r.parameter("partNumber").value_or(""));
    if (!number || *number < 1 || *number > 10'000)
        return refuse(r, 400, "InvalidArgument",
                      "Part number must be an integer between 1 and 10000, inclusive");
    s3_object part{r.body, md5_hex(r.body), kept_headers(r.headers, "x-amz-checksum-", {})};
    auto reply = success({{"ETag", in_quotes(part.etag)}});
    if (how == effect::carried_out)
        upload->parts.insert_or_assign(static_cast<int>(*number), std::move(part));
    return reply;
}

http::response fake_s3::list_parts(const fake_request& r) {
    const auto* upload = upload_of(r);
    if (upload == nullptr) return refuse(r, 404, "NoSuchUpload", no_upload);
    const auto after = storage::whole_number(r.parameter("part-number-marker").value_or("0")).value_or(0);
    std::string rows;
    std::size_t count = 0;
    int last = 0;
    auto at = upload->parts.upper_bound(static_cast<int>(after));
    for (; at != upload->parts.end() && count < page_size; ++at, ++count) {
        last = at->first;
        rows += "<Part><PartNumber>" + std::to_string(at->first) + "</PartNumber><ETag>" +
                xml_text(in_quotes(at->second.etag)) + "</ETag><Size>" +
                std::to_string(at->second.body.size()) + "</Size>" + checksum_elements(at->second.headers) +
                "</Part>";
    }
    const bool more = at != upload->parts.end();
    return success({}, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListPartsResult><Bucket>" +
                           xml_text(r.bucket) + "</Bucket><Key>" + xml_text(r.key) + "</Key><UploadId>" +
                           r.parameter("uploadId").value_or("") + "</UploadId><IsTruncated>" +
                           (more ? "true" : "false") + "</IsTruncated><NextPartNumberMarker>" +
                           std::to_string(last) + "</NextPartNumberMarker>" + rows + "</ListPartsResult>");
}

http::response fake_s3::complete(const fake_request& r, s3_bucket& in, effect how) {
    auto* upload = upload_of(r);
    if (upload == nullptr) return refuse(r, 404, "NoSuchUpload", no_upload);
    const auto named = read_completion(r.body);
    if (!named)
        return refuse(r, 400, "MalformedXML", "The XML you provided was not well-formed or did not validate");
    if (already_there(r, in)) return refuse(r, 412, "PreconditionFailed", precondition);
    std::string body, digests;
    int before = 0;
    for (const auto& [number, etag] : *named) {
        if (number <= before)
            return refuse(r, 400, "InvalidPartOrder", "The list of parts was not in ascending order.");
        before = number;
        const auto part = upload->parts.find(number);
        if (part == upload->parts.end() || part->second.etag != etag)
            return refuse(r, 400, "InvalidPart", "One or more of the specified parts could not be found.");
        if (number != named->back().first && part->second.body.size() < min_part)
            return refuse(r, 400, "EntityTooSmall",
                          "Your proposed upload is smaller than the minimum allowed size");
        body += part->second.body;
        const auto digest = http::md5(std::vector{as_bytes(part->second.body)});
        digests.append(reinterpret_cast<const char*>(digest.data()), digest.size());
    }
    if (const auto wrong = check_s3_checksums(r.headers, body))
        return refuse(r, wrong->status, wrong->code, wrong->message);
    const auto etag = md5_hex(digests) + "-" + std::to_string(named->size());
    if (how == effect::carried_out) {
        in.objects.insert_or_assign(r.key, s3_object{std::move(body), etag, upload->headers});
        uploads.erase(r.parameter("uploadId").value_or(""));
    }
    return success({}, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CompleteMultipartUploadResult><Bucket>" +
                           xml_text(r.bucket) + "</Bucket><Key>" + xml_text(r.key) + "</Key><ETag>" +
                           xml_text(in_quotes(etag)) + "</ETag></CompleteMultipartUploadResult>");
}

http::response fake_s3::abort(const fake_request& r, effect how) {
    if (upload_of(r) == nullptr) return refuse(r, 404, "NoSuchUpload", no_upload);
    if (how == effect::carried_out) uploads.erase(r.parameter("uploadId").value_or(""));
    return plain_answer(204, {}, {{"x-amz-request-id", "FAKE" + next_id()}});
}

}  // namespace firehose::fakes
