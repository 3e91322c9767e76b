#include "storage/codec/compress.h"

#include <zstd.h>

#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace waterflow::storage {
namespace {

enum Form : uint8_t { kStored = 0, kZstd = 1 };

constexpr int kLevel = -4;
// A frame's own bytes (magic, header, block header) eat what could be gained.
constexpr size_t kMinZstdBytes = 24;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

ZSTD_CCtx* ThisThreadsCompressor() {
  thread_local std::unique_ptr<ZSTD_CCtx, FreeContext> context;
  if (context == nullptr) {
    context.reset(ZSTD_createCCtx());
    if (context != nullptr) {
      ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kLevel);
    }
  }
  return context.get();
}

ZSTD_DCtx* ThisThreadsDecompressor() {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeContext> context;
  if (context == nullptr) context.reset(ZSTD_createDCtx());
  return context.get();
}

// False, with *out as before, when zstd gains nothing.
bool AppendFrame(const uint8_t* bytes, size_t size, std::string* out) {
  ZSTD_CCtx* const context = ThisThreadsCompressor();
  if (context == nullptr || size < kMinZstdBytes) return false;
  const size_t begin = out->size();
  out->resize(begin + ZSTD_compressBound(size));
  const size_t written = ZSTD_compress2(context, out->data() + begin,
                                        out->size() - begin, bytes, size);
  const bool smaller = !ZSTD_isError(written) && written < size;
  out->resize(smaller ? begin + written : begin);
  return smaller;
}

}  // namespace

void AppendCompressed(const uint8_t* bytes, size_t size, std::string* out) {
  const size_t form = out->size();
  out->push_back(kZstd);
  if (AppendFrame(bytes, size, out)) return;
  (*out)[form] = kStored;
  out->append(reinterpret_cast<const char*>(bytes), size);
}

absl::Status Decompress(absl::string_view compressed, uint8_t* out,
                        size_t size) {
  if (compressed.empty()) {
    return absl::DataLossError("the compressed bytes are missing");
  }
  const uint8_t form = static_cast<uint8_t>(compressed.front());
  compressed.remove_prefix(1);
  if (form == kStored) {
    if (compressed.size() != size) {
      return absl::DataLossError(absl::StrCat("stored ", compressed.size(),
                                              " bytes, expected ", size));
    }
    if (size > 0) std::memcpy(out, compressed.data(), size);
    return absl::OkStatus();
  }
  if (form != kZstd) {
    return absl::DataLossError(
        absl::StrCat("unknown form ", form, " of compression"));
  }
  ZSTD_DCtx* const context = ThisThreadsDecompressor();
  if (context == nullptr) {
    return absl::ResourceExhaustedError("no memory for a zstd context");
  }
  const size_t got = ZSTD_decompressDCtx(context, out, size, compressed.data(),
                                         compressed.size());
  if (ZSTD_isError(got)) {
    return absl::DataLossError(absl::StrCat("zstd: ", ZSTD_getErrorName(got)));
  }
  if (got != size) {
    return absl::DataLossError(
        absl::StrCat("zstd frame holds ", got, " bytes, expected ", size));
  }
  return absl::OkStatus();
}

}  // namespace waterflow::storage
