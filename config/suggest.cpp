#include "config/suggest.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "config/foreign.h"

namespace weir::config {

namespace {

constexpr size_t kLongest = 64;  // longer words aren't typing mistakes

constexpr size_t kListed = 30;    // names that a hint lists
constexpr size_t kWeighed = 100;  // problems whose names are compared with more known names than this

/// How many letters to insert, drop, change or swap with their neighbour; above `most` any number above it. Texts of
/// up to kLongest letters.
size_t edit_distance(std::string_view a, std::string_view b, size_t most) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) > most) return most + 1;
  std::array<std::array<size_t, kLongest + 1>, 3> rows;
  for (size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  size_t least_before = 0;
  for (size_t i = 1; i <= a.size(); ++i) {
    const auto& before = rows[(i - 1) % 3];
    auto& row = rows[i % 3];
    size_t least = row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = before[j - 1] + (a[i - 1] != b[j - 1]);
      row[j] = std::min({before[j] + 1, row[j - 1] + 1, change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], rows[(i - 2) % 3][j - 2] + 1);
      least = std::min(least, row[j]);
    }
    if (least > most && least_before > most) return most + 1;  // a swap reaches back two rows
    least_before = least;
  }
  return rows[a.size() % 3][b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > kLongest) return {};
  std::string best;
  size_t best_distance = 1 + word.size() / 3;
  for (const auto& candidate : candidates) {
    if (candidate.size() > kLongest) continue;
    const size_t distance = edit_distance(word, candidate, best_distance);
    if (distance >= std::max(word.size(), candidate.size())) continue;  // nothing in common
    if (distance < best_distance || (best.empty() && distance == best_distance)) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  if (auto hint = foreign_word(word, candidates); !hint.empty()) return hint;
  const auto meant = nearest(word, candidates);
  return meant.empty() ? "" : "did you mean '" + meant + "'? ";
}

void check_known(std::string_view what, const std::string& name, const Location& at, const NameSet& known,
                 Problems& problems) {
  if (known.has(name)) return;
  const auto message = "no " + std::string(what) + " is named '" + name + "'";
  if (problems.is_full()) return problems.add(at, message);
  const auto& all = known.all();
  const bool is_weighed = problems.size() < kWeighed || all.size() <= kWeighed;
  const auto list = all.empty() ? "there is none" : std::string(what) + "s: " + join_first(all, kListed);
  problems.add(at, message, (is_weighed ? did_you_mean(name, all) : "") + list);
}

std::string join_first(const std::vector<std::string>& words, size_t most) {
  if (words.size() <= most) return join(words);
  const std::vector<std::string> first(words.begin(), std::next(words.begin(), static_cast<std::ptrdiff_t>(most)));
  return join(first) + " and " + std::to_string(words.size() - most) + " more";
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

}  // namespace weir::config
