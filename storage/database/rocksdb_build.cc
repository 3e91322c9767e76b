#include "storage/database/rocksdb_build.h"

#include <rocksdb/version.h>

#include "absl/strings/str_cat.h"
#include "storage/database/crc32c.h"

namespace rocksdb {

// From test_util/sync_point.h of RocksDB, which only a library with its
// assertions on defines: the symbol is weak here, and null without them.
class SyncPoint {
 public:
  __attribute__((weak)) static SyncPoint* GetInstance();
};

}  // namespace rocksdb

namespace waterflow::storage {
namespace {

#ifdef WATERFLOW_OWN_ROCKSDB
constexpr char kWhose[] = "own build";
#else
constexpr char kWhose[] = "Debian's";
#endif

bool HasAssertions() { return &rocksdb::SyncPoint::GetInstance != nullptr; }

}  // namespace

std::string RocksDbName() {
  return absl::StrCat(
      "RocksDB ", rocksdb::GetRocksVersionAsString(), " (", kWhose,
      ", assertions ", HasAssertions() ? "on" : "off",
      HardwareCrc32c() ? ", hardware crc32c)" : ", crc32c by table)");
}

}  // namespace waterflow::storage
