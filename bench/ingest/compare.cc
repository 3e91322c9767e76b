#include "bench/ingest/compare.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_format.h"

namespace waterflow::bench {
namespace {

// With fewer, all of one lie above all of the other too often by chance.
constexpr size_t kLeastRuns = 3;

Verdict Judge(const MeasureInfo& info, const Spread& a, const Spread& b,
              double least) {
  const bool apart = a.high < b.low || b.high < a.low;
  const double larger = std::max(std::abs(a.median), std::abs(b.median));
  if (!apart || std::abs(a.median - b.median) <= least * larger) {
    return Verdict::kSame;
  }
  if (info.better == Better::kNeither) return Verdict::kOther;
  return (b.median < a.median) == (info.better == Better::kLower)
             ? Verdict::kBetter
             : Verdict::kWorse;
}

const char* Word(Verdict verdict) {
  switch (verdict) {
    case Verdict::kBetter:
      return "better";
    case Verdict::kWorse:
      return "WORSE";
    case Verdict::kOther:
      return "other";
    case Verdict::kSame:
    case Verdict::kFew:
      break;
  }
  return "";
}

}  // namespace

std::vector<Change> Compare(const Results& a, const Results& b, double least) {
  std::vector<Change> changes;
  for (const Cell& cell : a.cells) {
    const Cell* other = b.Find(cell.shape, cell.subject);
    if (other == nullptr) continue;
    for (const MeasureInfo& info : MeasureInfos()) {
      const std::optional<Spread> of_a = cell.Get(info.key);
      const std::optional<Spread> of_b = other->Get(info.key);
      if (!of_a.has_value() || !of_b.has_value()) continue;
      Change change{.name = cell.name,
                    .subject = cell.subject,
                    .measure = info.key,
                    .a = *of_a,
                    .b = *of_b};
      change.verdict =
          std::min(cell.runs.size(), other->runs.size()) < kLeastRuns
              ? Verdict::kFew
              : Judge(info, change.a, change.b, least);
      changes.push_back(std::move(change));
    }
  }
  return changes;
}

void PrintChanges(const Results& a, const Results& b,
                  const std::vector<Change>& changes, std::ostream& out) {
  out << absl::StrFormat("A: %s, %s\nB: %s, %s\n\n", a.date, a.machine, b.date,
                         b.machine);
  size_t different = 0;
  size_t few = 0;
  for (const Change& change : changes) {
    few += change.verdict == Verdict::kFew;
    if (*Word(change.verdict) == '\0') continue;
    if (different++ == 0) {
      out << absl::StrFormat("%-36s %-17s %-24s %34s %34s\n", "shape",
                             "subject", "measure", "A (low to high)",
                             "B (low to high)");
    }
    const auto text = [](const Spread& s) {
      return absl::StrFormat("%.4g (%.4g to %.4g)", s.median, s.low, s.high);
    };
    out << absl::StrFormat(
        "%-36s %-17s %-24s %34s %34s %+6.1f%% %s\n", change.name,
        change.subject, change.measure, text(change.a), text(change.b),
        100 * (change.b.median / change.a.median - 1), Word(change.verdict));
  }
  out << absl::StrFormat(
      "%s%d of %d figures differ beyond what repetitions differ among "
      "themselves\n",
      different == 0 ? "" : "\n", different, changes.size());
  if (few > 0) {
    out << absl::StrFormat(
        "%d figures have fewer than %d repetitions on one side: nothing can be "
        "said of them (--repeat)\n",
        few, kLeastRuns);
  }
}

}  // namespace waterflow::bench
