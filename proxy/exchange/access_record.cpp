#include "exchange/access_record.h"

namespace weir {

std::string_view name_of(Flag flag) {
  switch (flag) {
    case Flag::UF: return "UF";
    case Flag::UH: return "UH";
    case Flag::UO: return "UO";
    case Flag::UT: return "UT";
    case Flag::UC: return "UC";
    case Flag::UP: return "UP";
    case Flag::DC: return "DC";
    case Flag::DPE: return "DPE";
    case Flag::DT: return "DT";
    case Flag::NR: return "NR";
    case Flag::RL: return "RL";
    case Flag::CB: return "CB";
    case Flag::LR: return "LR";
    case Flag::URX: return "URX";
    case Flag::RBX: return "RBX";
    case Flag::LOOP: return "LOOP";
    case Flag::SH: return "SH";
    case Flag::FB: return "FB";
    case Flag::ST: return "ST";
    case Flag::SI: return "SI";
    case Flag::IE: return "IE";
    case Flag::SD: return "SD";
    case Flag::NC: return "NC";
  }
  return "";
}

}  // namespace weir
