// LIKE: % stands for any text, _ for any one character.
#ifndef WATERFLOW_STORAGE_SEARCH_LIKE_H_
#define WATERFLOW_STORAGE_SEARCH_LIKE_H_

#include "absl/strings/string_view.h"

namespace waterflow::storage {

enum class LikeCase : bool {
  kSensitive,
  kIgnored,  // of ASCII letters; others are compared as they are
};

// Whether all of `text` fits. Both are UTF-8. Takes at most the product of the
// two lengths, and no memory.
bool Like(absl::string_view text, absl::string_view pattern, LikeCase letters);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_SEARCH_LIKE_H_
