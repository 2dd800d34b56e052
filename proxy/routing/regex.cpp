#include "routing/regex.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <array>

namespace weir::routing {

namespace {

RE2::Options options(Case letters) {
  RE2::Options out(RE2::Quiet);
  out.set_encoding(RE2::Options::EncodingLatin1);
  out.set_case_sensitive(letters == Case::sensitive);
  out.set_dot_nl(true);
  return out;
}

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::expected<Regex, std::string> Regex::compile(std::string_view pattern, Case letters) {
  auto program = std::make_shared<const RE2>(piece(pattern), options(letters));
  if (!program->ok()) return std::unexpected(program->error());
  return Regex(std::move(program));
}

bool Regex::matches(std::string_view text) const { return RE2::FullMatch(piece(text), *program_); }

bool Regex::match(std::string_view text, std::span<std::string_view, kMostGroups + 1> groups) const {
  std::array<re2::StringPiece, kMostGroups + 1> found;
  const int wanted = static_cast<int>(std::min(this->groups(), kMostGroups)) + 1;
  if (!program_->Match(piece(text), 0, text.size(), RE2::ANCHOR_BOTH, found.data(), wanted)) return false;
  std::ranges::transform(found, groups.begin(),
                         [](auto group) { return std::string_view(group.data(), group.size()); });
  return true;
}

bool Regex::may_begin_with(char first) const {
  // Only an anchored expression has a range. Longer bounds would cost more and tell no more about the first byte.
  const RE2 anchored("^(?:" + pattern() + ")$", program_->options());
  std::string least, most;
  if (!anchored.ok() || !anchored.PossibleMatchRange(&least, &most, 10)) return true;
  const auto byte = [](char c) { return static_cast<unsigned char>(c); };
  const bool is_below = !most.empty() && byte(most.front()) < byte(first);
  const bool is_above = !least.empty() && byte(least.front()) > byte(first);
  return !is_below && !is_above;  // an empty `most`: no bound
}

size_t Regex::groups() const { return static_cast<size_t>(program_->NumberOfCapturingGroups()); }
const std::string& Regex::pattern() const { return program_->pattern(); }

struct RegexSet::Program {
  explicit Program(Case letters) : set(options(letters), RE2::ANCHOR_BOTH) {}
  RE2::Set set;
};

RegexSet::RegexSet() noexcept = default;
RegexSet::RegexSet(RegexSet&&) noexcept = default;
RegexSet& RegexSet::operator=(RegexSet&&) noexcept = default;
RegexSet::~RegexSet() = default;

RegexSet::RegexSet(std::vector<Regex> expressions, Case letters) : expressions_(std::move(expressions)) {
  if (expressions_.empty()) return;
  auto program = std::make_unique<Program>(letters);
  for (const auto& expression : expressions_) program->set.Add(expression.pattern(), nullptr);
  if (program->set.Compile()) program_ = std::move(program);
}

std::span<const int> RegexSet::matches(std::string_view text) const {
  thread_local std::vector<int> found;
  found.clear();
  if (expressions_.empty()) return found;
  RE2::Set::ErrorInfo error{RE2::Set::kOutOfMemory};
  if (program_ && program_->set.Match(piece(text), &found, &error)) {
    std::ranges::sort(found);
    return found;
  }
  if (error.kind == RE2::Set::kNoError) return found;
  // Too large for one automaton: one by one is slower, and as right.
  found.clear();
  for (size_t i = 0; i < expressions_.size(); ++i) {
    if (expressions_[i].matches(text)) found.push_back(static_cast<int>(i));
  }
  return found;
}

}  // namespace weir::routing
