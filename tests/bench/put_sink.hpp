/// A server that says "stored" to every PUT and keeps nothing: a process of its own, so that its time does
/// not count.
#pragma once
#include <openssl/types.h>

#include <cstdint>

#include <sys/types.h>

namespace firehose::bench {

/// Made before the program has threads. Ends with this object, and with its parent.
class put_sink {
public:
    /// With a context that has a certificate it speaks TLS, else plain HTTP.
    explicit put_sink(SSL_CTX* tls = nullptr);
    put_sink(const put_sink&) = delete;
    ~put_sink();
    std::uint16_t port() const { return port_; }
    void wait() const;

private:
    pid_t pid_ = 0;
    std::uint16_t port_ = 0;
};

}  // namespace firehose::bench
