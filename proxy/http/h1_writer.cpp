#include "http/h1_writer.h"

#include <charconv>
#include <cstring>

#include "http/framing.h"

namespace weir::http {

namespace {

// Gathers a head on the stack, so that the Output is asked once and not four times a field.
class Text {
 public:
  explicit Text(Output& output) : output_(output) {}
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;
  ~Text() { flush(); }

  void add(std::string_view text) {
    if (!has_room(text.size())) return output_.append(text);
    put(text);
  }
  void add_number(uint64_t value, int base = 10) {
    char digits[20];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value, base);
    add({digits, static_cast<size_t>(end - digits)});
  }
  void add_field(std::string_view name, std::string_view value) {
    if (!has_room(name.size() + value.size() + 4)) {
      for (const auto part : {name, std::string_view(": "), value, std::string_view("\r\n")}) output_.append(part);
      return;
    }
    put(name);
    put(": ");
    put(value);
    put("\r\n");
  }

 private:
  // False: more than there can be; what was gathered has gone ahead of it.
  bool has_room(size_t size) {
    if (size <= sizeof bytes_ - size_) [[likely]]
      return true;
    flush();
    return size <= sizeof bytes_;
  }
  // Names and values are short: two moves that overlap, and no call.
  [[gnu::always_inline]] void put(std::string_view text) {
    const char* from = text.data();
    const size_t size = text.size();
    char* to = bytes_ + size_;
    size_ += size;
    if (size > 32) {
      std::memcpy(to, from, size);
    } else if (size >= 16) {
      std::memcpy(to, from, 16);
      std::memcpy(to + size - 16, from + size - 16, 16);
    } else if (size >= 8) {
      std::memcpy(to, from, 8);
      std::memcpy(to + size - 8, from + size - 8, 8);
    } else if (size >= 4) {
      std::memcpy(to, from, 4);
      std::memcpy(to + size - 4, from + size - 4, 4);
    } else {
      for (size_t i = 0; i < size; ++i) to[i] = from[i];
    }
  }
  void flush() {
    output_.append(std::string_view(bytes_, size_));
    size_ = 0;
  }

  Output& output_;
  size_t size_ = 0;
  char bytes_[1024];
};

void add_connection(Text& text, const Marks& marks, bool upgrade, bool te) {
  std::string_view separator = "Connection: ";
  const auto add_option = [&](std::string_view option) {
    text.add(separator);
    text.add(option);
    separator = ", ";
  };
  if (marks.connection == Marks::Connection::close) add_option("close");
  if (marks.connection == Marks::Connection::keep_alive) add_option("keep-alive");
  if (upgrade) add_option("upgrade");
  if (te) add_option("te");
  if (separator == ", ") text.add("\r\n");
}

void add_fields(Text& text, const Headers& headers, const Marks& marks, bool is_request) {
  bool upgrade = !marks.upgrade.empty();
  bool te = false;
  bool had_length = false;
  for (const Header& header : headers) {
    switch (header.field) {
      case Field::host:
        if (is_request) continue;
        break;
      case Field::connection:
      case Field::transfer_encoding: continue;
      case Field::content_length:
        if (marks.length != Marks::Length::as_given || had_length) continue;
        had_length = true;
        break;
      case Field::upgrade:
        if (!marks.upgrade.empty()) continue;
        upgrade = true;
        break;
      case Field::te: te = true; break;
      default: break;
    }
    text.add_field(header.name, header.value);
  }
  if (marks.length == Marks::Length::known) {
    text.add("Content-Length: ");
    text.add_number(marks.bytes);
    text.add("\r\n");
  }
  if (marks.length == Marks::Length::chunked) text.add("Transfer-Encoding: chunked\r\n");
  if (!marks.upgrade.empty()) text.add_field("Upgrade", marks.upgrade);
  if (!marks.key.empty()) text.add_field("Sec-WebSocket-Key", marks.key);
  if (!marks.accept.empty()) text.add_field("Sec-WebSocket-Accept", marks.accept);
  add_connection(text, marks, upgrade, te);
  text.add("\r\n");
}

}  // namespace

void write_head(Output& output, const RequestHead& head, const Marks& marks) {
  Text text(output);
  text.add(head.method_name.empty() ? name_of(head.method) : head.method_name);
  text.add(" ");
  text.add(head.path.empty() ? head.authority : head.path);  // authority-form for CONNECT
  if (head.has_query) {
    text.add("?");
    text.add(head.query);
  }
  text.add(" HTTP/1.1\r\n");
  text.add_field("Host", head.authority);
  add_fields(text, head.headers, marks, true);
}

void write_head(Output& output, const ResponseHead& head, const Marks& marks) {
  Text text(output);
  text.add("HTTP/1.1 ");
  text.add_number(head.status);
  text.add(" ");
  text.add(head.reason.empty() ? reason_of(head.status) : head.reason);
  text.add("\r\n");
  add_fields(text, head.headers, marks, false);
}

void write_chunk(Output& output, Slice data) {
  if (data.empty()) return;
  {
    Text size(output);
    size.add_number(data.size(), 16);
    size.add("\r\n");
  }
  output.append(std::move(data));
  output.append("\r\n");
}

void write_last_chunk(Output& output, const Headers* trailers) {
  if (!trailers || trailers->empty()) return output.append("0\r\n\r\n");
  Text text(output);
  text.add("0\r\n");
  for (const Header& trailer : *trailers) {
    if (may_be_trailer(trailer)) text.add_field(trailer.name, trailer.value);
  }
  text.add("\r\n");
}

}  // namespace weir::http
