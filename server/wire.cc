#include "server/wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/model/names.h"

namespace waterflow::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr uint8_t kBatchTag = 0x1a;

// Reads a ByteBuffer front to back without taking references to its slices.
class SliceReader {
 public:
  explicit SliceReader(const grpc::ByteBuffer& buffer)
      // The reader changes nothing; grpc's signature lacks the const.
      : reader_(const_cast<grpc::ByteBuffer*>(&buffer)) {}

  bool NextByte(uint8_t* byte) {
    while (left_ == 0) {
      if (!NextSlice()) return false;
    }
    *byte = static_cast<uint8_t>(*at_++);
    --left_;
    return true;
  }

  bool NextVarint(uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      uint8_t byte;
      if (!NextByte(&byte)) return false;
      *value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  // Copies all that is left: `size` bytes, or it is false.
  bool CopyRest(char* to, size_t size) {
    while (size > 0) {
      if (left_ == 0 && !NextSlice()) return false;
      if (left_ > size) return false;
      std::memcpy(to, at_, left_);
      to += left_;
      size -= left_;
      left_ = 0;
    }
    return true;
  }

  size_t consumed() const { return received_ - left_; }

 private:
  bool NextSlice() {
    const void* data;
    int size;
    if (!reader_.Next(&data, &size)) return false;
    at_ = static_cast<const char*>(data);
    left_ = static_cast<size_t>(size);
    received_ += left_;
    return true;
  }

  grpc::ProtoBufferReader reader_;
  const char* at_ = nullptr;
  size_t left_ = 0;
  size_t received_ = 0;
};

// Walks one message of the wire format. True: nothing is wrong with it;
// otherwise *what says what and where.
bool Walk(const Descriptor& type, const std::string& path,
          absl::string_view bytes, int depth, std::string* what) {
  const auto broken = [&](absl::string_view how) {
    *what = absl::StrCat(path.empty() ? type.name() : path, ": ", how);
    return false;
  };
  if (depth == 0) return broken("nested too deeply");
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                      static_cast<int>(bytes.size()));
  std::map<int, int> seen;  // how often each field came
  while (true) {
    const int at = in.CurrentPosition();
    const uint32_t tag = in.ReadTag();
    if (tag == 0) {
      if (at == static_cast<int>(bytes.size())) return true;
      return broken(absl::StrCat("not a protobuf message at its byte ", at));
    }
    const int number = WireFormatLite::GetTagFieldNumber(tag);
    if (WireFormatLite::GetTagWireType(tag) !=
        WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&in, tag)) {
        return broken(absl::StrCat("field ", number, " at its byte ", at,
                                   " is cut short or malformed"));
      }
      continue;
    }
    uint32_t length;
    if (!in.ReadVarint32(&length) ||
        length > bytes.size() - static_cast<size_t>(in.CurrentPosition())) {
      return broken(absl::StrCat("field ", number, " at its byte ", at,
                                 " reaches past the end"));
    }
    const absl::string_view value = bytes.substr(in.CurrentPosition(), length);
    in.Skip(static_cast<int>(length));
    const FieldDescriptor* field = type.FindFieldByNumber(number);
    if (field == nullptr) continue;
    std::string name =
        path.empty() ? field->name() : absl::StrCat(path, ".", field->name());
    if (field->is_repeated()) absl::StrAppend(&name, "[", seen[number]++, "]");
    if (field->type() == FieldDescriptor::TYPE_MESSAGE) {
      if (!Walk(*field->message_type(), name, value, depth - 1, what)) {
        return false;
      }
    } else if (field->type() == FieldDescriptor::TYPE_STRING &&
               !storage::IsUtf8(value)) {
      *what = absl::StrCat(name, " ", storage::Quoted(value),
                           ": is not valid UTF-8");
      return false;
    }
  }
}

}  // namespace

std::optional<storage::BatchBody> TakeBatch(const grpc::ByteBuffer& message) {
  SliceReader reader(message);
  uint8_t tag;
  uint64_t length;
  if (!reader.NextByte(&tag) || tag != kBatchTag ||
      !reader.NextVarint(&length) ||
      length != message.Length() - reader.consumed()) {
    return std::nullopt;
  }
  storage::BatchBody body;
  body.size = length;
  body.bytes = std::make_unique_for_overwrite<char[]>(length);
  if (!reader.CopyRest(body.bytes.get(), body.size)) return std::nullopt;
  return body;
}

absl::Status ParseMessage(const grpc::ByteBuffer& raw,
                          google::protobuf::Message* message) {
  {
    grpc::ProtoBufferReader reader(const_cast<grpc::ByteBuffer*>(&raw));
    if (message->ParseFromZeroCopyStream(&reader)) return absl::OkStatus();
  }
  grpc::Slice whole;
  if (!raw.DumpToSingleSlice(&whole).ok()) {
    return absl::InvalidArgumentError("the message cannot be unpacked");
  }
  return absl::InvalidArgumentError(ExplainParseFailure(
      *message->GetDescriptor(),
      {reinterpret_cast<const char*>(whole.begin()), whole.size()}));
}

std::string ExplainParseFailure(const Descriptor& type,
                                absl::string_view bytes) {
  constexpr int kMaxDepth = 100;  // as protobuf's own parser
  std::string what;
  if (Walk(type, "", bytes, kMaxDepth, &what)) {
    return absl::StrCat("not a ", type.full_name());
  }
  return what;
}

std::string EncodeToken(storage::Position position) {
  std::string token;
  for (int shift = 56; shift >= 0; shift -= 8) {
    token.push_back(static_cast<char>(position.value >> shift));
  }
  return token;
}

absl::StatusOr<storage::Position> DecodeToken(absl::string_view token) {
  if (token.empty()) return storage::Position{};
  if (token.size() != sizeof(uint64_t)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "at_least: has ", token.size(), " bytes; a token of an ack has 8"));
  }
  storage::Position position;
  for (const char byte : token) {
    position.value = position.value << 8 | static_cast<uint8_t>(byte);
  }
  return position;
}

}  // namespace waterflow::server
