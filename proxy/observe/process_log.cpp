#include "observe/process_log.h"

namespace weir::observe {

void decode(config::Reader& r, ProcessLogSettings& settings) {
  r.shorthand("level");
  r.optional("level", settings.level,
             "the least severe events that are written; POST /log_level changes it at run time");
  r.optional("format", settings.format, "text: `event key=value …`; json: one object a line");
}

void use_process_log(const ProcessLogSettings& settings, const ProcessLogSettings* before) {
  if (!before || before->level != settings.level) log::set_level(settings.level);
  log::set_format(settings.format);
}

}  // namespace weir::observe
