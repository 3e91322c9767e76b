#include "storage/format/latest.h"

#include <algorithm>
#include <cstring>

#include "storage/format/bytes.h"
#include "storage/format/checksum.h"

namespace waterflow::storage {
namespace {

enum class Kind : uint8_t { kNone = 0, kSame = 1, kEach = 2 };

// Bit for bit: NaNs are alike, 0.0 and -0.0 are not.
bool SameBits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

Kind KindOf(const std::optional<MetricStatistics>& statistics) {
  if (!statistics.has_value()) return Kind::kNone;
  const bool same = std::all_of(
      statistics->values.begin(), statistics->values.end(),
      [](const MetricStatistics::Reduced& reduced) {
        return std::all_of(reduced.begin(), reduced.end(), [&](double value) {
          return SameBits(value, reduced[0]);
        });
      });
  return same ? Kind::kSame : Kind::kEach;
}

}  // namespace

std::string LatestKey(RunId run) {
  std::string key;
  AppendBigEndian(run.value, &key);
  return key;
}

void AppendLatestPart(const LatestPart& part, std::string* source) {
  AppendVarint(part.run.value, source);
  AppendVarint(part.rows, source);
  AppendFixed<uint8_t>(part.cut.has_value() ? 1 : 0, source);
  if (part.cut.has_value()) {
    AppendVarint(part.cut->last_attempt, source);
    AppendVarint(ZigZag(part.cut->steps_below), source);
  }
  AppendVarint(part.hiding_steps.size(), source);
  for (const auto& [attempt, step] : part.hiding_steps) {
    AppendVarint(attempt, source);
    AppendVarint(ZigZag(step), source);
  }
}

std::string EncodeLatest(absl::string_view source,
                         const std::vector<LatestEntry>& entries) {
  std::string value;
  AppendString(source, &value);
  AppendVarint(entries.size(), &value);
  uint32_t before = 0;
  for (const LatestEntry& entry : entries) {
    AppendVarint(entry.metric.value - before, &value);
    before = entry.metric.value;
    const Kind kind = KindOf(entry.statistics);
    AppendFixed(static_cast<uint8_t>(kind), &value);
    if (kind == Kind::kNone) continue;
    for (const MetricStatistics::Reduced& reduced : entry.statistics->values) {
      for (size_t i = 0; i < (kind == Kind::kSame ? 1 : reduced.size()); ++i) {
        AppendFixed(reduced[i], &value);
      }
    }
  }
  AppendChecksum(&value);
  return value;
}

bool LatestReader::Open(absl::string_view value, absl::string_view source) {
  left_ = 0;
  metric_ = 0;
  // Most that do not fit say so without their checksum.
  ByteReader in(value);
  if (in.String() != source || !in.ok()) return false;
  const absl::StatusOr<absl::string_view> checked = VerifyChecksum(value);
  if (!checked.ok()) return false;
  in = ByteReader(*checked);
  in.String();
  left_ = in.Varint();
  rest_ = in.rest();
  return in.ok();
}

bool LatestReader::Next(LatestEntry* entry) {
  if (left_ == 0) return false;
  --left_;
  ByteReader in(rest_);
  metric_ += in.Varint32();
  const auto kind = static_cast<Kind>(in.Fixed<uint8_t>());
  entry->metric.value = static_cast<uint32_t>(metric_);
  entry->statistics.reset();
  if (kind == Kind::kSame || kind == Kind::kEach) {
    MetricStatistics& statistics = entry->statistics.emplace();
    for (MetricStatistics::Reduced& reduced : statistics.values) {
      if (kind == Kind::kSame) {
        reduced.fill(in.Fixed<double>());
        continue;
      }
      for (double& value : reduced) value = in.Fixed<double>();
    }
  }
  const bool good = in.ok() && kind <= Kind::kEach && metric_ <= UINT32_MAX;
  if (!good) left_ = 0;
  rest_ = in.rest();
  return good;
}

}  // namespace waterflow::storage
