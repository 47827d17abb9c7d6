/// Certificates made on the spot, good ones and bad ones.
#pragma once
#include <boost/asio/ssl/context.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace firehose::loopback {

struct leaf_options {
    std::string names = "DNS:localhost,IP:127.0.0.1";
    long begins = -3600;  ///< seconds from now
    long ends = 3600;
    bool self_signed = false;
};

/// A client's certificate as files, which whoever made them removes.
struct client_files {
    std::string certificate;
    std::string key;
    std::string both;  ///< in one file
};

/// A root of its own, and servers vouched for by it. The root's file lives as long as the object.
class authority_of_ours {
public:
    authority_of_ours();
    ~authority_of_ours();
    authority_of_ours(const authority_of_ours&) = delete;

    const std::string& file() const { return file_; }
    boost::asio::ssl::context server(const leaf_options& how = {}) const;
    /// The key is locked when there is a passphrase.
    client_files client(const std::string& passphrase = {}) const;

private:
    struct parts;
    std::unique_ptr<parts> parts_;
    std::string file_;
    mutable std::vector<std::string> others_{};
    std::string temporary_file() const;
};

}  // namespace firehose::loopback
