// What a lane's rows hold: a function of the lane and the row, so that a client
// can send any rows again, cut anew, and a reader knows what must be there.
#ifndef WATERFLOW_TESTS_MODEL_LANE_CONTENT_H_
#define WATERFLOW_TESTS_MODEL_LANE_CONTENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "storage/format/batch.h"
#include "tests/model/naive_engine.h"

namespace waterflow::storage::model {

class LaneContent {
 public:
  // `names` are some of a small set, so that lanes share schemas and metrics.
  explicit LaneContent(uint64_t seed);

  const std::vector<std::string>& names() const { return names_; }
  // The names with what the client says of them, which is not what others say.
  std::vector<Metric> Metrics() const;
  // Without what only the session knows (attempt) and the server gives (stamp).
  NaiveRow Row(uint64_t row) const;
  // Rows from `row` on that agree in whether they have step and time, and so
  // may share a batch; at most `limit`.
  uint32_t RowsOfOneShape(uint64_t row, uint32_t limit) const;
  // The bytes of a batch; `cut` picks among the ways to encode it.
  std::string Batch(uint32_t number, uint64_t first_row, uint32_t rows,
                    uint64_t cut) const;

 private:
  uint64_t Hash(uint64_t a, uint64_t b) const;
  bool HasStep(uint64_t row) const;
  bool HasTime(uint64_t row) const;
  ValueType TypeOf(uint32_t column) const;
  bool Present(uint32_t column, uint64_t row) const;
  // Bits of the column's own type.
  uint64_t Value(uint32_t column, uint64_t row) const;

  uint64_t seed_;
  std::vector<std::string> names_;
};

}  // namespace waterflow::storage::model

#endif  // WATERFLOW_TESTS_MODEL_LANE_CONTENT_H_
