#include "storage/keep/merge_plan.h"

#include <algorithm>

namespace waterflow::storage {
namespace {

// A generation is not rewritten to join others of less than a quarter of it.
constexpr uint64_t kSettleRatio = 4;

std::optional<MergeChoice> PlanRewrite(
    absl::Span<const GenerationShape> generations) {
  for (size_t i = 0; i < generations.size(); ++i) {
    const GenerationShape& g = generations[i];
    if (!g.fixed && g.dead_rows > 0) {
      return MergeChoice{i, i + 1, g.level};
    }
  }
  return std::nullopt;
}

}  // namespace

bool IsFull(const GenerationShape& shape, const MergePolicy& policy) {
  return shape.fixed || shape.level >= policy.max_level ||
         shape.bytes >= policy.max_bytes ||
         shape.rows >= policy.full_chunk_rows * shape.strips;
}

std::optional<MergeChoice> PlanMerge(
    absl::Span<const GenerationShape> generations, const MergePolicy& policy) {
  if (policy.fan_in < 2) return std::nullopt;
  if (const auto choice = PlanRewrite(generations)) return choice;
  for (uint32_t level = 0; level < policy.max_level; ++level) {
    // A row of neighbours that begins with one of this level; lower ones in
    // between go with it.
    size_t begin = 0;
    uint32_t count = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < generations.size(); ++i) {
      const GenerationShape& g = generations[i];
      if (IsFull(g, policy) || g.level > level) {
        count = 0;
        continue;
      }
      if (count > 0 && bytes + g.bytes > policy.max_bytes) {
        if (count >= 2) return MergeChoice{begin, i, level + 1};
        count = 0;
      }
      if (count == 0) {
        if (g.level < level) continue;
        begin = i;
        bytes = 0;
      }
      bytes += g.bytes;
      if (g.level == level) ++count;
      if (count == policy.fan_in) return MergeChoice{begin, i + 1, level + 1};
    }
  }
  return std::nullopt;
}

std::optional<MergeChoice> PlanSettle(
    absl::Span<const GenerationShape> generations, const MergePolicy& policy) {
  if (policy.fan_in < 2) return std::nullopt;
  if (const auto choice = PlanRewrite(generations)) return choice;
  for (size_t end = generations.size(); end > 0; --end) {
    uint64_t bytes = 0;
    uint32_t level = 0;
    size_t begin = end;
    while (begin > 0) {
      const GenerationShape& g = generations[begin - 1];
      if (IsFull(g, policy)) break;
      if (begin < end && (g.bytes > kSettleRatio * bytes ||
                          g.bytes + bytes > policy.max_bytes)) {
        break;
      }
      bytes += g.bytes;
      level = std::max(level, g.level);
      --begin;
    }
    if (end - begin >= 2) return MergeChoice{begin, end, level};
  }
  return std::nullopt;
}

}  // namespace waterflow::storage
