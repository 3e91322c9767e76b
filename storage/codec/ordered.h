// Floats as integers: the bits of a float (any width, U is its unsigned twin)
// mapped to a two's complement integer of the same order, from -NaN to +NaN, so
// that neighbouring values become neighbouring integers. Its own inverse.
#ifndef WATERFLOW_STORAGE_CODEC_ORDERED_H_
#define WATERFLOW_STORAGE_CODEC_ORDERED_H_

#include <type_traits>

namespace waterflow::storage {

template <typename U>
constexpr U Ordered(U bits) {
  using S = std::make_signed_t<U>;
  constexpr int kSign = 8 * sizeof(U) - 1;
  return bits ^ (static_cast<U>(static_cast<S>(bits) >> kSign) >> 1);
}

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_ORDERED_H_
