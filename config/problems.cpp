#include "config/problems.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "config/utf8.h"

namespace weir::config {

namespace {

constexpr size_t kShown = 100;   // printed by text()
constexpr size_t kWindow = 160;  // bytes of a source line

std::string count_of_problems(size_t count) { return std::to_string(count) + (count == 1 ? " problem" : " problems"); }

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// The part of a line that is printed: all of it, unless it is very long.
struct Excerpt {
  std::string_view text;
  size_t column;  // bytes before what is wrong

  Excerpt(std::string_view line, size_t before) : text(line), column(std::min(before, line.size())) {
    if (line.size() <= kWindow) return;
    size_t begin = column > kWindow / 2 ? column - kWindow / 2 : 0;
    while (begin > 0 && is_continuation(line[begin])) --begin;
    size_t end = std::min(line.size(), begin + kWindow);
    while (end < line.size() && is_continuation(line[end])) ++end;
    text = line.substr(begin, end - begin);
    column -= begin;
  }
};

/// Blanks as wide as the text; tabs stay tabs, so that they end where the line's own do.
std::string padding(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); at += character_size(text.substr(at))) {
    if (text[at] == '\t') out += '\t';
    else out.append(display_width(text.substr(at)), ' ');
  }
  return out;
}

std::string carets(std::string_view text) {
  size_t width = 0;
  for (size_t at = 0; at < text.size(); at += character_size(text.substr(at))) width += display_width(text.substr(at));
  return std::string(std::max<size_t>(width, 1), '^');
}

std::string with_caret(uint32_t line_number, const Redaction::Line& line) {
  const Excerpt excerpt(line.text, line.column);
  const auto number = std::to_string(line_number);
  return "  " + number + " | " + std::string(excerpt.text) + "\n" + std::string(number.size() + 3, ' ') + "| " +
         padding(excerpt.text.substr(0, excerpt.column)) + carets(excerpt.text.substr(excerpt.column, line.length)) +
         "\n";
}

}  // namespace

uint32_t Problems::add_source(std::string name, std::string text) {
  std::vector<uint32_t> starts{0};
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') starts.push_back(static_cast<uint32_t>(i + 1));
  }
  sources_.push_back({std::move(name), std::move(text), std::move(starts)});
  return static_cast<uint32_t>(sources_.size() - 1);
}

void Problems::add(Location at, std::string message, std::string hint) {
  ++count_;
  if (problems_.size() < kMost) problems_.push_back({std::move(at), std::move(message), std::move(hint)});
}

void Problems::warn(Location at, std::string message, std::string hint) {
  const auto is_same = [&](const Problem& known) {
    return known.message == message && known.at.file == at.file && known.at.line == at.line &&
           known.at.column == at.column;
  };
  if (warnings_.size() == kMost || std::ranges::any_of(warnings_, is_same)) return;
  warnings_.push_back({std::move(at), std::move(message), std::move(hint), Severity::warning});
}

void Problems::drop_after(size_t count) {
  count_ = std::min(count_, count);
  problems_.resize(std::min(problems_.size(), count));
}

std::string_view Problems::file_of(const Problem& problem) const {
  return problem.at.file < sources_.size() ? std::string_view(sources_[problem.at.file].name) : std::string_view();
}

std::string_view Problems::line_of(const Location& at) const {
  if (at.line == 0 || at.file >= sources_.size()) return {};
  const auto& [name, text, starts] = sources_[at.file];
  if (at.line > starts.size()) return {};
  auto line = std::string_view(text).substr(starts[at.line - 1]);
  line = line.substr(0, line.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::vector<const Problem*> Problems::sorted(const std::vector<Problem>& problems) {
  std::vector<const Problem*> sorted;
  for (const auto& problem : problems) sorted.push_back(&problem);
  // The address keeps those of one place in the order in which they were found.
  const auto place = [](const Problem* p) { return std::tuple(p->at.file, p->at.line, p->at.column, p); };
  std::sort(sorted.begin(), sorted.end(), [&](auto* a, auto* b) { return place(a) < place(b); });
  return sorted;
}

namespace {

size_t character_column(const Location& at, std::string_view line) {
  if (at.column == 0) return 0;
  return count_characters(line.substr(0, at.column - 1)) + 1;
}

}  // namespace

std::string Problems::place_of(const Problem& problem) const {
  std::string out(file_of(problem));
  if (problem.at.line == 0) return out;
  const auto column = character_column(problem.at, line_of(problem.at));
  return out + ":" + std::to_string(problem.at.line) + ":" + std::to_string(column);
}

void Problems::for_each(const std::function<void(const Problem&, std::string_view place)>& visit) const {
  for (const auto* problem : sorted(problems_)) visit(shown(*problem), place_of(*problem));
}

void Problems::for_each_warning(const std::function<void(const Problem&, std::string_view place)>& visit) const {
  for (const auto* warning : sorted(warnings_)) visit(shown(*warning), place_of(*warning));
}

Problem Problems::shown(const Problem& problem) const {
  Problem told = problem;
  told.message = without_controls(redaction_.message(problem.message, problem.at));
  told.hint = without_controls(redaction_.message(problem.hint, problem.at));
  told.at.path = without_controls(problem.at.path);
  return told;
}

/// The source line with a caret.
std::string Problems::excerpt(const Location& at) const {
  const auto line_at = [&](uint32_t number) { return line_of({.file = at.file, .line = number}); };
  return with_caret(at.line, redaction_.line(at, line_at));
}

std::string Problems::heading(const Problem& problem) const {
  std::string out = place_of(problem);
  const std::string severity = problem.severity == Severity::warning ? "warning" : "";
  for (const auto& part : {severity, problem.at.path, problem.message}) {
    if (!part.empty()) out += (out.empty() ? "" : ": ") + part;
  }
  return out + "\n";
}

std::string Problems::explained(const Problem& known) const {
  const Problem problem = shown(known);
  std::string out = heading(problem);
  if (problem.at.line > 0) out += excerpt(problem.at);
  const auto margin = problem.at.line > 0 ? std::to_string(problem.at.line).size() + 3 : 4;
  if (!problem.hint.empty()) out += std::string(margin, ' ') + "= " + problem.hint + "\n";
  return out;
}

std::string Problems::text(std::string_view outcome) const {
  const auto all = sorted(problems_);
  if (all.empty()) return {};
  std::string out;
  for (size_t i = 0; i < std::min(all.size(), kShown); ++i) out += explained(*all[i]);
  if (count_ > kShown) out += "and " + std::to_string(count_ - kShown) + " more\n";
  const auto file = file_of(*all.front());
  out += std::string(file) + (file.empty() ? "" : ": ") + count_of_problems(count_);
  return out + (outcome.empty() ? "" : "; ") + std::string(outcome) + "\n";
}

std::string Problems::warnings_text() const {
  const auto all = sorted(warnings_);
  std::string out;
  for (size_t i = 0; i < std::min(all.size(), kShown); ++i) out += explained(*all[i]);
  if (all.size() > kShown) out += "and " + std::to_string(all.size() - kShown) + " more warnings\n";
  return out;
}

std::string Problems::json() const {
  auto list = nlohmann::ordered_json::array();
  auto all = sorted(problems_);
  std::ranges::copy(sorted(warnings_), std::back_inserter(all));
  for (const auto* problem : all) {
    const auto line = line_of(problem->at);
    const auto told = shown(*problem);
    const auto column = character_column(problem->at, line);
    const auto part = column > 0 && problem->at.column - 1 <= line.size()
                          ? line.substr(problem->at.column - 1, problem->at.length)
                          : std::string_view();
    list.push_back({{"severity", problem->severity == Severity::warning ? "warning" : "error"},
                    {"file", file_of(*problem)},
                    {"line", problem->at.line},
                    {"column", column},
                    {"length", count_characters(part)},
                    {"path", told.at.path},
                    {"message", told.message},
                    {"hint", told.hint}});
  }
  return list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace weir::config
