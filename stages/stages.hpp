/// All stages, for programs that compose their own pipeline.
#pragma once
#include "pipeline/pipeline.hpp"
#include "stages/by_service.hpp"
#include "stages/ingest_lines.hpp"
#include "stages/normalize_config.hpp"
#include "stages/reference.hpp"
#include "stages/spool.hpp"
#include "stages/unspool.hpp"
#include "stages/upload.hpp"
#include "stages/workbench.hpp"
