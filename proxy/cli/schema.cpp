#include "config/schema.h"

#include <cstdio>

#include "cli/cli.h"
#include "runtime/configuration.h"
#include "runtime/version.h"

namespace weir::cli {

int schema(bool reference) {
  const auto description = config::describe<runtime::Configuration>(runtime::tables());
  std::printf("%s\n", (reference ? config::reference_markdown(description) : config::json_schema(description)).c_str());
  return 0;
}

int version() {
  std::printf("weir %s\n", runtime::kVersion);
  return 0;
}

}  // namespace weir::cli
