#include "runtime/symbols.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <fmt/core.h>
#include <link.h>
#include <sys/auxv.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <vector>

namespace weir::runtime {

namespace {

constexpr size_t kLongest = 160;  // characters of a name: templates are long

std::string readable(const char* mangled) {
  const std::unique_ptr<char, decltype(&std::free)> plain(abi::__cxa_demangle(mangled, nullptr, nullptr, nullptr),
                                                          std::free);
  std::string name(plain ? plain.get() : mangled);
  if (name.size() > kLongest) name.replace(kLongest, std::string::npos, "...");
  return name;
}

/// A table of a file in memory; empty when it would reach past the file's end.
template <class T>
std::span<const T> table(const std::string& file, uint64_t offset, uint64_t bytes) {
  if (offset > file.size() || bytes > file.size() - offset) return {};
  return {reinterpret_cast<const T*>(file.data() + offset), bytes / sizeof(T)};
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

Symbols::Symbols() {
  std::ifstream stream("/proc/self/exe", std::ios::binary);
  const std::string file((std::istreambuf_iterator<char>(stream)), {});
  const auto header = table<ElfW(Ehdr)>(file, 0, sizeof(ElfW(Ehdr)));
  if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0) return;
  uint64_t first = UINT64_MAX;
  for (const auto& part : table<ElfW(Phdr)>(file, header[0].e_phoff, header[0].e_phnum * sizeof(ElfW(Phdr)))) {
    if (part.p_type == PT_LOAD && part.p_vaddr < first) first = part.p_vaddr;
  }
  const auto sections = table<ElfW(Shdr)>(file, header[0].e_shoff, header[0].e_shnum * sizeof(ElfW(Shdr)));
  for (const auto& section : sections) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
    const auto names = table<char>(file, sections[section.sh_link].sh_offset, sections[section.sh_link].sh_size);
    for (const auto& symbol : table<ElfW(Sym)>(file, section.sh_offset, section.sh_size)) {
      if ((symbol.st_info & 15) != STT_FUNC || symbol.st_size == 0 || symbol.st_name >= names.size()) continue;
      own_[symbol.st_value - first] = {symbol.st_size, names.data() + symbol.st_name};
    }
  }
}

std::string Symbols::name_of(const void* address) const {
  Dl_info info{};
  if (::dladdr(address, &info) == 0 || !info.dli_fbase) return fmt::format("{}", address);
  const auto at = reinterpret_cast<uintptr_t>(address);
  if (info.dli_saddr && info.dli_sname)
    return fmt::format("{}+{:#x}", readable(info.dli_sname), at - reinterpret_cast<uintptr_t>(info.dli_saddr));
  const auto offset = at - reinterpret_cast<uintptr_t>(info.dli_fbase);
  // The executable is where the kernel found the program headers.
  Dl_info own{};
  const bool is_own =
      ::dladdr(reinterpret_cast<const void*>(::getauxval(AT_PHDR)), &own) != 0 && own.dli_fbase == info.dli_fbase;
  if (const auto after = own_.upper_bound(offset); is_own && after != own_.begin()) {
    const auto& [begin, function] = *std::prev(after);
    if (offset < begin + function.size) return fmt::format("{}+{:#x}", readable(function.name.c_str()), offset - begin);
  }
  return fmt::format("{}+{:#x}", info.dli_fname ? last_part(info.dli_fname) : "?", offset);
}

}  // namespace weir::runtime
