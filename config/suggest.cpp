#include "config/suggest.h"

#include <algorithm>

namespace weir::config {

namespace {

constexpr size_t kLongest = 64;  // longer words aren't typing mistakes

/// How many letters to insert, drop, change or swap with their neighbour.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > kLongest) return {};
  std::string best;
  size_t best_distance = 1 + word.size() / 3;
  for (const auto& candidate : candidates) {
    if (candidate.size() > kLongest) continue;
    const size_t distance = edit_distance(word, candidate);
    if (distance >= std::max(word.size(), candidate.size())) continue;  // nothing in common
    if (distance < best_distance || (best.empty() && distance == best_distance)) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const auto meant = nearest(word, candidates);
  return meant.empty() ? "" : "did you mean '" + meant + "'? ";
}

void check_known(std::string_view what, const std::string& name, const Location& at,
                 const std::vector<std::string>& known, Problems& problems) {
  if (std::ranges::find(known, name) != known.end()) return;
  const auto all = known.empty() ? "there is none" : std::string(what) + "s: " + join(known);
  problems.add(at, "no " + std::string(what) + " is named '" + name + "'", did_you_mean(name, known) + all);
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

}  // namespace weir::config
