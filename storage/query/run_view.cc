#include "storage/query/run_view.h"

namespace waterflow::storage {

std::vector<SchemaId> RunView::SchemasRead() const {
  std::vector<SchemaId> ids;
  for (const MetricView& metric : metrics) {
    for (const MetricPlace& place : metric.places) ids.push_back(place.schema);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace waterflow::storage
