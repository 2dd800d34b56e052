#include "plugins/cache/storage/object.h"

#include <cstring>

namespace weir::plugins {

namespace {

std::string_view value_of(const std::vector<http::Header>& fields, http::Field wanted) {
  for (const auto& field : fields) {
    if (field.field == wanted) return field.value;
  }
  return {};
}

}  // namespace

void Object::reserve(const http::Headers& headers) {
  for (const auto& header : headers) text_size_ += header.name.size() + header.value.size();
  text_ = std::make_unique_for_overwrite<char[]>(text_size_);
  at_ = text_.get();
  fields_.reserve(headers.size());
}

void Object::keep(const http::Header& header) {
  const auto keep_text = [&](std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return std::string_view(at_ - text.size(), text.size());
  };
  const auto name = keep_text(header.name);
  fields_.push_back({name, keep_text(header.value), header.field});
}

void Object::find_validators() {
  validators_ = {value_of(fields_, http::Field::etag), value_of(fields_, http::Field::last_modified),
                 value_of(fields_, http::Field::date)};
}

size_t Object::overhead() const {
  constexpr size_t kOfAllocator = 8 * 16;  // what it adds to this, its content, and their tables
  size_t bytes = sizeof(Object) + sizeof(Content) + kOfAllocator + text_size_ +
                 fields_.capacity() * sizeof(http::Header) + tags.capacity() * sizeof(uint64_t);
  for (const auto& member : selection.members) bytes += sizeof member + member.name.size() + member.value.size();
  return bytes;
}

}  // namespace weir::plugins
