// A page token, before base64 (web-safe, without padding):
//
//   version u8 = 1, search u64 (SearchHash), values, start_ns i64, id 16 bytes,
//   checksum as of blocks
//   values  of each OrderItem: kind u8, then of a number its 8 bytes, of a time
//           8 bytes, of a text its length as varint and its bytes
//
// The checksum keeps out what was cut or mistyped. It is no secret: who forges
// a token gets a page of runs that he may list anyway.
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/format/checksum.h"
#include "storage/model/limits.h"
#include "storage/model/names.h"
#include "storage/search/run_search.h"

namespace waterflow::storage {
namespace {

constexpr uint8_t kVersion = 1;
// Longer than the longest: every value a tag's, in base64.
constexpr size_t kMaxTokenBytes = 2 * kMaxOrderBy * (kMaxTagValueBytes + 16);

FieldValue::Kind KindOf(FieldType type) {
  switch (type) {
    case FieldType::kNumber:
      return FieldValue::Kind::kNumber;
    case FieldType::kTime:
      return FieldValue::Kind::kTime;
    case FieldType::kText:
      break;
  }
  return FieldValue::Kind::kText;
}

absl::Status Foreign(absl::string_view token) {
  return absl::InvalidArgumentError(absl::StrCat(
      "page_token ", Quoted(token), ": is none that was given out"));
}

bool DecodeValue(FieldValue::Kind expected, ByteReader* in,
                 SearchPlace::Value* out) {
  out->value.kind = static_cast<FieldValue::Kind>(in->Fixed<uint8_t>());
  if (out->value.missing()) return in->ok();
  if (out->value.kind != expected) return false;
  switch (expected) {
    case FieldValue::Kind::kNumber:
      out->value.number = in->Fixed<double>();
      break;
    case FieldValue::Kind::kTime:
      out->value.time_ns = in->Fixed<int64_t>();
      break;
    default:
      out->text = std::string(in->String());
  }
  return in->ok();
}

}  // namespace

std::string EncodePageToken(const SearchPlace& place, uint64_t search) {
  std::string bytes;
  AppendFixed(kVersion, &bytes);
  AppendFixed(search, &bytes);
  for (const SearchPlace::Value& value : place.values) {
    AppendFixed(static_cast<uint8_t>(value.value.kind), &bytes);
    switch (value.value.kind) {
      case FieldValue::Kind::kMissing:
        break;
      case FieldValue::Kind::kNumber:
        AppendFixed(value.value.number, &bytes);
        break;
      case FieldValue::Kind::kTime:
        AppendFixed(value.value.time_ns, &bytes);
        break;
      case FieldValue::Kind::kText:
        AppendString(value.text, &bytes);
        break;
    }
  }
  AppendFixed(place.start_ns, &bytes);
  bytes.append(place.id.raw().data(), place.id.raw().size());
  AppendChecksum(&bytes);
  return absl::WebSafeBase64Escape(bytes);
}

absl::StatusOr<SearchPlace> DecodePageToken(absl::string_view token,
                                            uint64_t search,
                                            const SearchQuery& query) {
  std::string bytes;
  if (token.size() > kMaxTokenBytes ||
      !absl::WebSafeBase64Unescape(token, &bytes)) {
    return Foreign(token);
  }
  const absl::StatusOr<absl::string_view> checked = VerifyChecksum(bytes);
  if (!checked.ok()) return Foreign(token);
  ByteReader in(*checked);
  if (in.Fixed<uint8_t>() != kVersion) return Foreign(token);
  if (in.Fixed<uint64_t>() != search) {
    return absl::InvalidArgumentError(
        "page_token: was given out for other projects, or another filter or "
        "order");
  }
  SearchPlace place;
  for (const OrderItem& item : query.order) {
    if (!DecodeValue(KindOf(TypeOf(query.fields[item.field])), &in,
                     &place.values.emplace_back())) {
      return Foreign(token);
    }
  }
  place.start_ns = in.Fixed<int64_t>();
  const absl::StatusOr<Uuid> id = Uuid::FromBytes(in.Bytes(sizeof(Uuid)));
  if (!id.ok() || !in.done()) return Foreign(token);
  place.id = *id;
  return place;
}

uint64_t SearchHash(const std::vector<std::string>& projects,
                    absl::string_view filter,
                    const std::vector<std::string>& order_by) {
  std::string bytes;
  AppendVarint(projects.size(), &bytes);
  for (const std::string& project : projects) AppendString(project, &bytes);
  AppendString(filter, &bytes);
  for (const std::string& order : order_by) AppendString(order, &bytes);
  return ChecksumOf(bytes);
}

}  // namespace waterflow::storage
