#include "storage/database/crc32c.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace waterflow::storage {
namespace {

std::atomic<bool>& InUse() {
  static std::atomic<bool> in_use{false};
  return in_use;
}

}  // namespace

bool HardwareCrc32cInUse() { return InUse().load(std::memory_order_relaxed); }

#if defined(__x86_64__)
namespace {

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
  if (!HardwareCrc32cInUse()) InUse().store(true, std::memory_order_relaxed);
  return ~ByInstruction(~crc, data, size);
}
#endif

}  // namespace waterflow::storage

#if defined(__x86_64__)
namespace rocksdb::crc32c {

// As util/crc32c.h of RocksDB declares it: the crc of init's bytes, then data.
uint32_t Extend(uint32_t init_crc, const char* data, size_t n);
uint32_t Extend(uint32_t init_crc, const char* data, size_t n) {
  return waterflow::storage::ExtendCrc32c(init_crc, data, n);
}

}  // namespace rocksdb::crc32c
#endif
