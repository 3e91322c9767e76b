// What the stream front does with raw messages: takes a batch out without
// parsing it, and says what is wrong with one that does not parse.
#ifndef WATERFLOW_SERVER_WIRE_H_
#define WATERFLOW_SERVER_WIRE_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/ingest_backend.h"
#include "storage/model/ids.h"

namespace waterflow::server {

// The bytes of the batch when `message` is a StreamRequest that holds a batch
// and nothing else:
//
//   0x1a (field 3, length-delimited)  varint n  n bytes of waterflow.v1.Batch
//
// with n bytes to the end of the message. Copied once, out of however many
// slices gRPC received: a kept slice would pin a whole read buffer. Nothing for
// any other message, which is then for the generated parser.
std::optional<storage::BatchBody> TakeBatch(const grpc::ByteBuffer& message);

// Parses `raw` as `message`. INVALID_ARGUMENT says where it breaks: the field
// that is not UTF-8, or that the bytes are no protobuf; `message` then holds
// what came before.
absl::Status ParseMessage(const grpc::ByteBuffer& raw,
                          google::protobuf::Message* message);

// Looks for what makes `bytes` unparsable as a message of `type`; the answer is
// a sentence such as "schema.metrics[1].name: is not valid UTF-8".
std::string ExplainParseFailure(const google::protobuf::Descriptor& type,
                                absl::string_view bytes);

// Ack.token, WriteResponse.token, ReadRequest.at_least: the position as 8
// bytes, big-endian.
std::string EncodeToken(storage::Position position);
// An empty token is the position before everything; else 8 bytes are expected.
absl::StatusOr<storage::Position> DecodeToken(absl::string_view token);

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_WIRE_H_
