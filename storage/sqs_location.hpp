/// Where a queue is reached, and what it is called: all of it comes out of the queue's URL.
#pragma once
#include "http/url.hpp"
#include "pipeline/error.hpp"
#include "storage/credentials.hpp"

#include <string>
#include <string_view>

namespace firehose::storage {

struct sqs_location {
    http::authority to{};
    std::string url{};     ///< as configured; part of every request
    std::string region{};  ///< for the scope of the signature
    std::string name{};    ///< last part of the URL's path
    bool fifo = false;     ///< the name ends with ".fifo"
};

/// The region is the host's ("sqs.eu-west-1.amazonaws.com"), else the credential's, else us-east-1.
result<sqs_location> locate_sqs(const credential& with, std::string_view queue_url);

/// What is wrong with a queue's URL and the credential for it; empty when nothing is. `with` is null when
/// there is no such credential.
std::string sqs_problem(std::string_view queue_url, const std::string& credential_id, const credential* with);

}  // namespace firehose::storage
