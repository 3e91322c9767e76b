// A page of a run's metrics: which names match, in which order, which of them
// are next. Looks at every name, and keeps and sorts little more than a page.
#ifndef WATERFLOW_STORAGE_QUERY_METRIC_LISTING_H_
#define WATERFLOW_STORAGE_QUERY_METRIC_LISTING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/metric_list.h"
#include "storage/model/ids.h"

namespace waterflow::storage {

// How well a name fits a fuzzy search, less is better: how many characters
// stand between those of the shortest stretch of `name` that holds all of
// `letters` in order. Absent: there is none. ASCII letters match in either
// case.
std::optional<uint32_t> FuzzyGap(absl::string_view name,
                                 absl::string_view letters);

class MetricListing {
 public:
  struct Entry {
    uint32_t rank = 0;  // of a fuzzy search
    std::string name;   // or prefix of a folder
    MetricId metric;
    uint64_t folder_metrics = 0;  // 0: a metric

    bool IsBefore(uint32_t other_rank, absl::string_view other_name) const {
      return rank != other_rank ? rank < other_rank : name < other_name;
    }
    friend bool operator<(const Entry& a, const Entry& b) {
      return a.IsBefore(b.rank, b.name);
    }
  };

  // INVALID_ARGUMENT names the field, the value and the limit.
  static absl::StatusOr<MetricListing> Make(const MetricListSpec& spec);

  // A metric of the run; one that came before is passed over.
  void Add(MetricId metric, const std::string& name);
  // Of those added that lie behind the page token the first ones, as many as a
  // page holds. *more: others follow.
  std::vector<Entry> TakePage(bool* more);
  // For the page that begins behind this entry.
  std::string TokenBehind(const Entry& last) const;
  uint64_t total() const { return total_; }

 private:
  MetricListing() = default;

  // Keeps a candidate for the page. Most are seen to be none before anything is
  // copied.
  void Offer(uint32_t rank, absl::string_view name, MetricId metric,
             uint64_t folder_metrics);
  // Drops those that are behind the page and the entry that follows it.
  void Shrink();

  MetricListSpec spec_;  // with `contains` and `fuzzy` in lowercase
  size_t page_size_ = 0;
  uint64_t question_ = 0;
  std::optional<Entry> behind_;
  std::vector<Entry> entries_;
  std::optional<Entry> bound_;  // none behind it is in the page
  absl::flat_hash_map<std::string, uint64_t> folders_;
  std::vector<bool> seen_;  // by MetricId
  uint64_t total_ = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_METRIC_LISTING_H_
