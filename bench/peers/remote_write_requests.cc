#include "bench/peers/remote_write_requests.h"

#include <snappy.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace waterflow::bench {

RemoteWriteRequests::RemoteWriteRequests(const Shape& shape,
                                         const Dataset& dataset,
                                         size_t connections)
    : rows_(dataset, connections, shape.rows, shape.kind != ShapeKind::kOnce),
      by_series_(shape.by_series) {}

remote_write::TimeSeries* RemoteWriteRequests::Add(const RowRange& range,
                                                   const std::string& metric) {
  remote_write::TimeSeries* series = request_.add_timeseries();
  const auto label = [series](const char* name, std::string value) {
    remote_write::Label* label = series->add_labels();
    label->set_name(name);
    label->set_value(std::move(value));
  };
  label("__name__", metric);
  label("rank", absl::StrCat(range.worker->rank));
  label("run", range.worker->run);
  return series;
}

uint64_t RemoteWriteRequests::Next(size_t connection, std::string* body) {
  const RowRange* range = rows_.Next(connection);
  if (range == nullptr) return 0;
  request_.Clear();
  const size_t metrics = range->lane->metrics.size();
  const auto sample = [&](remote_write::TimeSeries* series, size_t metric,
                          size_t row) {
    remote_write::Sample* sample = series->add_samples();
    sample->set_value(range->value(metric, row));
    sample->set_timestamp(range->time_ns(row) / 1'000'000);
  };
  // Row by row is how rows arrive at an agent that forwards them.
  const size_t outer = by_series_ ? 1 : range->rows;
  for (size_t o = 0; o < outer; ++o) {
    for (size_t m = 0; m < metrics; ++m) {
      remote_write::TimeSeries* series = Add(*range, range->lane->metrics[m]);
      if (!by_series_) {
        sample(series, m, o);
        continue;
      }
      for (size_t row = 0; row < range->rows; ++row) sample(series, m, row);
    }
  }
  request_.SerializeToString(&bytes_);
  snappy::Compress(bytes_.data(), bytes_.size(), body);
  return metrics * range->rows;
}

}  // namespace waterflow::bench
