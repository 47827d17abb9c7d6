/// URL helpers.
#pragma once
