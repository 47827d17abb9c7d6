#include "pipeline/secret.hpp"

#include <string.h>  // explicit_bzero, which no optimiser may leave out

namespace firehose {

void wipe(std::string& text) noexcept {
    text.resize(text.capacity());  // never allocates: it is the capacity there is
    ::explicit_bzero(text.data(), text.size());
    text.clear();
}

}  // namespace firehose
