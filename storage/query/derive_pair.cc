#include "storage/query/derive_pair.h"

#include <algorithm>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"

namespace waterflow::storage {
namespace {

// One series, its parts joined.
struct Whole {
  SeriesPart head;  // no values
  Points points;
  std::vector<Bucket> buckets;
};

template <typename T>
void Append(const std::vector<T>& from, std::vector<T>* to) {
  to->insert(to->end(), from.begin(), from.end());
}

class Pair : public Deriver {
 public:
  Pair(std::string metric, std::string other, PairOperation operation,
       PartSink sink)
      : metric_(std::move(metric)),
        other_(std::move(other)),
        operation_(operation),
        sink_(std::move(sink)) {}

  absl::Status Add(SeriesPart part) override {
    if (part.run != run_) {
      if (absl::Status s = Finish(); !s.ok()) return s;
      run_ = part.run;
    }
    if (part.metric != metric_ && part.metric != other_) {
      return sink_(std::move(part));
    }
    kept_ += part.points.size() + part.buckets.size();
    if (kept_ > kMaxPairedPoints) {
      return absl::ResourceExhaustedError(absl::StrCat(
          PairName(metric_, other_, operation_), " of run ", run_.ToHex(),
          ": more than ", kMaxPairedPoints,
          " points of the two, which is the limit; give a step_range, "
          "max_points or fewer workers"));
    }
    Whole& whole = (part.metric == metric_ ? metrics_ : others_)[part.worker];
    Append(part.points.steps, &whole.points.steps);
    Append(part.points.times_ns, &whole.points.times_ns);
    Append(part.points.values, &whole.points.values);
    Append(part.buckets, &whole.buckets);
    if (!part.workers.empty()) whole.head.workers = std::move(part.workers);
    whole.head.reduction = part.reduction;
    return absl::OkStatus();
  }

  absl::Status Finish() override {
    for (auto& [worker, a] : metrics_) {
      const auto b = others_.find(worker);
      if (b == others_.end()) continue;
      SeriesPart head = std::move(a.head);
      head.run = run_;
      head.metric = PairName(metric_, other_, operation_);
      head.worker = worker;
      absl::Status s = a.buckets.empty()
                           ? PairPoints(head, a.points, b->second.points)
                           : PairBuckets(head, a.buckets, b->second.buckets);
      if (!s.ok()) return s;
    }
    metrics_.clear();
    others_.clear();
    kept_ = 0;
    return absl::OkStatus();
  }

 private:
  using ByWorker = absl::btree_map<std::optional<Worker>, Whole>;

  double Of(double a, double b) const {
    return operation_ == PairOperation::kDifference ? a - b : a / b;
  }
  // Both ascend by step; of equal ones the last counts.
  absl::Status PairPoints(const SeriesPart& head, const Points& a,
                          const Points& b) {
    SeriesPart part = head;
    size_t j = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      if (i + 1 < a.size() && a.steps[i + 1] == a.steps[i]) continue;
      while (j < b.size() &&
             (b.steps[j] < a.steps[i] ||
              (j + 1 < b.size() && b.steps[j + 1] == a.steps[i]))) {
        ++j;
      }
      if (j == b.size()) break;
      if (b.steps[j] != a.steps[i]) continue;
      part.points.steps.push_back(a.steps[i]);
      part.points.times_ns.push_back(std::max(a.times_ns[i], b.times_ns[j]));
      part.points.values.push_back(Of(a.values[i], b.values[j]));
      if (part.points.size() < kPartPoints) continue;
      if (absl::Status s = sink_(std::move(part)); !s.ok()) return s;
      part = head;
    }
    return part.points.values.empty() ? absl::OkStatus()
                                      : sink_(std::move(part));
  }
  absl::Status PairBuckets(const SeriesPart& head, const std::vector<Bucket>& a,
                           const std::vector<Bucket>& b) {
    SeriesPart part = head;
    size_t j = 0;
    for (const Bucket& bucket : a) {
      while (j < b.size() && b[j].first_position < bucket.first_position) ++j;
      if (j == b.size()) break;
      if (b[j].first_position != bucket.first_position ||
          b[j].last_position != bucket.last_position) {
        continue;
      }
      part.buckets.push_back(bucket);
      part.buckets.back().value = Of(bucket.value, b[j].value);
      if (part.buckets.size() < kPartPoints) continue;
      if (absl::Status s = sink_(std::move(part)); !s.ok()) return s;
      part = head;
    }
    return part.buckets.empty() ? absl::OkStatus() : sink_(std::move(part));
  }

  const std::string metric_;
  const std::string other_;
  const PairOperation operation_;
  const PartSink sink_;
  Uuid run_;
  ByWorker metrics_;
  ByWorker others_;
  size_t kept_ = 0;  // points and buckets
};

}  // namespace

std::string PairName(const std::string& metric, const std::string& other,
                     PairOperation operation) {
  return absl::StrCat(
      metric, operation == PairOperation::kDifference ? " - " : " / ", other);
}

std::unique_ptr<Deriver> MakePairDeriver(std::string metric, std::string other,
                                         PairOperation operation,
                                         PartSink sink) {
  return std::make_unique<Pair>(std::move(metric), std::move(other), operation,
                                std::move(sink));
}

}  // namespace waterflow::storage
