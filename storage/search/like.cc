#include "storage/search/like.h"

#include "absl/strings/ascii.h"

namespace waterflow::storage {
namespace {

// Where the character that begins at `at` ends.
size_t EndOfCharacter(absl::string_view text, size_t at) {
  ++at;
  while (at < text.size() &&
         (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) {
    ++at;
  }
  return at;
}

}  // namespace

bool Like(absl::string_view text, absl::string_view pattern, LikeCase letters) {
  const auto same = [letters](char a, char b) {
    return a == b || (letters == LikeCase::kIgnored &&
                      absl::ascii_tolower(a) == absl::ascii_tolower(b));
  };
  size_t t = 0;
  size_t p = 0;
  // The last % and where what it stands for ends, as tried now. Only the last
  // one need ever be tried anew: an earlier one that took more could not help.
  size_t percent = absl::string_view::npos;
  size_t taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '%') {
      percent = p++;
      taken = t;
    } else if (p < pattern.size() && pattern[p] == '_') {
      t = EndOfCharacter(text, t);
      ++p;
    } else if (p < pattern.size() && same(text[t], pattern[p])) {
      ++t;
      ++p;
    } else if (percent != absl::string_view::npos) {
      taken = EndOfCharacter(text, taken);
      t = taken;
      p = percent + 1;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '%') ++p;
  return p == pattern.size();
}

}  // namespace waterflow::storage
