// From a metric of a lineage to the parts of an answer: raw points, buckets, or
// either of them reduced over the workers.
#ifndef WATERFLOW_STORAGE_QUERY_ANSWER_H_
#define WATERFLOW_STORAGE_QUERY_ANSWER_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "storage/query/lineage.h"
#include "storage/query/query_gate.h"
#include "storage/query/series.h"
#include "storage/read.h"

namespace waterflow::storage {

// Whether the question makes sense; the error names the field.
absl::Status CheckReadSpec(const ReadSpec& spec);

// What a query may take of the server.
struct QueryLimits {
  uint64_t memory_bytes = 0;
  QueryGate* gate = nullptr;
};

// Answers for one metric, worker by worker: what is held at a time is one
// worker's points, or the buckets so far. RESOURCE_EXHAUSTED when that would
// take more than limits.memory_bytes, CANCELLED when spec.cancelled says so,
// DATA_LOSS names a bad block. Has a turn at the gate but while the sink works:
// a client that reads slowly keeps nobody waiting.
absl::Status Answer(const ReadSpec& spec, const Lineage& lineage,
                    LineageReader* reader, size_t metric,
                    const QueryLimits& limits, const PartSink& sink,
                    ReadCounts* counts);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_ANSWER_H_
