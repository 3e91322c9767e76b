// W1 as Prometheus remote write 1.0 puts it: series with labels in a protobuf
// message, compressed by snappy.
#ifndef WATERFLOW_BENCH_PEERS_REMOTE_WRITE_REQUESTS_H_
#define WATERFLOW_BENCH_PEERS_REMOTE_WRITE_REQUESTS_H_

#include <cstdint>
#include <string>

#include "bench/dataset.h"
#include "bench/http_load.h"
#include "bench/ingest/shape.h"
#include "bench/peers/row_cursor.h"
#include "remote_write.pb.h"

namespace waterflow::bench {

class RemoteWriteRequests final : public HttpRequests {
 public:
  RemoteWriteRequests(const Shape& shape, const Dataset& dataset,
                      size_t connections);

  uint64_t Next(size_t connection, std::string* body) override;

 private:
  remote_write::TimeSeries* Add(const RowRange& range,
                                const std::string& metric);

  RowCursor rows_;
  const bool by_series_;
  remote_write::WriteRequest request_;  // keeps its memory from one to the next
  std::string bytes_;
};

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_PEERS_REMOTE_WRITE_REQUESTS_H_
