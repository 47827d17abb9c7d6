/// The environment and the files of this machine, for credentials that are found there.
#pragma once
#include "storage/credential_provider.hpp"

namespace firehose::app {

storage::machine this_machine();

}  // namespace firehose::app
