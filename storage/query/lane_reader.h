// Reads rows of one worker and schema by their row index, whether they are in
// heads or in generations by now, as points in the order in which they were
// logged.
#ifndef WATERFLOW_STORAGE_QUERY_LANE_READER_H_
#define WATERFLOW_STORAGE_QUERY_LANE_READER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/ingest/live_state.h"
#include "storage/ingest/strip_builder.h"
#include "storage/query/run_view.h"
#include "storage/query/sealed_reader.h"
#include "storage/tail.h"

namespace waterflow::storage {

class LaneReader {
 public:
  // All must outlive it.
  LaneReader(const Database* database, const RunView& run,
             const UnreadRows& unread)
      : database_(database), run_(run), unread_(unread) {}

  // The row behind the last one that can be read without a gap.
  static uint64_t EndOf(const UnreadLane& lane);

  // Rows [first_row, end_row) of some columns (ascending) of the lane's schema:
  // a part a column and attempt. Rows that a later attempt hides are left out.
  // DATA_LOSS names a bad block.
  absl::Status Read(const UnreadLane& lane, uint64_t first_row,
                    uint64_t end_row, const std::vector<uint32_t>& columns,
                    std::vector<TailPart>* parts);

 private:
  // Rows of a strip: [begin, end) of it.
  struct StripRows {
    const Strip& strip;
    uint32_t begin = 0;
    uint32_t end = 0;
  };
  using Open = std::vector<TailPart>;  // of each column, the part that grows

  absl::Status ReadSealed(const UnreadLane& lane, uint64_t first_row,
                          uint64_t end_row,
                          const std::vector<uint32_t>& columns, Open* open,
                          std::vector<TailPart>* parts);
  absl::Status ReadHead(const UnreadLane& lane, const HeadPart& head,
                        uint64_t first_row, uint64_t end_row,
                        const std::vector<uint32_t>& columns, Open* open,
                        std::vector<TailPart>* parts);
  // The worker blocks that hold the lane from `first_row` on: only as many of
  // the newest generations are looked into as that takes.
  absl::StatusOr<const std::vector<SealedRows>*> FindSealed(
      const UnreadLane& lane, uint64_t first_row);
  // From columns_ to the parts that grow.
  void Append(const UnreadLane& lane, const StripRows& rows,
              const std::vector<uint32_t>& columns, Open* open,
              std::vector<TailPart>* parts);

  const Database* const database_;
  const RunView& run_;
  const UnreadRows& unread_;
  std::unique_ptr<SealedReader> sealed_;
  size_t generations_read_ = 0;  // by sealed_
  StripColumns columns_;
  std::vector<uint32_t> rows_;  // see Append
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_LANE_READER_H_
