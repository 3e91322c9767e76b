// From rows to the columns of a Batch message.
#ifndef WATERFLOW_CLIENT_CPP_BATCH_ENCODER_H_
#define WATERFLOW_CLIENT_CPP_BATCH_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "client/cpp/row_block.h"
#include "waterflow/v1/ingest.pb.h"

namespace waterflow::client {

// The float32 bits that widen to exactly the bits of `value`, if there are any.
// Decided by bits, not by comparison: -0.0 stays -0.0, and a NaN, quiet or
// signalling, fits when its payload does.
std::optional<uint32_t> ExactFloat32(double value);

// Rows [from, to) of `block` as a batch whose first row has the number
// `first_row` in its lane. A column is float32 when all of its values fit
// exactly, else float64; dense neighbours of the same type become one span.
v1::Batch EncodeBatch(const RowBlock& block, size_t from, size_t to,
                      uint32_t schema, uint64_t first_row);

// How many rows surely make a message of at most `bytes`; may be 0.
size_t RowsWithin(size_t bytes, size_t metrics);

}  // namespace waterflow::client

#endif  // WATERFLOW_CLIENT_CPP_BATCH_ENCODER_H_
