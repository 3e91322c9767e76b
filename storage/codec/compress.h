// The general compressor under the codecs: zstd (RFC 8878) at level -4. Against
// level -1 it saves a tenth of the server's CPU under flood for 1.5% more bytes
// (64-row batches of W1: 64.1 to 58.3 ns a sample; 2.29 to 2.33 bytes a sample
// for real telemetry); level -7 saves no more. Negative levels leave literals as
// they are, without entropy coding.
// Contexts are kept per thread: to make one takes longer than
// to compress a chunk.
//
//   compressed := 0, the bytes as they are | 1, a zstd frame
//
// Worst case: 1 byte more than went in.
#ifndef WATERFLOW_STORAGE_CODEC_COMPRESS_H_
#define WATERFLOW_STORAGE_CODEC_COMPRESS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace waterflow::storage {

void AppendCompressed(const uint8_t* bytes, size_t size, std::string* out);

// DATA_LOSS unless `compressed` yields exactly `size` bytes. Allocates nothing
// that depends on what the frame says of itself.
absl::Status Decompress(absl::string_view compressed, uint8_t* out,
                        size_t size);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_COMPRESS_H_
