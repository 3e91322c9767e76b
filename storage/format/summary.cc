#include "storage/format/summary.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/format/axis.h"
#include "storage/format/bytes.h"
#include "storage/format/checksum.h"
#include "storage/model/limits.h"

namespace waterflow::storage {
namespace {

enum Flags : uint8_t {
  kEmpty = 1,
  kFloat32 = 2,
  kGapless = 4,
  kEven = 8,
  kUnknown = 16,
};
constexpr uint64_t kRepeat = 0;
// In front of summaries whose spans are apart; others begin with their number
// of metrics, which is at least 1.
constexpr char kSpansApart = 0;

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

// Four running values side by side, so that the loops below keep a vector
// register busy instead of waiting for one addition after the other.
constexpr size_t kLanes = 4;

bool AllFinite(const double* values, size_t count) {
  constexpr uint64_t kExponent = 0x7ff0000000000000u;
  uint64_t non_finite = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t bits = std::bit_cast<uint64_t>(values[i]);
    non_finite |= (bits & kExponent) == kExponent;
  }
  return non_finite == 0;
}

// count, min, max, mean and m2 of finite values; at least one.
void Measure(const double* values, size_t count, Summary* s) {
  double min[kLanes];
  double max[kLanes];
  double sum[kLanes] = {};
  double m2[kLanes] = {};
  std::fill_n(min, kLanes, values[0]);
  std::fill_n(max, kLanes, values[0]);
  const size_t even = count - count % kLanes;
  for (size_t i = 0; i < even; i += kLanes) {
    for (size_t k = 0; k < kLanes; ++k) {
      const double v = values[i + k];
      min[k] = v < min[k] ? v : min[k];
      max[k] = v > max[k] ? v : max[k];
      sum[k] += v;
    }
  }
  for (size_t i = even; i < count; ++i) {
    min[0] = std::min(min[0], values[i]);
    max[0] = std::max(max[0], values[i]);
    sum[0] += values[i];
  }
  s->count = static_cast<uint32_t>(count);
  s->min = *std::min_element(min, min + kLanes);
  s->max = *std::max_element(max, max + kLanes);
  if (s->min == s->max) {
    s->mean = s->min;
    return;
  }
  s->mean = (sum[0] + sum[1] + sum[2] + sum[3]) / static_cast<double>(count);
  if (!std::isfinite(s->mean)) {  // the sum overflowed: add up the parts
    s->mean = 0;
    for (size_t i = 0; i < count; ++i) {
      s->mean += values[i] / static_cast<double>(count);
    }
  }
  for (size_t i = 0; i < even; i += kLanes) {
    for (size_t k = 0; k < kLanes; ++k) {
      const double distance = values[i + k] - s->mean;
      m2[k] += distance * distance;
    }
  }
  for (size_t i = even; i < count; ++i) {
    const double distance = values[i] - s->mean;
    m2[0] += distance * distance;
  }
  s->m2 = m2[0] + m2[1] + m2[2] + m2[3];
}

// Values of rows[i], or of row first + i when `rows` is null.
Summary SummarizeSpan(const double* values, const uint32_t* rows,
                      uint32_t first, size_t count) {
  const auto row = [&](const double* at) {
    const auto i = static_cast<uint32_t>(at - values);
    return rows == nullptr ? first + i : rows[i];
  };
  Summary s;
  if (count == 0) return s;
  const double* const end = values + count;
  if (AllFinite(values, count)) {
    Measure(values, count, &s);
  } else {
    std::vector<double> finite;
    for (const double* v = values; v != end; ++v) {
      if (std::isfinite(*v)) {
        finite.push_back(*v);
      } else {
        CountNonFinite(*v, &s);
      }
    }
    if (!finite.empty()) Measure(finite.data(), finite.size(), &s);
  }
  if (s.count > 0) {
    // The value where it stands: -0.0 and 0.0 are equal, and not the same.
    const double* const min = std::find(values, end, s.min);
    const double* const max = std::find(values, end, s.max);
    s.min = *min;
    s.max = *max;
    s.min_row = row(min);
    s.max_row = row(max);
  }
  s.first = values[0];
  s.last = *(end - 1);
  s.first_row = row(values);
  s.last_row = row(end - 1);
  return s;
}

bool SameBits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

// Finite values in every row from the first to the last.
bool IsGapless(const Summary& s) {
  return s.count == s.values() && s.last_row - s.first_row + 1 == s.count;
}

// All that is known follows from the first value.
bool IsEven(const Summary& s) {
  return IsGapless(s) && s.m2 == 0 && s.min_row == s.first_row &&
         s.max_row == s.first_row && SameBits(s.first, s.last) &&
         SameBits(s.first, s.min) && SameBits(s.first, s.max) &&
         SameBits(s.first, s.mean);
}

uint8_t FlagsOf(const Summary& s) {
  if (s.values() == 0) return kEmpty;
  uint8_t flags = 0;
  if (FitsFloat32(s.first) && FitsFloat32(s.last) && FitsFloat32(s.min) &&
      FitsFloat32(s.max)) {
    flags |= kFloat32;
  }
  if (IsGapless(s)) flags |= kGapless;
  if (IsEven(s)) flags |= kEven;
  return flags;
}

void AppendValue(double value, uint8_t flags, std::string* out) {
  if (flags & kFloat32) {
    AppendFixed(static_cast<float>(value), out);
  } else {
    AppendFixed(value, out);
  }
}

double ReadValue(uint8_t flags, ByteReader* in) {
  return flags & kFloat32 ? static_cast<double>(in->Fixed<float>())
                          : in->Fixed<double>();
}

void AppendSummary(const Summary& s, std::string* out) {
  const uint8_t flags = FlagsOf(s);
  out->push_back(static_cast<char>(flags));
  if (flags & kEmpty) return;
  AppendVarint(s.count, out);
  AppendVarint(s.first_row, out);
  if (!(flags & kGapless)) {
    for (const uint32_t n :
         {s.nan_count, s.pos_inf_count, s.neg_inf_count, s.last_row}) {
      AppendVarint(n, out);
    }
  }
  AppendValue(s.first, flags, out);
  if (flags & kEven) return;
  AppendValue(s.last, flags, out);
  if (s.count == 0) return;
  AppendVarint(s.min_row, out);
  AppendVarint(s.max_row, out);
  AppendValue(s.min, flags, out);
  AppendValue(s.max, flags, out);
  AppendFixed(s.mean, out);
  AppendFixed(s.m2, out);
}

Summary ReadSummary(ByteReader* in) {
  Summary s;
  const uint8_t flags = in->Fixed<uint8_t>();
  if (flags & kEmpty) return s;
  s.count = in->Varint32();
  s.first_row = in->Varint32();
  if (flags & kGapless) {
    s.last_row = s.first_row + s.count - 1;
  } else {
    s.nan_count = in->Varint32();
    s.pos_inf_count = in->Varint32();
    s.neg_inf_count = in->Varint32();
    s.last_row = in->Varint32();
  }
  s.first = ReadValue(flags, in);
  if (flags & kEven) {
    s.last = s.min = s.max = s.mean = s.first;
    s.min_row = s.max_row = s.first_row;
    return s;
  }
  s.last = ReadValue(flags, in);
  if (s.count == 0) return s;
  s.min_row = in->Varint32();
  s.max_row = in->Varint32();
  s.min = ReadValue(flags, in);
  s.max = ReadValue(flags, in);
  s.mean = in->Fixed<double>();
  s.m2 = in->Fixed<double>();
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
    // The distance of two means may be beyond a double, its square the more.
    const long double n = static_cast<long double>(count) + later.count;
    const long double distance = static_cast<long double>(later.mean) - mean;
    const long double share = later.count / n;
    m2 += static_cast<double>(later.m2 + distance * distance * count * share);
    mean = static_cast<double>(mean + distance * share);
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
  strip.span_count = static_cast<uint32_t>(strip.spans.size());
  return strip;
}

StripSummary NoSummary() {
  StripSummary none;
  none.known = false;
  return none;
}

bool HasSummaries(absl::Span<const Strip> strips) {
  return std::any_of(strips.begin(), strips.end(), [](const Strip& strip) {
    return strip.rows >= kMinSummaryRows;
  });
}

void SummaryBuilder::Add(const StripSummary& strip) {
  AppendVarint(1 + strip.spans.size(), &strips_);
  if (strip.known) {
    AppendSummary(strip.all, &strips_);
  } else {
    strips_.push_back(kUnknown);
  }
  for (const Summary& span : strip.spans) AppendSummary(span, &spans_);
  ends_.emplace_back(strips_.size(), spans_.size());
  ++count_;
}

void SummaryBuilder::AddRepeat() {
  AppendVarint(kRepeat, &strips_);
  ends_.emplace_back(strips_.size(), spans_.size());
  ++count_;
}

BuiltSummaries BuildSummaries(absl::Span<const SummaryBuilder> tile) {
  size_t spans_bytes = 0;
  for (const SummaryBuilder& metric : tile) spans_bytes += metric.spans_.size();
  const bool apart = spans_bytes >= kApartBytes;
  BuiltSummaries built;
  std::string& out = built.strips;
  if (apart) out.push_back(kSpansApart);
  AppendVarint(tile.size(), &out);
  AppendVarint(tile.front().count_, &out);
  for (const SummaryBuilder& metric : tile) {
    const size_t spans = metric.spans_.size();
    AppendVarint(metric.strips_.size() + (apart ? 0 : spans), &out);
    if (apart) AppendVarint(spans, &out);
  }
  for (const SummaryBuilder& metric : tile) {
    if (apart) {
      out.append(metric.strips_);
      built.spans.append(metric.spans_);
      continue;
    }
    size_t strip_begin = 0;
    size_t spans_begin = 0;
    for (const auto& [strip_end, spans_end] : metric.ends_) {
      out.append(metric.strips_, strip_begin, strip_end - strip_begin);
      out.append(metric.spans_, spans_begin, spans_end - spans_begin);
      strip_begin = strip_end;
      spans_begin = spans_end;
    }
  }
  AppendChecksum(&out);
  if (apart) AppendChecksum(&built.spans);
  return built;
}

absl::StatusOr<SummaryBlock> SummaryBlock::Parse(SharedBytes bytes) {
  SummaryBlock block;
  block.bytes_ = std::move(bytes);
  absl::StatusOr<absl::string_view> body = VerifyChecksum(block.bytes_.view());
  if (!body.ok()) return body.status();
  const bool apart = !body->empty() && body->front() == kSpansApart;
  if (apart) body->remove_prefix(1);
  ByteReader in(*body);
  const uint32_t metrics = in.Varint32();
  block.strips_ = in.Varint32();
  // Each length takes a byte, so their number is bounded before it is stored.
  if (!in.ok() || metrics > kMaxSchemaMetrics ||
      block.strips_ > kMaxBlockStrips || metrics > in.rest().size()) {
    return absl::DataLossError(absl::StrCat("summaries of ", metrics,
                                            " metrics x ", block.strips_,
                                            " strips are malformed"));
  }
  block.strips_begin_.push_back(0);
  if (apart) block.spans_begin_.push_back(0);
  for (uint32_t m = 0; m < metrics; ++m) {
    block.strips_begin_.push_back(block.strips_begin_.back() + in.Varint32());
    if (!apart) continue;
    block.spans_begin_.push_back(block.spans_begin_.back() + in.Varint32());
  }
  if (!in.ok() || block.strips_begin_.back() != in.rest().size()) {
    return absl::DataLossError("summaries: lengths disagree with their size");
  }
  const size_t begin = in.rest().data() - block.bytes_.view().data();
  for (size_t& strips : block.strips_begin_) strips += begin;
  return block;
}

absl::StatusOr<std::vector<StripSummary>> SummaryBlock::Read(
    uint32_t metric) const {
  if (metric >= metric_count()) {
    return absl::DataLossError(
        absl::StrCat("summaries: none of metric ", metric));
  }
  ByteReader in(
      bytes_.view().substr(strips_begin_[metric],
                           strips_begin_[metric + 1] - strips_begin_[metric]));
  std::vector<StripSummary> strips;
  strips.reserve(std::min<size_t>(strips_, in.rest().size()));
  for (uint32_t i = 0; i < strips_ && in.ok(); ++i) {
    const uint64_t head = in.Varint();
    if (head == kRepeat) {
      if (strips.empty()) {
        return absl::DataLossError("summary that repeats no strip");
      }
      strips.push_back(strips.back());
      strips.back().repeat = true;
      continue;
    }
    StripSummary& strip = strips.emplace_back();
    if (head - 1 > kMaxStripRows / kSummarySpanRows) {
      return absl::DataLossError(
          absl::StrCat("summary of ", head - 1, " spans in a strip"));
    }
    strip.span_count = static_cast<uint32_t>(head - 1);
    if (!in.rest().empty() && in.rest().front() == kUnknown) {
      in.Fixed<uint8_t>();
      strip.known = false;
    } else {
      strip.all = ReadSummary(&in);
    }
    if (!spans_begin_.empty()) continue;
    for (uint32_t s = 0; s < strip.span_count; ++s) {
      strip.spans.push_back(ReadSummary(&in));
    }
  }
  if (!in.done()) return absl::DataLossError("summaries: malformed");
  return strips;
}

absl::StatusOr<absl::string_view> SummaryBlock::CheckSpans(
    absl::string_view value) const {
  absl::StatusOr<absl::string_view> spans = VerifyChecksum(value);
  if (spans.ok() && spans->size() != spans_begin_.back()) {
    return absl::DataLossError(absl::StrCat("spans of ", spans->size(),
                                            " bytes, their summaries say ",
                                            spans_begin_.back()));
  }
  return spans;
}

absl::Status SummaryBlock::ReadSpans(uint32_t metric, absl::string_view spans,
                                     std::vector<StripSummary>* strips) const {
  ByteReader in(spans.substr(spans_begin_[metric],
                             spans_begin_[metric + 1] - spans_begin_[metric]));
  for (size_t i = 0; i < strips->size() && in.ok(); ++i) {
    StripSummary& strip = (*strips)[i];
    if (strip.repeat) {
      strip.spans = (*strips)[i - 1].spans;
      continue;
    }
    strip.spans.resize(strip.span_count);
    for (Summary& span : strip.spans) span = ReadSummary(&in);
  }
  if (!in.done()) return absl::DataLossError("spans: malformed");
  return absl::OkStatus();
}

}  // namespace waterflow::storage
