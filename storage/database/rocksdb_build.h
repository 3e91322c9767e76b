// Which RocksDB this process runs on. Builds differ by more than their version:
// Debian's checks its assertions at each step, and is slower for it.
#ifndef WATERFLOW_STORAGE_DATABASE_ROCKSDB_BUILD_H_
#define WATERFLOW_STORAGE_DATABASE_ROCKSDB_BUILD_H_

#include <string>

namespace waterflow::storage {

// "RocksDB 7.8.3 (Debian's, assertions on, hardware crc32c)"
std::string RocksDbName();

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_DATABASE_ROCKSDB_BUILD_H_
