/// The ways a job leaves the delivery path without being delivered. Internal to stages: not installed.
/// None is interrupted by a cancellation.
#pragma once
#include "stages/delivery_job.hpp"

#include <vector>

namespace firehose::stages {

/// Keeps all jobs for later, in one write: live events are appended, records of the spool released. Every
/// job is finished afterwards; `lost` when the spool refused.
task<> spool_jobs(delivery& shared, std::vector<delivery_job>& jobs);

/// Moves all jobs to the dead letters, likewise.
task<> park_jobs(delivery& shared, std::vector<delivery_job>& jobs);

/// Settles the record of a job that came out of the spool, and finishes the job.
task<> settle_job(delivery& shared, delivery_job& job, const settlement& what, standing where);

}  // namespace firehose::stages
