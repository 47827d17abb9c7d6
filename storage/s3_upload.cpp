#include "storage/s3_upload.hpp"

#include "http/digest.hpp"
#include "http/url.hpp"
#include "pipeline/bytes.hpp"
#include "storage/multipart_plan.hpp"

#include <pugixml.hpp>

#include <array>
#include <chrono>
#include <utility>
#include <vector>

namespace firehose::storage {

namespace {

constexpr std::uint64_t largest_part = std::uint64_t{5} << 30;
constexpr std::chrono::seconds patience_with_abort{30};

bool parse(pugi::xml_document& document, std::string_view body) {
    return static_cast<bool>(
        document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8));
}

/// 16 bytes, when the ETag is an MD5, which it is unless the part is encrypted with a key of KMS.
std::optional<std::array<std::byte, 16>> md5_of_etag(std::string_view etag) {
    if (etag.size() != 32) return std::nullopt;
    std::array<std::byte, 16> out{};
    for (std::size_t i = 0; i < etag.size(); ++i) {
        const char c = etag[i];
        const bool number = c >= '0' && c <= '9';
        const bool letter = c >= 'a' && c <= 'f';
        if (!number && !letter) return std::nullopt;
        const auto digit = static_cast<unsigned>(number ? c - '0' : c - 'a' + 10);
        out[i / 2] = static_cast<std::byte>((std::to_integer<unsigned>(out[i / 2]) << 4) | digit);
    }
    return out;
}

void append_element(std::string& out, std::string_view name, std::string_view text) {
    out.append("<").append(name).append(">").append(text).append("</").append(name).append(">");
}

std::string checksum_element(checksum_choice which) {
    const auto name = checksum_name(which);
    return name.empty() ? std::string() : "Checksum" + std::string(name);
}

}  // namespace

std::optional<std::string> read_upload_id(std::string_view body) {
    pugi::xml_document document;
    if (!parse(document, body)) return std::nullopt;
    std::string id = document.child("InitiateMultipartUploadResult").child_value("UploadId");
    if (id.empty()) return std::nullopt;
    return id;
}

std::optional<std::string> read_completed(std::string_view body) {
    pugi::xml_document document;
    if (!parse(document, body)) return std::nullopt;
    const auto etag = document.child("CompleteMultipartUploadResult").child("ETag");
    if (!etag) return std::nullopt;
    return unquoted(etag.child_value());
}

task<result<object_info>> s3_head(s3_remote& in, const std::string& key, time_source::steady deadline) {
    auto req = in.about("HEAD", key);
    auto answer = co_await in.retrying.send(req, deadline);
    if (!answer.has_value()) {
        if (says_absent(answer.error())) co_return in.absent("HEAD", key);
        co_return in.explain("HEAD", key, answer.error());
    }
    const auto size = whole_number(header_or_empty(*answer, "content-length"));
    if (!size)
        co_return in.explain("HEAD", key,
                             error(disposition::retry, "the answer does not say how long it is"));
    co_return object_info{key, *size, etag_of(*answer)};
}

s3_upload::s3_upload(std::shared_ptr<s3_remote> in, std::string key, const put_options& how, std::string id)
    : in_(std::move(in)), key_(std::move(key)), how_(how), id_(std::move(id)) {}

std::string s3_upload::query() const { return "uploadId=" + http::encode_query(id_); }

task<result<std::unique_ptr<multipart>>> s3_upload::start(std::shared_ptr<s3_remote> in,
                                                          const std::string& key, const put_options& how,
                                                          time_source::steady deadline) {
    auto about_object = object_headers(in->how.given, how);
    if (!about_object.has_value()) co_return in->explain("POST", key, about_object.error());
    auto req = in->about("POST", key, "uploads=");
    req.headers.insert(req.headers.end(), about_object->begin(), about_object->end());
    const auto guard = in->guard();
    if (guard.has_checksum())
        req.headers.emplace_back("x-amz-checksum-algorithm", checksum_name(guard.checksum));
    if (guard.checksum == checksum_choice::crc64nvme)
        req.headers.emplace_back("x-amz-checksum-type", "FULL_OBJECT");  // the one kind there is
    auto answer = co_await in->retrying.send(req, deadline);
    if (!answer.has_value()) co_return in->explain("POST", key, answer.error());
    auto id = read_upload_id(answer->body);
    if (!id) co_return in->explain("POST", key, error(disposition::retry, "the answer names no upload"));
    co_return std::unique_ptr<multipart>(
        std::make_unique<s3_upload>(std::move(in), key, how, std::move(*id)));
}

task<result<std::unique_ptr<multipart>>> s3_upload::resume(std::shared_ptr<s3_remote> in,
                                                           const std::string& key, const std::string& id,
                                                           const put_options& how,
                                                           time_source::steady deadline) {
    auto upload = std::make_unique<s3_upload>(std::move(in), key, how, id);
    auto learned = co_await upload->learn_parts(deadline);
    if (!learned.has_value()) co_return learned.error();
    co_return std::unique_ptr<multipart>(std::move(upload));
}

task<result<>> s3_upload::learn_parts(time_source::steady deadline) {
    int after = 0;
    for (;;) {
        const auto marker = after == 0 ? std::string() : "part-number-marker=" + std::to_string(after) + "&";
        auto req = in_->about("GET", key_, marker + query());
        auto answer = co_await in_->retrying.send(req, deadline);
        if (!answer.has_value()) {
            error_details why = answer.error().details();
            const bool gone = says_absent(answer.error()) || why.provider_code == no_such_upload;
            if (!gone) co_return in_->explain("GET", "parts of " + key_, answer.error());
            why.provider_code = no_such_upload;
            const error none(disposition::retry, std::move(why));
            co_return in_->explain("GET", "parts of " + key_, none);
        }
        bool whole = false;
        const auto next = read_parts(answer->body, whole);
        if (whole) co_return result<>();
        if (!next || *next <= after)
            co_return in_->explain("GET", "parts of " + key_,
                                   error(disposition::retry, "the answer is not a whole list of parts"));
        after = *next;
    }
}

/// The marker of the next page; `whole` when there is none.
std::optional<int> s3_upload::read_parts(std::string_view listing, bool& whole) {
    pugi::xml_document document;
    const bool parsed = parse(document, listing);
    const auto root = document.child("ListPartsResult");
    if (!parsed || !root) return std::nullopt;
    const auto sum = checksum_element(in_->guard().checksum);
    for (const auto item : root.children("Part")) {
        const auto number = whole_number(item.child_value("PartNumber"));
        const auto bytes = whole_number(item.child_value("Size"));
        auto etag = unquoted(item.child_value("ETag"));
        if (!number || *number < 1 || *number > most_parts || !bytes || etag.empty()) return std::nullopt;
        auto& each = found_[static_cast<int>(*number)];
        each = part{*bytes, std::move(etag), sum.empty() ? "" : item.child_value(sum.c_str())};
    }
    whole = std::string_view(root.child_value("IsTruncated")) != "true";
    const auto next = whole_number(root.child_value("NextPartNumberMarker"));
    if (!next || *next > most_parts) return std::nullopt;
    return static_cast<int>(*next);
}

/// The size and, by checksum or MD5, the bytes are the same.
bool s3_upload::is_there(int number, const payload& body, std::uint64_t size) const {
    const auto there = found_.find(number);
    if (there == found_.end() || there->second.size != size) return false;
    const auto checksum = in_->guard().checksum;
    if (!there->second.checksum.empty()) return there->second.checksum == checksum_text(checksum, body);
    const auto sent = md5_of_etag(there->second.etag);
    return sent && *sent == http::md5(body) && !in_->guard().has_checksum();
}

task<result<>> s3_upload::put_part(int number, const payload& body, time_source::steady deadline) {
    const auto what = "part " + std::to_string(number) + " of " + key_;
    if (number < 1 || number > most_parts)
        co_return in_->explain("PUT", what, error(disposition::park, "parts are numbered 1 to 10000"));
    const std::uint64_t bytes = size_of(body);
    if (bytes == 0 || bytes > largest_part)
        co_return in_->explain("PUT", what, error(disposition::park, "a part has 1 byte to 5 GiB"));
    if (is_there(number, body, bytes)) {
        stored_[number] = found_.at(number);
        co_return result<>();
    }
    auto req = in_->about("PUT", key_, "partNumber=" + std::to_string(number) + "&" + query());
    req.body = body;
    const auto guard = in_->guard();
    auto checksum = guard_body(req, guard);
    auto answer = co_await in_->retrying.send(req, deadline);
    if (!answer.has_value()) co_return in_->explain("PUT", what, answer.error());
    auto etag = etag_of(*answer);
    if (etag.empty())
        co_return in_->explain("PUT", what, error(disposition::retry, "the answer has no ETag"));
    stored_[number] = part{bytes, std::move(etag), std::move(checksum)};
    co_return result<>();
}

std::uint64_t s3_upload::size() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& [number, each] : stored_) sum += each.size;
    return sum;
}

std::string s3_upload::completion() const {
    const auto sum = checksum_element(in_->guard().checksum);
    std::string out = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (const auto& [number, each] : stored_) {
        out += "<Part>";
        append_element(out, "PartNumber", std::to_string(number));
        append_element(out, "ETag", "&quot;" + each.etag + "&quot;");
        if (!sum.empty()) append_element(out, sum, each.checksum);
        out += "</Part>";
    }
    return out + "</CompleteMultipartUpload>";
}

task<result<object_info>> s3_upload::complete(time_source::steady deadline) {
    const auto body = completion();
    auto req = in_->about("POST", key_, query());
    req.body.emplace_back(as_bytes(body));
    http::set_header(req.headers, "x-amz-content-sha256", http::to_hex(http::sha256(req.body)));
    req.headers.emplace_back("Content-Type", "application/xml");
    if (how_.only_if_absent) req.headers.emplace_back("If-None-Match", "*");
    const auto& retries = in_->how.retries;
    for (int attempt = 1;; ++attempt) {
        auto answer = co_await in_->exchange.send(req, deadline);
        if (answer.has_value()) {
            auto etag = read_completed(answer->body).value_or("");
            if (!etag.empty()) co_return object_info{key_, size(), std::move(etag)};
            const error unproven(disposition::retry, "the answer has no ETag, and the object is another one");
            co_return co_await look_for_object(unproven, deadline);
        }
        const auto why = answer.error();
        // The key is a function of the content's identity: what is there is what we would have written.
        if (how_.only_if_absent && why.status() == 412) co_return object_info{key_, size(), {}};
        if (why.provider_code() == no_such_upload) co_return co_await look_for_object(why, deadline);
        const auto wait = http::next_wait(why, req, attempt, in_->shard.random.uniform(), retries);
        const auto wake = in_->shard.time.now() + wait.value_or(std::chrono::milliseconds(0));
        if (!wait || wake >= deadline) co_return in_->explain("POST", key_, why);
        co_await in_->shard.time.sleep_until(wake);
    }
}

/// The MD5 of the parts' MD5s and their number, which is what S3 calls such an object; empty when the parts'
/// ETags are something else.
std::string s3_upload::expected_etag() const {
    std::vector<std::byte> all;
    for (const auto& [number, each] : stored_) {
        const auto md5 = md5_of_etag(each.etag);
        if (!md5) return {};
        all.insert(all.end(), md5->begin(), md5->end());
    }
    const payload once{all};
    return http::to_hex(http::md5(once)) + "-" + std::to_string(stored_.size());
}

bool s3_upload::is_ours(const object_info& there) const {
    if (there.size != size()) return false;
    const auto expected = expected_etag();
    if (!expected.empty() && there.etag == expected) return true;
    return expected.empty() && there.etag.ends_with("-" + std::to_string(stored_.size()));
}

task<result<object_info>> s3_upload::look_for_object(const error& why, time_source::steady deadline) {
    auto there = co_await s3_head(*in_, key_, deadline);
    if (there.has_value() && is_ours(*there)) co_return there;
    if (!there.has_value() && !is_not_found(there.error())) co_return there.error();
    co_return in_->explain("POST", key_, why);
}

task<> s3_upload::abort() {
    const auto deadline = in_->shard.time.now() + patience_with_abort;
    auto req = in_->about("DELETE", key_, query());
    const auto answer = co_await in_->retrying.send(req, deadline);
    stored_.clear();
    const bool gone = !answer.has_value() && answer.error().provider_code() == no_such_upload;
    if (!answer.has_value() && !gone)
        in_->shard.log.warning(
            "an upload in parts was left unfinished and could not be removed; a lifecycle rule "
            "of the bucket should",
            {{"bucket", in_->bucket}, {"key", key_}, {"reason", answer.error().context()}});
}

}  // namespace firehose::storage
