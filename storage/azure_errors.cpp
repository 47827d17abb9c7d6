#include "storage/azure_errors.hpp"

#include <algorithm>
#include <array>

namespace firehose::storage {

namespace {

struct row {
    std::string_view code;
    azure_verdict verdict;
};

/// By provider code; it is more exact than the status.
constexpr std::array rows = {
    row{"ServerBusy", {disposition::slow_down}},

    row{"InternalError", {disposition::retry}},
    row{"OperationTimedOut", {disposition::retry}},
    row{"AccountBeingCreated", {disposition::retry}},
    row{"PendingCopyOperation", {disposition::retry}},
    // Leases of others last up to a minute, or until somebody breaks them.
    row{"LeaseIdMissing", {disposition::retry}},
    row{"LeaseAlreadyPresent", {disposition::retry}},
    // Blocks go when somebody else commits the same blob: the whole upload starts anew.
    row{"InvalidBlockList", {disposition::retry}},
    // The bytes were damaged or cut on the way: the same request again is right.
    row{"Md5Mismatch", {disposition::retry}},
    row{"Crc64Mismatch", {disposition::retry}},

    // Azure says nothing more exact when the date is too far from its own; the emulator calls it
    // AuthorizationFailure, as Azure calls an address that its firewall keeps out.
    row{"AuthenticationFailed", {disposition::stop, azure_remedy::adjust_clock}},
    row{"AuthorizationFailure", {disposition::stop, azure_remedy::adjust_clock}},

    row{"AccountIsDisabled", {disposition::stop}},
    row{"AuthorizationPermissionMismatch", {disposition::stop}},
    row{"AuthorizationProtocolMismatch", {disposition::stop}},
    row{"AuthorizationResourceTypeMismatch", {disposition::stop}},
    row{"AuthorizationServiceMismatch", {disposition::stop}},
    row{"AuthorizationSourceIPMismatch", {disposition::stop}},
    row{"ContainerBeingDeleted", {disposition::stop}},
    row{"ContainerBeingDisabled", {disposition::stop}},
    row{"ContainerDisabled", {disposition::stop}},
    row{"ContainerNotFound", {disposition::stop}},
    row{"FeatureVersionMismatch", {disposition::stop}},
    row{"InsufficientAccountPermissions", {disposition::stop}},
    row{"InvalidAuthenticationInfo", {disposition::stop}},
    row{"InvalidHeaderValue", {disposition::stop}},
    row{"KeyBasedAuthenticationNotPermitted", {disposition::stop}},
    row{"KeyVaultAccessTokenCannotBeAcquired", {disposition::stop}},
    row{"KeyVaultEncryptionKeyNotFound", {disposition::stop}},
    row{"KeyVaultVaultNotFound", {disposition::stop}},
    row{"NoAuthenticationInformation", {disposition::stop}},
    row{"PublicAccessNotPermitted", {disposition::stop}},
    row{"ResourceNotFound", {disposition::stop}},
    row{"UnsupportedHeader", {disposition::stop}},
    row{"UnsupportedHttpVerb", {disposition::stop}},

    row{"BlobAlreadyExists", {disposition::park}},
    row{"BlobArchived", {disposition::park}},
    row{"BlobBeingRehydrated", {disposition::park}},
    row{"BlobImmutableDueToPolicy", {disposition::park}},
    row{"BlobNotFound", {disposition::park}},
    row{"BlockCountExceedsLimit", {disposition::park}},
    row{"BlockListTooLong", {disposition::park}},
    row{"ConditionNotMet", {disposition::park}},
    row{"InvalidBlobOrBlock", {disposition::park}},
    row{"InvalidBlobType", {disposition::park}},
    row{"InvalidMd5", {disposition::park}},
    row{"InvalidResourceName", {disposition::park}},
    row{"InvalidUri", {disposition::park}},
    row{"OutOfRangeInput", {disposition::park}},
    row{"RequestBodyTooLarge", {disposition::park}},
    row{"ResourceTypeMismatch", {disposition::park}},
    row{"SnapshotsPresent", {disposition::park}},
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
    const bool unexplained = status == 403 && code.empty();
    return {judge_status(status), unexplained ? azure_remedy::adjust_clock : azure_remedy::none};
}

bool says_already_there(int status, std::string_view code) noexcept {
    // A SAS that may create but not overwrite does not get as far as the condition.
    return (status == 409 && code == "BlobAlreadyExists") || code == "UnauthorizedBlobOverwrite";
}

std::string azure_advice(std::string_view code, int status, const azure_subject& about) {
    const std::string container(about.container);
    const std::string account =
        about.account.empty() ? std::string("the account") : "account " + std::string(about.account);
    if (code == "ContainerNotFound" || (code.empty() && status == 404))
        return "container " + container + " does not exist in " + account + "; create it or correct the name";
    if (code == "ContainerBeingDeleted")
        return "container " + container + " is being deleted; create it again or use another";
    if (code == "ResourceNotFound") return account + " is not known there; check the connection string";
    if (code == "AuthenticationFailed" || code == "AuthorizationFailure") {
        if (about.by_sas)
            return "the SAS is expired, not valid yet, damaged or not for this; make a new one for "
                   "container " +
                   container;
        return "the key does not belong to " + account +
               ", was renewed, or a firewall keeps this machine out; check the connection string";
    }
    if (code == "AuthorizationPermissionMismatch" || code == "UnauthorizedBlobOverwrite")
        return about.by_sas ? "the SAS lacks the permission " + std::string(permission(about.method))
                            : "the identity lacks a role such as Storage Blob Data Contributor";
    if (code == "AuthorizationResourceTypeMismatch")
        return "the SAS must be for the resource types container and object (srt=co)";
    if (code == "AuthorizationServiceMismatch") return "the SAS must be for the blob service (ss=b)";
    if (code == "AuthorizationProtocolMismatch") return "the SAS is for https only; use an https endpoint";
    if (code == "AuthorizationSourceIPMismatch") return "the SAS is not for this machine's address";
    if (code == "KeyBasedAuthenticationNotPermitted")
        return account + " does not allow keys; allow them or use a user delegation SAS";
    if (code == "AccountIsDisabled") return account + " is disabled";
    if (code == "RequestBodyTooLarge" || status == 413)
        return "the object is larger than the server takes in one request";
    if (code == "InvalidHeaderValue")
        return "the server does not know this version of the protocol or a header's value";
    if (code == "InvalidBlobType") return "there is a blob of another type under this name";
    if (code == "BlobImmutableDueToPolicy") return "a policy forbids to overwrite or delete the blob";
    return {};
}

}  // namespace firehose::storage
