#include "storage/keep/disk_reserve.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace waterflow::storage {
namespace {

uint64_t DefaultReserve(const std::string& path) {
  std::error_code error;
  const std::filesystem::space_info disk = std::filesystem::space(path, error);
  if (error) return kDefaultDiskReserveBytes;
  return std::min<uint64_t>(kDefaultDiskReserveBytes, disk.capacity / 20);
}

}  // namespace

DiskReserve::DiskReserve(const Database* database,
                         std::optional<uint64_t> bytes)
    : database_(database),
      reserve_bytes_(bytes.has_value() ? *bytes
                                       : DefaultReserve(database->path())) {}

absl::Status DiskReserve::Check() {
  const absl::Time now = absl::Now();
  if (now - asked_ < absl::Seconds(1) && now >= asked_) return last_;
  asked_ = now;
  const std::optional<uint64_t> free_bytes = database_->FreeBytes();
  last_ = absl::OkStatus();
  if (free_bytes.has_value() && *free_bytes < reserve_bytes_) {
    last_ = absl::ResourceExhaustedError(absl::StrCat(
        "no room on the disk: ", *free_bytes, " bytes are free at ",
        database_->path(), ", ingest stops below the reserve of ",
        reserve_bytes_, " bytes (--disk-reserve)"));
  }
  return last_;
}

}  // namespace waterflow::storage
