// RocksDB checksums all it writes with crc32c; Debian's build does it by table,
// which is a third of the cost of the log. The library calls the exported
// rocksdb::crc32c::Extend, so a definition in the program itself takes its
// place: the same checksum by the processor's own instruction (SSE4.2).
#ifndef WATERFLOW_STORAGE_DATABASE_CRC32C_H_
#define WATERFLOW_STORAGE_DATABASE_CRC32C_H_

namespace waterflow::storage {

// Whether RocksDB in this process has used it: false before a store was opened,
// on other processors, and with a RocksDB that brings a fast one of its own.
bool HardwareCrc32cInUse();

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_DATABASE_CRC32C_H_
