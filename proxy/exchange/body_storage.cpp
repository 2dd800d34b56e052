#include "exchange/body_storage.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace weir {

std::string_view BodyStorage::Fault::reason() const {
  if (step == "files") return "the client has its share of the process' temporary files";
  if (step == "bytes") return "the client has its share of the disk's free space, or of max_size";
  if (step == "queue") return "too many calls of the client wait for the disk";
  if (error == ETIMEDOUT) return "the disk did not respond in time";
  return std::strerror(error);
}

BodyFile::BodyFile(const BodyStorage& storage, std::string_view client)
    : folder_(storage.folder),
      max_size_(storage.max_size),
      client_(client),
      files_(storage.files),
      bytes_(storage.bytes),
      place_(files_->enter(client, storage.most_files)) {}

int BodyFile::append(std::string_view text) {
  if (!has_room(size_ + text.size())) return EDQUOT;
  const int error = file_.append(text);
  if (error == 0) size_ += text.size();
  return error;
}

bool BodyFile::has_room(uint64_t size) {
  const uint64_t wanted = (size + kUnit - 1) / kUnit;
  if (wanted <= units_) return true;
  int64_t places = std::numeric_limits<int64_t>::max();
  if (max_size_ > 0) places = static_cast<int64_t>(std::max<uint64_t>(max_size_ / kUnit, 1));
  if (const auto free = file_.free_space())
    places = std::min(places, bytes_->taken() + static_cast<int64_t>(*free / kUnit));
  if (!bytes_place_) {
    bytes_place_ = bytes_->enter(client_, places);
    if (!bytes_place_) return false;
    units_ = 1;
  }
  if (wanted > units_ && !bytes_place_.grow(static_cast<int32_t>(wanted - units_), places)) return false;
  units_ = wanted;
  return true;
}

}  // namespace weir
