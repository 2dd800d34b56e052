#pragma once

// All that a room needs to decode its block: the Reader, and the types that a setting may have.
#include "config/reader_class.h"
#include "config/types.h"
