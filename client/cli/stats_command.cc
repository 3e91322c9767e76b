// waterflow stats and waterflow flush: what the server says of its store.
#include <iostream>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/format.h"
#include "client/cli/table.h"
#include "nlohmann/json.hpp"

namespace waterflow::cli {
namespace {

using FieldDescriptor = google::protobuf::FieldDescriptor;

// Every field under its own name, so that a new one needs no change here; those
// of a message within behind its name, if it is there.
// protobuf's own JSON would write 64-bit numbers as strings.
nlohmann::ordered_json ToJson(const google::protobuf::Message& message) {
  nlohmann::ordered_json json;
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!reflection->HasField(message, field)) continue;
      const auto within = ToJson(reflection->GetMessage(message, field));
      for (const auto& [name, value] : within.items()) {
        json[absl::StrCat(field->name(), "_", name)] = value;
      }
      continue;
    }
    auto& entry = json[field->name()];
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_UINT64:
        entry = reflection->GetUInt64(message, field);
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        entry = reflection->GetUInt32(message, field);
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        entry = reflection->GetDouble(message, field);
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        entry = reflection->GetBool(message, field);
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        entry = reflection->GetString(message, field);
        break;
      default:
        break;
    }
  }
  return json;
}

std::string Text(const std::string& name, const nlohmann::ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_float()) {
    return ShortDuration(static_cast<int64_t>(value.get<double>() * 1e9));
  }
  const auto number = value.get<uint64_t>();
  if (absl::EndsWith(name, "_bytes")) {
    return absl::StrCat(ShortBytes(number), " (", WithCommas(number), ")");
  }
  if (absl::EndsWith(name, "_ns")) {
    return absl::StrFormat("%.3f s", static_cast<double>(number) / 1e9);
  }
  return WithCommas(number);
}

absl::Status Stats(Api& api, bool as_json) {
  auto stats = Call(*api.admin, &v1::Admin::Stub::Stats, v1::StatsRequest());
  if (!stats.ok()) return stats.status();
  nlohmann::ordered_json json = ToJson(*stats);
  if (as_json) {
    std::cout << json.dump(2) << '\n';
    return absl::OkStatus();
  }
  Table table({"server", api.server});
  for (const auto& [name, value] : json.items()) {
    table.Add({name, Text(name, value)});
  }
  const uint64_t bytes =
      stats->sst_bytes() + stats->wal_bytes() + stats->manifest_bytes();
  table.Add({"bytes on disk", ShortBytes(bytes)});
  if (stats->values() > 0) {
    table.Add(
        {"bytes on disk per value",
         absl::StrFormat("%.2f", static_cast<double>(bytes) /
                                     static_cast<double>(stats->values()))});
  }
  table.Print(std::cout);
  return absl::OkStatus();
}

absl::Status Flush(Api& api) {
  auto flushed = Call(*api.admin, &v1::Admin::Stub::Flush, v1::FlushRequest());
  if (!flushed.ok()) return flushed.status();
  std::cout << "sealed " << WithCommas(flushed->rows_sealed()) << " rows\n";
  return absl::OkStatus();
}

}  // namespace

void AddStatsCommand(CLI::App& app, Session* session) {
  CLI::App* stats =
      app.add_subcommand("stats", "What the server holds and what it costs");
  stats->footer(
      "Examples:\n  waterflow stats\n  waterflow stats --json | jq .values");
  auto as_json = std::make_shared<bool>(false);
  stats->add_flag("--json", *as_json, "All numbers as one JSON object");
  stats->callback([=] {
    session->action = [=](Api& api) { return Stats(api, *as_json); };
  });
}

void AddFlushCommand(CLI::App& app, Session* session) {
  CLI::App* flush = app.add_subcommand(
      "flush", "Seal and compact all that is durable; returns when done");
  flush->footer("Examples:\n  waterflow flush");
  flush->callback(
      [=] { session->action = [](Api& api) { return Flush(api); }; });
}

}  // namespace waterflow::cli
