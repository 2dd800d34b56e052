#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace weir::runtime {

/// Names of functions of this process. Reads the symbol table of the executable file, unless the file is stripped.
class Symbols {
 public:
  Symbols();
  /// "function+0x12", or "module+0x1234" where the function is not known.
  std::string name_of(const void* address) const;

 private:
  struct Function {
    uint64_t size = 0;
    std::string name;  // mangled
  };
  std::map<uint64_t, Function> own_;  // of the executable, by the offset from its first byte in memory
};

}  // namespace weir::runtime
