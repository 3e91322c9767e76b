// A page token, before base64 (web-safe, without padding):
//
//   version u8 = 1, question u64, rank u32, name, checksum as of blocks
//
// `question` is a number for all that was asked but the size of the page.
#include "storage/query/metric_listing.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/format/checksum.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"

namespace waterflow::storage {
namespace {

constexpr uint8_t kVersion = 1;
// Longer than the longest, in base64.
constexpr size_t kMaxTokenBytes = 2 * (kMaxMetricNameBytes + 64);

bool Same(char name, char lower) {
  return absl::ascii_tolower(static_cast<unsigned char>(name)) == lower;
}

// `lower` is in lowercase.
bool ContainsIgnoringCase(absl::string_view name, absl::string_view lower) {
  return std::search(name.begin(), name.end(), lower.begin(), lower.end(),
                     Same) != name.end();
}

uint64_t QuestionOf(const MetricListSpec& spec) {
  std::string bytes(spec.run.raw());
  AppendString(spec.prefix, &bytes);
  AppendString(spec.contains, &bytes);
  AppendString(spec.fuzzy, &bytes);
  AppendFixed(static_cast<uint8_t>(spec.tree), &bytes);
  return ChecksumOf(bytes);
}

absl::StatusOr<MetricListing::Entry> DecodeToken(absl::string_view token,
                                                 uint64_t question) {
  const auto foreign = absl::InvalidArgumentError(absl::StrCat(
      "page_token ", Quoted(token), ": is none that was given out"));
  std::string bytes;
  if (token.size() > kMaxTokenBytes ||
      !absl::WebSafeBase64Unescape(token, &bytes)) {
    return foreign;
  }
  const absl::StatusOr<absl::string_view> checked = VerifyChecksum(bytes);
  if (!checked.ok()) return foreign;
  ByteReader in(*checked);
  if (in.Fixed<uint8_t>() != kVersion) return foreign;
  if (in.Fixed<uint64_t>() != question) {
    return absl::InvalidArgumentError(
        "page_token: was given out for another run, or other names");
  }
  MetricListing::Entry entry;
  entry.rank = in.Fixed<uint32_t>();
  entry.name = std::string(in.String());
  if (!in.done()) return foreign;
  return entry;
}

}  // namespace

std::optional<uint32_t> FuzzyGap(absl::string_view name,
                                 absl::string_view letters) {
  if (letters.empty()) return 0;
  std::optional<size_t> best;
  for (size_t at = 0; at < name.size();) {
    // The end of the first stretch from `at` on, then from there back to where
    // the shortest one with this end begins.
    size_t matched = 0;
    while (at < name.size() && matched < letters.size()) {
      if (Same(name[at++], letters[matched])) ++matched;
    }
    if (matched < letters.size()) break;
    size_t begin = at;
    while (matched > 0) {
      if (Same(name[--begin], letters[matched - 1])) --matched;
    }
    const size_t length = at - begin;
    best = std::min(best.value_or(length), length);
    at = begin + 1;
  }
  if (!best.has_value()) return std::nullopt;
  return static_cast<uint32_t>(*best - letters.size());
}

absl::StatusOr<MetricListing> MetricListing::Make(const MetricListSpec& spec) {
  for (const absl::Status& s :
       {CheckText("prefix", spec.prefix, kMaxMetricNameBytes),
        CheckText("contains", spec.contains, kMaxMetricNameBytes),
        CheckText("fuzzy", spec.fuzzy, kMaxFuzzyBytes)}) {
    if (!s.ok()) return s;
  }
  if (spec.page_size > kMaxPageSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("page_size ", spec.page_size, ": at most ", kMaxPageSize));
  }
  if (!spec.contains.empty() && !spec.fuzzy.empty()) {
    return absl::InvalidArgumentError(
        "fuzzy: is given beside contains; one of the two");
  }
  if (spec.tree && (!spec.contains.empty() || !spec.fuzzy.empty())) {
    return absl::InvalidArgumentError(
        "tree: is asked for beside contains or fuzzy; a tree shows all names");
  }
  MetricListing listing;
  listing.spec_ = spec;
  absl::AsciiStrToLower(&listing.spec_.contains);
  absl::AsciiStrToLower(&listing.spec_.fuzzy);
  listing.question_ = QuestionOf(spec);
  listing.page_size_ = spec.page_size == 0 ? kMaxPageSize : spec.page_size;
  if (!spec.page_token.empty()) {
    absl::StatusOr<Entry> behind =
        DecodeToken(spec.page_token, listing.question_);
    if (!behind.ok()) return behind.status();
    listing.behind_ = *std::move(behind);
  }
  return listing;
}

void MetricListing::Add(MetricId metric, const std::string& name) {
  if (!absl::StartsWith(name, spec_.prefix)) return;
  if (!ContainsIgnoringCase(name, spec_.contains)) return;
  uint32_t rank = 0;
  if (!spec_.fuzzy.empty()) {
    const std::optional<uint32_t> gap = FuzzyGap(name, spec_.fuzzy);
    if (!gap.has_value()) return;
    // Of equally good ones the shorter.
    rank =
        *gap * (kMaxMetricNameBytes + 1) + static_cast<uint32_t>(name.size());
  }
  if (seen_.size() <= metric.value) seen_.resize(metric.value + 1);
  if (seen_[metric.value]) return;
  seen_[metric.value] = true;
  ++total_;
  if (spec_.tree) {
    const size_t slash = name.find('/', spec_.prefix.size());
    if (slash != std::string::npos) {
      ++folders_[absl::string_view(name).substr(0, slash + 1)];
      return;
    }
  }
  Offer(rank, name, metric, 0);
}

void MetricListing::Offer(uint32_t rank, absl::string_view name,
                          MetricId metric, uint64_t folder_metrics) {
  if (behind_.has_value() && !behind_->IsBefore(rank, name)) return;
  if (bound_.has_value() && bound_->IsBefore(rank, name)) return;
  entries_.push_back({rank, std::string(name), metric, folder_metrics});
  if (entries_.size() >= 2 * (page_size_ + 1)) Shrink();
}

void MetricListing::Shrink() {
  if (entries_.size() <= page_size_ + 1) return;
  std::nth_element(entries_.begin(), entries_.begin() + page_size_,
                   entries_.end());
  entries_.resize(page_size_ + 1);
  bound_ = entries_.back();
}

std::vector<MetricListing::Entry> MetricListing::TakePage(bool* more) {
  for (const auto& [prefix, metrics] : folders_) {
    Offer(0, prefix, MetricId(), metrics);
  }
  Shrink();
  std::sort(entries_.begin(), entries_.end());
  *more = entries_.size() > page_size_;
  if (*more) entries_.pop_back();
  return std::move(entries_);
}

std::string MetricListing::TokenBehind(const Entry& last) const {
  std::string bytes;
  AppendFixed(kVersion, &bytes);
  AppendFixed(question_, &bytes);
  AppendFixed(last.rank, &bytes);
  AppendString(last.name, &bytes);
  AppendChecksum(&bytes);
  return absl::WebSafeBase64Escape(bytes);
}

}  // namespace waterflow::storage
