#include "storage/format/summary.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/format/axis.h"
#include "storage/format/bytes.h"
#include "storage/format/checksum.h"

namespace waterflow::storage {
namespace {

enum Flags : uint8_t { kEmpty = 1, kFloat32 = 2 };

bool FitsFloat32(double value) {
  // By bits: a NaN that the cast would change does not fit.
  return std::bit_cast<uint64_t>(static_cast<double>(
             static_cast<float>(value))) == std::bit_cast<uint64_t>(value);
}

void CountNonFinite(double value, Summary* s) {
  if (std::isnan(value)) {
    ++s->nan_count;
  } else if (value > 0) {
    ++s->pos_inf_count;
  } else {
    ++s->neg_inf_count;
  }
}

// Values of rows[i], or of row first + i when `rows` is null.
Summary SummarizeSpan(const double* values, const uint32_t* rows,
                      uint32_t first, size_t count) {
  const auto row = [&](size_t i) {
    return rows == nullptr ? first + static_cast<uint32_t>(i) : rows[i];
  };
  Summary s;
  if (count == 0) return s;
  double sum = 0;
  size_t min_at = count;
  size_t max_at = count;
  double min = HUGE_VAL;
  double max = -HUGE_VAL;
  for (size_t i = 0; i < count; ++i) {
    const double value = values[i];
    if (!std::isfinite(value)) {
      CountNonFinite(value, &s);
      continue;
    }
    sum += value;
    if (value < min) {
      min = value;
      min_at = i;
    }
    if (value > max) {
      max = value;
      max_at = i;
    }
  }
  s.count = static_cast<uint32_t>(count) - s.nan_count - s.pos_inf_count -
            s.neg_inf_count;
  s.first = values[0];
  s.last = values[count - 1];
  s.first_row = row(0);
  s.last_row = row(count - 1);
  if (s.count == 0) return s;
  s.min = min;
  s.max = max;
  s.min_row = row(min_at);
  s.max_row = row(max_at);
  s.mean = sum / s.count;
  if (!std::isfinite(s.mean)) {  // the sum overflowed: add up the parts
    s.mean = 0;
    for (size_t i = 0; i < count; ++i) {
      if (std::isfinite(values[i])) s.mean += values[i] / s.count;
    }
  }
  for (size_t i = 0; i < count; ++i) {
    if (!std::isfinite(values[i])) continue;
    const double distance = values[i] - s.mean;
    s.m2 += distance * distance;
  }
  return s;
}

void AppendSummary(const Summary& s, std::string* out) {
  if (s.values() == 0) {
    out->push_back(kEmpty);
    return;
  }
  const bool narrow = FitsFloat32(s.first) && FitsFloat32(s.last) &&
                      FitsFloat32(s.min) && FitsFloat32(s.max);
  out->push_back(narrow ? kFloat32 : 0);
  for (const uint32_t n : {s.count, s.nan_count, s.pos_inf_count,
                           s.neg_inf_count, s.first_row, s.last_row}) {
    AppendVarint(n, out);
  }
  if (s.count > 0) {
    AppendVarint(s.min_row, out);
    AppendVarint(s.max_row, out);
    AppendFixed(s.mean, out);
    AppendFixed(s.m2, out);
  }
  const auto append = [&](double value) {
    if (narrow) {
      AppendFixed(static_cast<float>(value), out);
    } else {
      AppendFixed(value, out);
    }
  };
  append(s.first);
  append(s.last);
  if (s.count > 0) {
    append(s.min);
    append(s.max);
  }
}

Summary ReadSummary(ByteReader* in) {
  Summary s;
  const uint8_t flags = in->Fixed<uint8_t>();
  if (flags & kEmpty) return s;
  s.count = in->Varint32();
  s.nan_count = in->Varint32();
  s.pos_inf_count = in->Varint32();
  s.neg_inf_count = in->Varint32();
  s.first_row = in->Varint32();
  s.last_row = in->Varint32();
  if (s.count > 0) {
    s.min_row = in->Varint32();
    s.max_row = in->Varint32();
    s.mean = in->Fixed<double>();
    s.m2 = in->Fixed<double>();
  }
  const auto read = [&] {
    return flags & kFloat32 ? static_cast<double>(in->Fixed<float>())
                            : in->Fixed<double>();
  };
  s.first = read();
  s.last = read();
  if (s.count > 0) {
    s.min = read();
    s.max = read();
  }
  return s;
}

}  // namespace

void Summary::Merge(const Summary& later) {
  if (later.values() == 0) return;
  if (values() == 0) {
    *this = later;
    return;
  }
  if (later.count > 0 && (count == 0 || later.min < min)) {
    min = later.min;
    min_row = later.min_row;
  }
  if (later.count > 0 && (count == 0 || later.max > max)) {
    max = later.max;
    max_row = later.max_row;
  }
  if (later.count > 0) {
    const double n = static_cast<double>(count) + later.count;
    const double distance = later.mean - mean;
    m2 += later.m2 + distance * distance * count * (later.count / n);
    mean += distance * (later.count / n);
  }
  count += later.count;
  nan_count += later.nan_count;
  pos_inf_count += later.pos_inf_count;
  neg_inf_count += later.neg_inf_count;
  last = later.last;
  last_row = later.last_row;
}

StripSummary Summarize(const ChunkValues& chunk) {
  StripSummary strip;
  std::vector<uint32_t> rows;
  if (!chunk.dense()) chunk.AppendRows(&rows);
  size_t at = 0;
  for (uint32_t begin = 0; begin < chunk.rows; begin += kSummarySpanRows) {
    const uint32_t end = std::min(chunk.rows, begin + kSummarySpanRows);
    size_t count = end - begin;
    if (!chunk.dense()) {
      count = std::lower_bound(rows.begin() + at, rows.end(), end) -
              (rows.begin() + at);
    }
    const Summary span =
        SummarizeSpan(chunk.values.data() + at,
                      chunk.dense() ? nullptr : rows.data() + at, begin, count);
    at += count;
    strip.all.Merge(span);
    if (chunk.rows > 2 * kSummarySpanRows) strip.spans.push_back(span);
  }
  return strip;
}

void SummaryBuilder::Add(const StripSummary& strip) {
  AppendVarint(strip.spans.size(), &strips_);
  AppendSummary(strip.all, &strips_);
  for (const Summary& span : strip.spans) AppendSummary(span, &strips_);
  ++count_;
}

std::string SummaryBuilder::Build() && {
  std::string out;
  AppendVarint(count_, &out);
  out.append(strips_);
  AppendChecksum(&out);
  return out;
}

absl::StatusOr<std::vector<StripSummary>> ParseSummaries(
    absl::string_view bytes) {
  absl::StatusOr<absl::string_view> body = VerifyChecksum(bytes);
  if (!body.ok()) return body.status();
  ByteReader in(*body);
  const uint64_t count = in.Varint();
  // A strip takes two bytes at the least.
  if (count > in.rest().size()) {
    return absl::DataLossError(absl::StrCat("summaries of ", count, " strips"));
  }
  std::vector<StripSummary> strips;
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    StripSummary& strip = strips.emplace_back();
    const uint64_t spans = in.Varint();
    if (spans > kMaxStripRows / kSummarySpanRows) {
      return absl::DataLossError(
          absl::StrCat("summary of ", spans, " spans in a strip"));
    }
    strip.all = ReadSummary(&in);
    for (uint64_t s = 0; s < spans; ++s) {
      strip.spans.push_back(ReadSummary(&in));
    }
  }
  if (!in.done()) return absl::DataLossError("summaries: malformed");
  return strips;
}

}  // namespace waterflow::storage
