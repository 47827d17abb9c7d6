/// All randomness comes from here, so that a failing run can be replayed from its printed seed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

namespace firehose {

class randomness {
public:
    virtual ~randomness() = default;
    /// Evenly distributed in [0, 1).
    virtual double uniform() = 0;
    /// Fills `out`; for ids. Unpredictable when it comes from the system.
    virtual void fill(std::span<std::byte> out) = 0;
};

/// Reproducible: the same seed gives the same sequence on every machine.
class seeded_randomness final : public randomness {
public:
    explicit seeded_randomness(std::uint64_t seed) : engine_(seed) {}
    double uniform() override;
    void fill(std::span<std::byte> out) override;

private:
    std::mt19937_64 engine_;
};

/// From the kernel (getrandom).
class system_randomness final : public randomness {
public:
    double uniform() override;
    void fill(std::span<std::byte> out) override;
};

}  // namespace firehose
