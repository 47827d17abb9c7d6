#include "storage/azure_errors.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace firehose::storage {

namespace {

struct row {
    std::string_view code;
    azure_verdict verdict;
    std::string_view advice =
        {};  ///< $account and $container are filled in; none: it depends on how one gets in
};

/// By provider code; it is more exact than the status.
constexpr std::array rows = {
    row{"ServerBusy",
        {disposition::slow_down},
        "Azure asks for fewer requests, which are sent more slowly now"},

    row{"InternalError", {disposition::retry}, "a fault of Azure's own; it is tried again"},
    row{"OperationTimedOut", {disposition::retry}, "Azure did not finish in its own time; it is tried again"},
    row{"AccountBeingCreated", {disposition::retry}, "$account is being created; it is tried again"},
    row{"PendingCopyOperation",
        {disposition::retry},
        "something is being copied onto the blob; it is tried again"},
    // Leases of others last up to a minute, or until somebody breaks them.
    row{"LeaseIdMissing",
        {disposition::retry},
        "somebody holds a lease on the blob; break it, or wait for its end"},
    row{"LeaseAlreadyPresent",
        {disposition::retry},
        "somebody holds a lease on the blob; break it, or wait for its end"},
    // Blocks go when somebody else commits the same blob: the whole upload starts anew.
    row{"InvalidBlockList",
        {disposition::retry},
        "somebody else stored the same blob meanwhile; the upload starts anew"},
    // The bytes were damaged or cut on the way: the same request again is right.
    row{"Md5Mismatch", {disposition::retry}, "the bytes were damaged on the way; they are sent again"},
    row{"Crc64Mismatch", {disposition::retry}, "the bytes were damaged on the way; they are sent again"},

    // Azure says nothing more exact when the date is too far from its own; the emulator calls it
    // AuthorizationFailure, as Azure calls an address that its firewall keeps out.
    row{"AuthenticationFailed", {disposition::stop, azure_remedy::adjust_clock}},
    row{"AuthorizationFailure", {disposition::stop, azure_remedy::adjust_clock}},
    // An access token that has expired.
    row{"InvalidAuthenticationInfo", {disposition::stop, azure_remedy::refresh_credentials}},

    row{"AccountIsDisabled", {disposition::stop}, "$account is disabled"},
    row{"AuthorizationPermissionMismatch", {disposition::stop}},
    row{"AuthorizationProtocolMismatch",
        {disposition::stop},
        "the SAS is for https only; use an https endpoint"},
    row{"AuthorizationResourceTypeMismatch",
        {disposition::stop},
        "the SAS must be for the resource types container and object (srt=co)"},
    row{"AuthorizationServiceMismatch", {disposition::stop}, "the SAS must be for the blob service (ss=b)"},
    row{"AuthorizationSourceIPMismatch", {disposition::stop}, "the SAS is not for this machine's address"},
    row{"ContainerBeingDeleted",
        {disposition::stop},
        "container $container is being deleted; create it again or use another"},
    row{"ContainerBeingDisabled", {disposition::stop}, "container $container is being disabled by its owner"},
    row{"ContainerDisabled",
        {disposition::stop},
        "container $container is disabled; its owner has to enable it"},
    row{"ContainerNotFound",
        {disposition::stop},
        "container $container does not exist in $account; create it or correct the name"},
    row{"FeatureVersionMismatch",
        {disposition::stop},
        "the blob uses a feature that this version of the protocol does not know"},
    row{"InsufficientAccountPermissions",
        {disposition::stop},
        "$account may not do this; look at its permissions"},
    row{"InvalidHeaderValue",
        {disposition::stop},
        "the server does not know this version of the protocol or a header's value"},
    row{"KeyBasedAuthenticationNotPermitted",
        {disposition::stop},
        "$account does not allow keys; allow them or use a user delegation SAS"},
    row{"KeyVaultAccessTokenCannotBeAcquired",
        {disposition::stop},
        "$account cannot get at the key it encrypts with; look at its key vault"},
    row{"KeyVaultEncryptionKeyNotFound",
        {disposition::stop},
        "the key $account encrypts with is gone; look at its key vault"},
    row{"KeyVaultVaultNotFound", {disposition::stop}, "the key vault of $account is gone"},
    row{"NoAuthenticationInformation",
        {disposition::stop},
        "the request came without a proof of identity; a proxy may have taken it out"},
    row{"PublicAccessNotPermitted",
        {disposition::stop},
        "$account does not allow access without a key, SAS or token"},
    row{"ResourceNotFound", {disposition::stop}, "$account is not known there; check the connection string"},
    row{"UnsupportedHeader", {disposition::stop}, "the server does not know a header of the request"},
    row{"UnsupportedHttpVerb",
        {disposition::stop},
        "the server does not offer this operation; is it Azure Blob Storage at all?"},

    row{"BlobAlreadyExists",
        {disposition::park},
        "there is a blob of this name, and it is not to be replaced"},
    row{"BlobArchived",
        {disposition::park},
        "there is an archived blob of this name; bring it back or use another prefix"},
    row{"BlobBeingRehydrated",
        {disposition::park},
        "there is a blob of this name that is being brought back from the archive"},
    row{"BlobImmutableDueToPolicy", {disposition::park}, "a policy forbids to overwrite or delete the blob"},
    row{"BlobNotFound", {disposition::park}, "there is no such blob in container $container"},
    row{"BlockCountExceedsLimit",
        {disposition::park},
        "the object has more blocks than Azure takes; choose larger parts"},
    row{"BlockListTooLong",
        {disposition::park},
        "the object has more blocks than Azure takes; choose larger parts"},
    row{"ConditionNotMet", {disposition::park}, "the blob is another one than expected"},
    row{"InvalidBlobOrBlock",
        {disposition::park},
        "the blob or one of its blocks cannot be stored as it was sent"},
    row{"InvalidBlobType", {disposition::park}, "there is a blob of another type under this name"},
    row{"InvalidMd5", {disposition::park}, "the checksum header is malformed; a proxy may have changed it"},
    row{"InvalidResourceName", {disposition::park}, "Azure cannot have a blob or container of this name"},
    row{"InvalidUri", {disposition::park}, "Azure cannot have a blob of this name"},
    row{"OutOfRangeInput",
        {disposition::park},
        "a part of the request is outside of what Azure takes; often the name of the blob"},
    row{"RequestBodyTooLarge",
        {disposition::park},
        "the object is larger than the server takes in one request"},
    row{"ResourceTypeMismatch", {disposition::park}, "there is something of another type under this name"},
    row{"SnapshotsPresent", {disposition::park}, "the blob has snapshots; delete them first"},
    row{"UnauthorizedBlobOverwrite", {disposition::park}},
};

/// The permission of a SAS, and the role without one, that an operation needs.
std::string_view permission(std::string_view method) noexcept {
    if (method == "PUT") return "write (w)";
    if (method == "DELETE") return "delete (d)";
    return method == "GET" ? "list (l)" : "read (r)";
}

}  // namespace

azure_verdict judge_azure(int status, std::string_view code) noexcept {
    const auto found = std::ranges::find(rows, code, &row::code);
    if (found != rows.end()) return found->verdict;
    // HEAD has no body, and not every server has the header.
    auto remedy = azure_remedy::none;
    if (code.empty() && status == 403) remedy = azure_remedy::adjust_clock;
    if (code.empty() && status == 401) remedy = azure_remedy::refresh_credentials;
    return {judge_status(status), remedy};
}

bool says_already_there(int status, std::string_view code) noexcept {
    // A SAS that may create but not overwrite does not get as far as the condition.
    return (status == 409 && code == "BlobAlreadyExists") || code == "UnauthorizedBlobOverwrite";
}

namespace {

std::string filled_in(std::string_view text, std::string_view account, std::string_view container) {
    std::string out;
    while (!text.empty()) {
        const auto mark = std::min(text.find('$'), text.size());
        out.append(text.substr(0, mark));
        text.remove_prefix(mark);
        for (const auto& [name, value] :
             {std::pair("$account", account), std::pair("$container", container)}) {
            if (!text.starts_with(name)) continue;
            out.append(value);
            text.remove_prefix(std::string_view(name).size());
            break;
        }
    }
    return out;
}

/// Who is refused, and what is to be done about it, depends on what was shown.
std::string_view advice_on_access(azure_access by) noexcept {
    switch (by) {
        case azure_access::key:
            return "the key does not belong to $account, was renewed, or a firewall keeps this machine out; "
                   "check "
                   "the connection string";
        case azure_access::sas:
            return "the SAS is expired, not valid yet, damaged or not for this; make a new one for container "
                   "$container";
        case azure_access::token: break;
    }
    return "the access token is not taken by $account; check tenant and identity, and whether a firewall "
           "keeps this "
           "machine out";
}

/// Where a provider code says nothing.
std::string_view advice_on_status(int status) noexcept {
    switch (status) {
        case 401: return "$account does not take this proof of identity; check the credential";
        case 404: return "container $container does not exist in $account; create it or correct the name";
        case 407: return "a proxy wants a password";
        case 413: return "the object is larger than the server takes in one request";
        case 429: return "the server asks for fewer requests, which are sent more slowly now";
        case 501: return "the server does not offer this operation; is it Azure Blob Storage at all?";
        default: break;
    }
    if (status == 301 || status == 302 || status == 307 || status == 308)
        return "the endpoint leads elsewhere, where no credential is sent; correct the connection string";
    return {};
}

}  // namespace

std::vector<std::string_view> azure_codes() {
    std::vector<std::string_view> out;
    for (const auto& r : rows) out.push_back(r.code);
    return out;
}

std::string azure_advice(std::string_view code, int status, const azure_subject& about) {
    const std::string account =
        about.account.empty() ? std::string("the account") : "account " + std::string(about.account);
    const bool lacks = code == "AuthorizationPermissionMismatch" || code == "UnauthorizedBlobOverwrite";
    if (lacks && about.by == azure_access::sas)
        return "the SAS lacks the permission " + std::string(permission(about.method));
    const auto found = std::ranges::find(rows, code, &row::code);
    const bool at_the_door = found != rows.end() && found->advice.empty();
    std::string_view text;
    if (lacks)
        text = "the identity lacks a role such as Storage Blob Data Contributor on container $container";
    else if (at_the_door || (code.empty() && status == 403))
        text = advice_on_access(about.by);
    else if (found != rows.end())
        text = found->advice;
    else if (code.empty() || status == 413)
        text = advice_on_status(status);
    return filled_in(text, account, about.container);
}

}  // namespace firehose::storage
