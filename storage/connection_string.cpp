#include "storage/connection_string.hpp"

#include "http/digest.hpp"
#include "http/message.hpp"
#include "pipeline/text.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace firehose::storage {

namespace {

constexpr std::string_view emulator_account = "devstoreaccount1";
/// Published by Microsoft, the same for everybody.
constexpr std::string_view emulator_key =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

constexpr std::array<std::string_view, 16> known = {"DefaultEndpointsProtocol",
                                                    "AccountName",
                                                    "AccountKey",
                                                    "EndpointSuffix",
                                                    "BlobEndpoint",
                                                    "BlobSecondaryEndpoint",
                                                    "SharedAccessSignature",
                                                    "UseDevelopmentStorage",
                                                    "DevelopmentStorageProxyUri",
                                                    "QueueEndpoint",
                                                    "QueueSecondaryEndpoint",
                                                    "TableEndpoint",
                                                    "TableSecondaryEndpoint",
                                                    "FileEndpoint",
                                                    "FileSecondaryEndpoint",
                                                    "DfsEndpoint"};

error refused(std::string why) { return {disposition::stop, "the connection string " + std::move(why)}; }

/// The spelling of the documentation; empty for a name nobody knows.
std::string_view canonical_name(std::string_view name) {
    const auto found =
        std::ranges::find_if(known, [name](std::string_view k) { return http::same_name(k, name); });
    return found == known.end() ? std::string_view() : *found;
}

/// The pairs by their canonical names; values as they stand, not trimmed.
class pairs {
public:
    result<> read(std::string_view text);
    bool has(std::string_view name) const { return find(name) != nullptr; }
    /// Trimmed; empty when it is not there.
    std::string_view get(std::string_view name) const {
        const auto* value = find(name);
        return value == nullptr ? std::string_view() : trim(*value);
    }
    const std::string* find(std::string_view name) const {
        const auto found = std::ranges::find(found_, name, &std::pair<std::string_view, std::string>::first);
        return found == found_.end() ? nullptr : &found->second;
    }

private:
    result<> add(std::string_view piece);
    std::vector<std::pair<std::string_view, std::string>> found_;
    bool in_sas_ = false;  ///< the last pair was the SAS, to which pieces without a known name belong
    int number_ = 0;
};

result<> pairs::read(std::string_view text) {
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(';', at), text.size());
        auto added = add(text.substr(at, end - at));
        if (!added.has_value()) return added;
        at = end + 1;
    }
    return {};
}

result<> pairs::add(std::string_view piece) {
    ++number_;
    const auto equals = piece.find('=');
    const auto name = trim(piece.substr(0, std::min(equals, piece.size())));
    const auto proper = equals == std::string_view::npos ? std::string_view() : canonical_name(name);
    if (proper.empty() && in_sas_) {
        if (!trim(piece).empty()) found_.back().second.append(";").append(piece);
        return {};
    }
    if (trim(piece).empty()) return {};
    if (equals == std::string_view::npos)
        return refused("has no '=' in part " + std::to_string(number_) +
                       "; parts are Name=value, with ';' between them");
    if (name.empty()) return refused("has no name before '=' in part " + std::to_string(number_));
    if (proper.empty()) return {};
    if (has(proper)) return refused("holds " + std::string(proper) + " twice");
    found_.emplace_back(proper, piece.substr(equals + 1));
    in_sas_ = proper == "SharedAccessSignature";
    return {};
}

bool is_host_text(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '.';
    });
}

bool is_account(std::string_view text) {
    return is_host_text(text) && text.size() <= 63 && text.find('.') == std::string_view::npos;
}

/// A key that went through a query string has blanks where it had '+'. Those at its ends are more likely
/// the ends of a pasted line, unless only they make it whole.
std::optional<std::string> repaired_key(std::string_view value) {
    for (const auto text : {trim(value), value}) {
        std::string candidate(text);
        std::ranges::replace(candidate, ' ', '+');
        if (!candidate.empty() && http::from_base64(candidate)) return candidate;
    }
    return std::nullopt;
}

result<http::endpoint_url> read_url(std::string_view name, std::string_view value) {
    auto url = http::parse_endpoint(value);
    if (!url.has_value()) return refused("has a wrong " + std::string(name) + ": " + url.error().context());
    return std::move(*url);
}

/// Where blobs are: as configured, of the emulator, or made of the account's name.
result<http::endpoint_url> read_endpoint(const pairs& given, const std::string& account, bool emulator) {
    if (given.has("BlobEndpoint")) return read_url("BlobEndpoint", given.get("BlobEndpoint"));
    if (emulator) {
        std::string_view base = "http://127.0.0.1";
        if (given.has("DevelopmentStorageProxyUri")) base = given.get("DevelopmentStorageProxyUri");
        auto url = read_url("DevelopmentStorageProxyUri", base);
        if (!url.has_value()) return url;
        const bool own_port = url->to.port != (url->to.tls ? 443 : 80);
        if (!own_port) url->to.port = 10000;
        url->path += "/" + account;
        return url;
    }
    const auto protocol = given.get("DefaultEndpointsProtocol");
    if (given.has("DefaultEndpointsProtocol") && protocol != "http" && protocol != "https")
        return refused("has a DefaultEndpointsProtocol other than http and https");
    if (account.empty()) return refused("has neither AccountName nor BlobEndpoint; one of them is required");
    if (given.has("EndpointSuffix") && !is_host_text(given.get("EndpointSuffix")))
        return refused("has an EndpointSuffix that is no host name");
    std::string url = protocol == "http" ? "http://" : "https://";
    url.append(account).append(".blob.");
    url.append(given.has("EndpointSuffix") ? given.get("EndpointSuffix") : "core.windows.net");
    return read_url("EndpointSuffix", url);
}

/// When AccountName is not there: the host's, or an emulator's path, which is the account alone.
std::string account_of(const http::endpoint_url& endpoint) {
    std::string name(account_of_host(endpoint.to.host));
    if (!name.empty() || endpoint.path.empty()) return name;
    name = endpoint.path.substr(1);
    return is_account(name) ? name : std::string();
}

}  // namespace

std::string_view account_of_host(std::string_view host) noexcept {
    constexpr std::array<std::string_view, 4> suffixes = {
        ".blob.core.windows.net", ".blob.core.usgovcloudapi.net", ".blob.core.chinacloudapi.cn",
        ".blob.core.cloudapi.de"};
    for (const auto suffix : suffixes) {
        if (!host.ends_with(suffix)) continue;
        const auto name = host.substr(0, host.size() - suffix.size());
        if (is_account(name)) return name;
    }
    return {};
}

result<azure_connection> parse_connection_string(std::string_view text) {
    if (trim(text).empty()) return refused("is empty");
    pairs given;
    auto read = given.read(text);
    if (!read.has_value()) return read.error();
    azure_connection out;

    const bool emulator = http::same_name(given.get("UseDevelopmentStorage"), "true");
    if (given.has("UseDevelopmentStorage") && !emulator)
        return refused("has a UseDevelopmentStorage that is not true; leave it out");
    if (given.has("BlobSecondaryEndpoint") && !given.has("BlobEndpoint"))
        return refused("has a BlobSecondaryEndpoint but no BlobEndpoint");

    out.account = given.get("AccountName");
    if (given.has("AccountName") && !is_account(out.account))
        return refused("has an AccountName that may not be one: letters, digits and '-' are allowed");
    if (emulator && out.account.empty()) out.account = emulator_account;

    auto endpoint = read_endpoint(given, out.account, emulator);
    if (!endpoint.has_value()) return endpoint.error();
    out.endpoint = std::move(*endpoint);
    out.path_style = !out.endpoint.path.empty();
    if (out.account.empty()) out.account = account_of(out.endpoint);

    if (given.has("SharedAccessSignature")) {
        auto sas = given.get("SharedAccessSignature");
        if (sas.starts_with('?')) sas.remove_prefix(1);
        if (sas.empty()) return refused("has an empty SharedAccessSignature");
        out.sas = secret(std::string(sas));
        return out;
    }
    if (const auto* value = given.find("AccountKey")) {
        auto key = repaired_key(*value);
        if (!key) return refused("has an AccountKey that is not base64; copy it again, whole");
        if (out.account.empty()) return refused("has an AccountKey but no AccountName");
        out.key = secret(std::move(*key));
    } else if (emulator) {
        out.key = secret(std::string(emulator_key));
    }
    return out;
}

result<std::vector<std::pair<std::string, std::string>>> split_sas(std::string_view sas) {
    if (sas.starts_with('?')) sas.remove_prefix(1);
    std::vector<std::pair<std::string, std::string>> out;
    for (std::size_t at = 0; at <= sas.size();) {
        const std::size_t end = std::min(sas.find('&', at), sas.size());
        const auto piece = trim(sas.substr(at, end - at));
        at = end + 1;
        if (piece.empty()) continue;
        const auto equals = piece.find('=');
        if (equals == std::string_view::npos || equals == 0)
            return refused("has a SharedAccessSignature with a part that is not name=value");
        auto value = http::decode_percent(piece.substr(equals + 1));
        const auto name = http::decode_percent(piece.substr(0, equals));
        if (name == "sig") std::ranges::replace(value, ' ', '+');
        out.emplace_back(name, std::move(value));
    }
    return out;
}

result<std::string> sas_query(const secret& sas) {
    auto parts = split_sas(sas.reveal());
    if (!parts.has_value()) return parts.error();
    const bool complete = std::ranges::any_of(*parts, [](const auto& p) { return p.first == "sig"; });
    if (!complete) return refused("has a SharedAccessSignature without sig; copy it again, whole");
    std::string out;
    for (const auto& [name, value] : *parts) {
        if (!out.empty()) out += '&';
        out.append(http::encode_query(name)).append("=").append(http::encode_query(value));
    }
    return out;
}

}  // namespace firehose::storage
