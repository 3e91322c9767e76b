#include "storage/database/crc32c.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/match.h"

// WATERFLOW_OWN_ROCKSDB is CMake's: the library is not Debian's.
#if defined(__x86_64__) && !defined(WATERFLOW_OWN_ROCKSDB)
#define WATERFLOW_INTERPOSE_CRC32C
#include <nmmintrin.h>
#endif

// As util/crc32c.h of RocksDB, which is not installed, declares them.
namespace rocksdb::crc32c {
std::string IsFastCrc32Supported();  // "Supported on x86", "Not supported ..."
uint32_t Extend(uint32_t init_crc, const char* data, size_t n);
uint32_t Crc32cCombine(uint32_t crc1, uint32_t crc2, size_t crc2_size);
}  // namespace rocksdb::crc32c

namespace waterflow::storage {

#ifdef WATERFLOW_INTERPOSE_CRC32C
namespace {

std::atomic<bool> instruction_in_use{false};

__attribute__((target("sse4.2"))) uint32_t ByInstruction(uint32_t crc,
                                                         const char* data,
                                                         size_t size) {
  uint64_t state = crc;
  for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, data, sizeof(word));
    state = _mm_crc32_u64(state, word);
    data += sizeof(word);
  }
  auto rest = static_cast<uint32_t>(state);
  for (; size > 0; --size) {
    rest = _mm_crc32_u8(rest, static_cast<uint8_t>(*data++));
  }
  return rest;
}

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) {
      crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);  // Castagnoli, reflected
    }
    table[i] = crc;
  }
  return table;
}

// For the rare processor without SSE4.2: slow and right.
uint32_t ByTable(uint32_t crc, const char* data, size_t size) {
  static constexpr std::array<uint32_t, 256> kTable = MakeTable();
  for (; size > 0; --size) {
    crc = kTable[(crc ^ static_cast<uint8_t>(*data++)) & 0xff] ^ crc >> 8;
  }
  return crc;
}

}  // namespace

// Called from the definition below.
uint32_t ExtendCrc32c(uint32_t crc, const char* data, size_t size) {
  static const bool has_instruction = __builtin_cpu_supports("sse4.2");
  if (!has_instruction) return ~ByTable(~crc, data, size);
  if (!instruction_in_use.load(std::memory_order_relaxed)) {
    instruction_in_use.store(true, std::memory_order_relaxed);
  }
  return ~ByInstruction(~crc, data, size);
}

bool HardwareCrc32c() {
  // Makes the library call Extend, which says whose it reaches.
  rocksdb::crc32c::Crc32cCombine(0, 0, 1);
  return instruction_in_use.load(std::memory_order_relaxed) ||
         absl::StartsWith(rocksdb::crc32c::IsFastCrc32Supported(), "Supported");
}
#else
bool HardwareCrc32c() {
  return absl::StartsWith(rocksdb::crc32c::IsFastCrc32Supported(), "Supported");
}
#endif

}  // namespace waterflow::storage

#ifdef WATERFLOW_INTERPOSE_CRC32C
namespace rocksdb::crc32c {

// The crc of init's bytes, then data.
uint32_t Extend(uint32_t init_crc, const char* data, size_t n) {
  return waterflow::storage::ExtendCrc32c(init_crc, data, n);
}

}  // namespace rocksdb::crc32c
#endif
