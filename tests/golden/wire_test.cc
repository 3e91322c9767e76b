// Bytes on the wire of Ingest.Stream (wire.txt): clients of other versions and
// languages are out there, and the log keeps batches as they came, so field
// numbers and types never change.
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "tests/golden/golden_file.h"
#include "waterflow/v1/ingest.pb.h"

namespace waterflow::v1 {
namespace {

using ::google::protobuf::Message;
using ::google::protobuf::TextFormat;

std::unique_ptr<Message> NewMessage(const std::string& type) {
  if (type == "StreamRequest") return std::make_unique<StreamRequest>();
  if (type == "StreamResponse") return std::make_unique<StreamResponse>();
  if (type == "Batch") return std::make_unique<Batch>();
  if (type == "WriteRequest") return std::make_unique<WriteRequest>();
  if (type == "WriteResponse") return std::make_unique<WriteResponse>();
  return nullptr;
}

std::string Text(const Message& message) {
  std::string text;
  TextFormat::PrintToString(message, &text);
  return text;
}

TEST(GoldenTest, MessagesKeepTheirBytes) {
  std::set<std::string> seen;
  for (const GoldenRecord& record : ReadGoldenFile("wire.txt")) {
    const std::string type = Field(record, "type");
    SCOPED_TRACE(Field(record, "name") + ", a " + type);
    const std::unique_ptr<Message> expected = NewMessage(type);
    ASSERT_NE(expected, nullptr);
    ASSERT_TRUE(
        TextFormat::ParseFromString(Field(record, "text"), expected.get()));
    const std::string bytes = FromHex(Field(record, "bytes"));
    EXPECT_EQ(ToHex(expected->SerializeAsString()), ToHex(bytes));

    const std::unique_ptr<Message> parsed = NewMessage(type);
    ASSERT_TRUE(parsed->ParseFromString(bytes));
    EXPECT_EQ(Text(*parsed), Text(*expected));
    EXPECT_EQ(ToHex(parsed->SerializeAsString()), ToHex(bytes));
    seen.insert(Field(record, "name"));
  }
  // Every message of the stream is pinned.
  for (const auto* oneof : {StreamRequest::descriptor()->oneof_decl(0),
                            StreamResponse::descriptor()->oneof_decl(0)}) {
    for (int i = 0; i < oneof->field_count(); ++i) {
      EXPECT_EQ(seen.count(oneof->field(i)->name()), 1u)
          << oneof->field(i)->full_name() << " is not in wire.txt";
    }
  }
}

}  // namespace
}  // namespace waterflow::v1
