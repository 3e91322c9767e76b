// The part of the disk that ingest leaves alone: it stops before the disk is
// full, so that reads, seals, deletes and retention can go on and make room.
#ifndef WATERFLOW_STORAGE_KEEP_DISK_RESERVE_H_
#define WATERFLOW_STORAGE_KEEP_DISK_RESERVE_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/database/database.h"

namespace waterflow::storage {

// Unless it is set: this much, or a twentieth of the disk if that is less.
inline constexpr uint64_t kDefaultDiskReserveBytes = uint64_t{1} << 30;

class DiskReserve {
 public:
  DiskReserve(const Database* database, std::optional<uint64_t> bytes);

  // RESOURCE_EXHAUSTED while less than the reserve is free. Asks the disk once
  // a second. One thread calls it.
  absl::Status Check();

  uint64_t reserve_bytes() const { return reserve_bytes_; }

 private:
  const Database* const database_;
  const uint64_t reserve_bytes_;
  absl::Status last_;
  absl::Time asked_ = absl::InfinitePast();
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_KEEP_DISK_RESERVE_H_
