// RocksDB checksums all it writes with crc32c; Debian's build does it by table,
// which is a third of the cost of the log. The library calls the exported
// rocksdb::crc32c::Extend, so a definition in the program itself takes its
// place: the same checksum by the processor's own instruction (SSE4.2). A
// RocksDB of our own build (WATERFLOW_ROCKSDB) has a fast one, and is left
// alone.
#ifndef WATERFLOW_STORAGE_DATABASE_CRC32C_H_
#define WATERFLOW_STORAGE_DATABASE_CRC32C_H_

namespace waterflow::storage {

// Whether the RocksDB of this process computes crc32c by the processor's
// instruction, ours or its own. Asks the library, not the build.
bool HardwareCrc32c();

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_DATABASE_CRC32C_H_
