#include "storage/search/token.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/model/names.h"

namespace waterflow::storage {
namespace {

bool BeginsWord(char c) {
  return absl::ascii_isalpha(c) || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool InWord(char c) {
  return BeginsWord(c) || absl::ascii_isdigit(c) || c == '.' || c == '-' ||
         c == '/' || c == ':' || c == '@';
}

// Bytes of the character that begins with `c`.
size_t CharacterBytes(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

}  // namespace

bool Token::IsWord(absl::string_view keyword) const {
  return kind == Kind::kWord && absl::EqualsIgnoreCase(raw, keyword);
}

std::string Token::Found() const {
  switch (kind) {
    case Kind::kEnd:
      return "the end";
    case Kind::kSingleQuoted:
    case Kind::kDoubleQuoted:
      return absl::StrCat("the text ", Quoted(text));
    case Kind::kBackquoted:
      return absl::StrCat("the key ", Quoted(text));
    default:
      return Quoted(raw);
  }
}

absl::StatusOr<Token> Tokenizer::Next() {
  while (at_ < input_.size() && absl::ascii_isspace(input_[at_])) ++at_;
  if (at_ == input_.size()) return Take(0, Token::Kind::kEnd);
  const char c = input_[at_];
  const char next = at_ + 1 < input_.size() ? input_[at_ + 1] : '\0';
  switch (c) {
    case '\'':
      return TakeQuoted(c, Token::Kind::kSingleQuoted);
    case '"':
      return TakeQuoted(c, Token::Kind::kDoubleQuoted);
    case '`':
      return TakeQuoted(c, Token::Kind::kBackquoted);
    case '(':
    case ')':
    case ',':
      return Take(1, Token::Kind::kSymbol);
    case '=':
      if (next == '=')
        return ErrorAt(at_, "\"==\" is no operator, write \"=\"");
      return Take(1, Token::Kind::kSymbol);
    case '!':
      if (next != '=') break;
      return Take(2, Token::Kind::kSymbol);
    case '<':
      if (next == '>') {
        return ErrorAt(at_, "\"<>\" is no operator, write \"!=\"");
      }
      [[fallthrough]];
    case '>':
      return Take(next == '=' ? 2 : 1, Token::Kind::kSymbol);
    default:
      break;
  }
  if (BeginsWord(c)) {
    size_t length = 1;
    while (at_ + length < input_.size() && InWord(input_[at_ + length])) {
      ++length;
    }
    return Take(length, Token::Kind::kWord);
  }
  if (absl::ascii_isdigit(c) || c == '.' || c == '-' || c == '+') {
    return TakeNumber();
  }
  return ErrorAt(at_, absl::StrCat("unexpected character ",
                                   Quoted(input_.substr(at_, 1))));
}

absl::StatusOr<Token> Tokenizer::TakeQuoted(char quote, Token::Kind kind) {
  std::string text;
  size_t end = at_ + 1;
  while (true) {
    const size_t close = input_.find(quote, end);
    if (close == absl::string_view::npos) {
      return ErrorAt(at_, "this quote is never closed");
    }
    absl::StrAppend(&text, input_.substr(end, close - end));
    end = close + 1;
    if (end == input_.size() || input_[end] != quote) break;
    text.push_back(quote);  // doubled: one of it, and the text goes on
    ++end;
  }
  Token token = Take(end - at_, kind);
  token.text = std::move(text);
  return token;
}

absl::StatusOr<Token> Tokenizer::TakeNumber() {
  size_t end = at_;
  const auto at_char = [&](absl::string_view any_of) {
    return end < input_.size() && absl::StrContains(any_of, input_[end]);
  };
  const auto digits = [&] {
    const size_t begin = end;
    while (end < input_.size() && absl::ascii_isdigit(input_[end])) ++end;
    return end - begin;
  };
  if (at_char("+-")) ++end;
  size_t count = digits();
  if (at_char(".")) {
    ++end;
    count += digits();
  }
  bool well_formed = count > 0;
  if (well_formed && at_char("eE")) {
    ++end;
    if (at_char("+-")) ++end;
    well_formed = digits() > 0;
  }
  // "1e-4x" is no number with something behind it.
  if (!well_formed || (end < input_.size() && InWord(input_[end]))) {
    return ErrorAt(at_, "this is no number");
  }
  return Take(end - at_, Token::Kind::kNumber);
}

Token Tokenizer::Take(size_t length, Token::Kind kind) {
  Token token;
  token.kind = kind;
  token.at = at_;
  token.raw = input_.substr(at_, length);
  at_ += length;
  return token;
}

absl::Status Tokenizer::ErrorAt(size_t at, absl::string_view message) const {
  size_t column = 1;
  for (size_t i = 0; i < at; i += CharacterBytes(input_[i])) ++column;
  return absl::InvalidArgumentError(
      absl::StrCat("column ", column, ": ", message));
}

}  // namespace waterflow::storage
