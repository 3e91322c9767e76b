// A file system that counts what is written, by what it is written for. All
// else is the machine's own.
#ifndef WATERFLOW_BENCH_STORAGE_COUNTING_ENV_H_
#define WATERFLOW_BENCH_STORAGE_COUNTING_ENV_H_

#include <rocksdb/env.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace waterflow::bench {

struct BytesWritten {
  std::atomic<uint64_t> log{0};     // RocksDB's write-ahead log
  std::atomic<uint64_t> seals{0};   // files of sealed generations
  std::atomic<uint64_t> merges{0};  // files of merged ones
  std::atomic<uint64_t> tables{0};  // RocksDB's own flushes and compactions
  std::atomic<uint64_t> others{0};  // manifest, options and the like

  uint64_t total() const { return log + seals + merges + tables + others; }
};

// `written` must outlive it.
std::unique_ptr<rocksdb::Env> NewCountingEnv(BytesWritten* written);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_STORAGE_COUNTING_ENV_H_
