#include "config/redaction.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/text.h"

// Invariants. Positions of secret values are known only for what the reader has read: a syntax error leaves none, and a
// misspelled setting none for its value. So every line is looked at as text, too, and hiding too much is right where
// the text is ambiguous. A value that goes on over several lines is known by its first: lines that are indented more
// than a line with a secret belong to the secret.

namespace weir::config {

namespace {

constexpr size_t kTelling = 4;  // bytes of a secret that is hidden wherever it stands; shorter ones only in quotes
constexpr size_t npos = std::string_view::npos;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), to_lower);
  return out;
}

/// Of settings, `key` is a key expression or a file, and so is what ends with `_file`.
bool is_secret_key(std::string_view name) {
  return !equals_ignoring_case(name, "key") && !lower(name).ends_with("_file") && is_secret_name(name);
}

/// Where the text of a line begins: behind its indent and the dashes of lists.
size_t begin_of(std::string_view line) {
  size_t at = 0;
  while (at < line.size()) {
    if (line[at] == ' ') ++at;
    else if (line[at] == '-' && at + 1 < line.size() && line[at + 1] == ' ') at += 2;
    else break;
  }
  return at;
}

/// The end of a quoted text that begins at `at`, behind its quote.
size_t end_of_quoted(std::string_view line, size_t at) {
  const char quote = line[at];
  for (size_t i = at + 1; i < line.size(); ++i) {
    const bool is_escaped = quote == '"' ? line[i] == '\\' : line.substr(i, 2) == "''";
    if (is_escaped) ++i;
    else if (line[i] == quote) return i + 1;
  }
  return line.size();
}

struct Span {
  size_t begin;
  size_t end;
};

struct Key {
  std::string_view name;
  size_t end;  // behind the colon
};

/// A key that begins at `at`: `name:`, `"name":`.
std::optional<Key> key_at(std::string_view line, size_t at) {
  std::string_view name;
  size_t end = at;
  if (line[at] == '"' || line[at] == '\'') {
    end = end_of_quoted(line, at);
    if (end < at + 2) return std::nullopt;
    name = line.substr(at + 1, end - at - 2);
  } else {
    end = std::min(line.find_first_of(" \t,:{}[]\"'#", at), line.size());
    name = line.substr(at, end - at);
  }
  while (end < line.size() && is_blank(line[end])) ++end;
  if (name.empty() || end == line.size() || line[end] != ':') return std::nullopt;
  return Key{name, end + 1};
}

/// Where an unquoted value ends: at a bracket, at the comma before another key, or with the line.
size_t end_of_plain(std::string_view line, size_t at) {
  for (size_t i = at; i < line.size(); ++i) {
    if (line[i] == '}' || line[i] == ']') return i;
    if (line[i] != ',') continue;
    size_t next = i + 1;
    while (next < line.size() && is_blank(line[next])) ++next;
    if (next < line.size() && key_at(line, next)) return i;
  }
  return line.size();
}

size_t end_of_value(std::string_view line, size_t at) {
  if (line[at] == '"' || line[at] == '\'') return end_of_quoted(line, at);
  if (line[at] == '{' || line[at] == '[') return line.size();
  return end_of_plain(line, at);
}

/// visit(begin, end) of each value behind a telling name.
template <class Visit>
void for_each_named_secret(std::string_view line, Visit visit) {
  for (size_t at = 0; at < line.size();) {
    const bool is_start = at == 0 || std::string_view(" \t,{[-#").contains(line[at - 1]);
    const auto key = is_start ? key_at(line, at) : std::nullopt;
    if (!key) {
      ++at;
      continue;
    }
    at = key->end;
    if (!is_secret_key(key->name)) continue;
    while (at < line.size() && is_blank(line[at])) ++at;
    if (at == line.size()) return;
    const size_t begin = at;
    at = std::max(end_of_value(line, at), begin + 1);
    visit(begin, at);
  }
}

/// visit(begin, end) of user and password of each URL: `redis://user:password@host`.
template <class Visit>
void for_each_login(std::string_view text, Visit visit) {
  for (size_t at = 0; (at = text.find("://", at)) != npos;) {
    at += 3;
    const auto end = std::min(text.find_first_of(" \t\"'<>", at), text.size());
    const auto login = text.substr(at, end - at).rfind('@');
    if (login != npos) visit(at, at + login);
    at = end;
  }
}

/// visit(begin, end) of the default of each `${NAME:-default}`.
template <class Visit>
void for_each_default(std::string_view text, Visit visit) {
  for (size_t at = 0; (at = text.find("${", at)) != npos;) {
    const auto end = std::min(text.find('}', at), text.size());
    const auto begin = text.substr(0, end).find(":-", at);
    if (begin != npos && begin + 2 < end) visit(begin + 2, end);
    at = end;
  }
}

void replace_all(std::string& text, const std::string& what, std::string_view by) {
  for (size_t at = 0; (at = text.find(what, at)) != npos; at += by.size()) text.replace(at, what.size(), by);
}

/// Quoted parts of a message about a secret that are parts of it.
void hide_quoted(std::string& message, std::string_view secret) {
  for (size_t at = 0; (at = message.find('\'', at)) != npos;) {
    const auto end = message.find('\'', at + 1);
    if (end == npos) return;
    auto part = std::string_view(message).substr(at + 1, end - at - 1);
    constexpr std::string_view kMore = "…";
    if (part.ends_with(kMore)) part.remove_suffix(kMore.size());
    const bool is_of_secret = !part.empty() && secret.contains(part);
    if (is_of_secret) message.replace(at + 1, end - at - 1, kMask);
    at = message.find('\'', at + 1) + 1;
  }
}

}  // namespace

bool is_secret_name(std::string_view name) {
  const auto text = lower(name);
  for (const std::string_view whole :
       {"authorization", "proxy-authorization", "cookie", "set-cookie", "key", "apikey"}) {
    if (text == whole) return true;
  }
  if (text.ends_with("-key") || text.ends_with("_key")) return true;
  for (const std::string_view part : {"password", "passwd", "secret", "token", "credential", "signature"}) {
    if (text.contains(part)) return true;
  }
  return false;
}

void Redaction::hide(const Location& at, std::string text) {
  if (at.line > 0 && at.column > 0)
    values_.insert_or_assign({at.file, at.line, at.column - 1}, Value{std::max<size_t>(at.length, 1), text});
  if (!text.empty()) texts_.insert(std::move(text));
}

bool Redaction::has_value_in(uint32_t file, uint32_t line) const {
  return first_in(file, line) != first_in(file, line + 1);
}

std::string Redaction::message(std::string_view message, const Location& at) const {
  std::string out(message);
  if (const auto found = values_.find({at.file, at.line, at.column - 1}); at.column > 0 && found != values_.end())
    hide_quoted(out, found->second.text);
  for (const auto& text : texts_) {
    if (text.size() >= kTelling) replace_all(out, text, kMask);
    else replace_all(out, "'" + text + "'", "'***'");
  }
  std::vector<Span> logins;
  for_each_login(out, [&](size_t begin, size_t end) { logins.push_back({begin, end}); });
  for (auto login = logins.rbegin(); login != logins.rend(); ++login)
    out.replace(login->begin, login->end - login->begin, kMask);
  return out;
}

/// Is a line around this one a secret's, so that this one belongs to its value?
bool Redaction::is_below_secret(const Location& at, const std::function<std::string_view(uint32_t)>& line_of) const {
  size_t indent = begin_of(line_of(at.line));
  for (uint32_t number = at.line - 1; number > 0 && indent > 0; --number) {
    const auto line = line_of(number);
    const size_t begin = begin_of(line);
    if (begin >= indent || begin == line.size() || line[begin] == '#') continue;
    indent = begin;
    if (has_value_in(at.file, number)) return true;
    const auto key = key_at(line, begin);
    if (key && is_secret_key(key->name)) return true;
  }
  return false;
}

Redaction::Line Redaction::line(const Location& at, const std::function<std::string_view(uint32_t)>& line_of) const {
  const auto line = line_of(at.line);
  std::vector<Span> hidden;
  const auto add = [&](size_t begin, size_t end) { hidden.push_back({begin, std::min(end, line.size())}); };
  if (is_below_secret(at, line_of)) add(begin_of(line), line.size());
  for_each_named_secret(line, add);
  for_each_login(line, add);
  for_each_default(line, add);
  for (auto value = first_in(at.file, at.line); value != first_in(at.file, at.line + 1); ++value) {
    const size_t begin = std::get<2>(value->first);
    add(begin, begin + value->second.size);
  }
  std::ranges::sort(hidden, {}, &Span::begin);

  Line out{{}, npos, at.length};
  const size_t column = std::min<size_t>(at.column > 0 ? at.column - 1 : 0, line.size());
  size_t done = 0;
  const auto copy_to = [&](size_t end) {
    if (column >= done && column < end) out.column = out.text.size() + column - done;
    out.text += line.substr(done, end - done);
    done = end;
  };
  for (const auto& [begin, end] : hidden) {
    if (end <= done) continue;
    if (begin > done) copy_to(begin);
    if (column >= done && column < end) {
      out.column = out.text.size();
      out.length = kMask.size();
    }
    if (!out.text.ends_with(kMask)) out.text += kMask;
    done = end;
  }
  copy_to(line.size());
  if (out.column == npos) out.column = out.text.size();
  return out;
}

}  // namespace weir::config
