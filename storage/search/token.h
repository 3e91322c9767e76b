// Splits a filter or an order into tokens, one at a time, so that a long text
// takes no more memory than a short one.
//
//   word      letters, digits, _ . - / : @ and all beyond ASCII; begins with a
//             letter, _ or something beyond ASCII
//   number    1, -1, .2, 1e300
//   'text'    a quote within it is written twice; a backslash is itself
//   "text"    likewise: a text, or a key behind a dot
//   `key`     likewise: always a key
//   = != < <= > >= ( ) ,
#ifndef WATERFLOW_STORAGE_SEARCH_TOKEN_H_
#define WATERFLOW_STORAGE_SEARCH_TOKEN_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace waterflow::storage {

struct Token {
  enum class Kind : uint8_t {
    kEnd,
    kWord,
    kNumber,
    kSingleQuoted,
    kDoubleQuoted,
    kBackquoted,
    kSymbol,
  };
  Kind kind = Kind::kEnd;
  size_t at = 0;          // where it begins, in bytes
  absl::string_view raw;  // as it was written
  std::string text;       // between the quotes, without the doubled ones

  size_t end() const { return at + raw.size(); }
  bool Is(absl::string_view symbol) const {
    return kind == Kind::kSymbol && raw == symbol;
  }
  // Keywords are words in either case.
  bool IsWord(absl::string_view keyword) const;
  // For messages: what was found, cut short.
  std::string Found() const;
};

class Tokenizer {
 public:
  // `input` must outlive it and its tokens. It must be UTF-8.
  explicit Tokenizer(absl::string_view input) : input_(input) {}

  // INVALID_ARGUMENT names the column.
  absl::StatusOr<Token> Next();

  // INVALID_ARGUMENT: "column 7: <message>". Columns count characters, from 1.
  absl::Status ErrorAt(size_t at, absl::string_view message) const;

 private:
  absl::StatusOr<Token> TakeQuoted(char quote, Token::Kind kind);
  absl::StatusOr<Token> TakeNumber();
  Token Take(size_t length, Token::Kind kind);

  const absl::string_view input_;
  size_t at_ = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_SEARCH_TOKEN_H_
