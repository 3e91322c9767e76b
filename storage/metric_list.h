// Listing the metrics of a run. The meaning of every field is that of
// ListMetricsRequest and ListMetricsResponse.
#ifndef WATERFLOW_STORAGE_METRIC_LIST_H_
#define WATERFLOW_STORAGE_METRIC_LIST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "storage/model/ids.h"
#include "storage/model/records.h"

namespace waterflow::storage {

struct MetricListSpec {
  Uuid run;
  std::string prefix;
  std::string contains;
  std::string fuzzy;
  bool tree = false;
  uint32_t page_size = 0;  // 0: kMaxPageSize
  std::string page_token;
};

struct MetricFolder {
  std::string prefix;
  uint64_t metrics = 0;
};

struct MetricPage {
  std::vector<Metric> metrics;
  std::vector<MetricFolder> folders;
  std::string next_page_token;
  uint64_t total = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_METRIC_LIST_H_
