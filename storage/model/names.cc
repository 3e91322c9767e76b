#include "storage/model/names.h"

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/model/limits.h"

namespace waterflow::storage {
namespace {

// Length of the well-formed sequence at the front of `text`; 0: none is there.
size_t Utf8SequenceLength(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                        : lead >= 0xe0 && lead <= 0xef ? 3
                        : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                       : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // The second byte rules out overlong forms, surrogates and what is beyond
  // U+10FFFF (RFC 3629, section 4).
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;
  if (lead == 0xed && byte(1) > 0x9f) return 0;
  if (lead == 0xf0 && byte(1) < 0x90) return 0;
  if (lead == 0xf4 && byte(1) > 0x8f) return 0;
  return length;
}

}  // namespace

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string Quoted(absl::string_view value) {
  const bool cut = value.size() > 64;
  return absl::StrCat("\"", absl::CHexEscape(value.substr(0, 64)),
                      cut ? "...\"" : "\"");
}

absl::Status CheckText(absl::string_view field, absl::string_view value,
                       size_t max_bytes) {
  if (value.size() > max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " ", Quoted(value), ": has ", value.size(),
                     " bytes, at most ", max_bytes, " are allowed"));
  }
  if (!IsUtf8(value)) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " ", Quoted(value), ": is not valid UTF-8"));
  }
  return absl::OkStatus();
}

absl::Status CheckName(absl::string_view field, absl::string_view value,
                       size_t min_bytes, size_t max_bytes) {
  if (value.size() < min_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " is empty: 1 to ", max_bytes, " bytes expected"));
  }
  if (absl::Status s = CheckText(field, value, max_bytes); !s.ok()) return s;
  for (const char c : value) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      return absl::InvalidArgumentError(absl::StrCat(
          field, " ", Quoted(value), ": holds a control character"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTags(absl::string_view field, const Tags& tags,
                       size_t max_count) {
  if (tags.size() > max_count) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": ", tags.size(),
                                                   " entries, at most ",
                                                   max_count, " are allowed"));
  }
  for (const auto& [key, value] : tags) {
    if (absl::Status s =
            CheckName(absl::StrCat("key of ", field), key, 1, kMaxTagKeyBytes);
        !s.ok()) {
      return s;
    }
    if (absl::Status s = CheckText(absl::StrCat(field, "[", key, "]"), value,
                                   kMaxTagValueBytes);
        !s.ok()) {
      return s;
    }
  }
  return absl::OkStatus();
}

absl::Status CheckWorker(const Worker& worker) {
  if (worker.rank > kMaxRank) {
    return absl::InvalidArgumentError(
        absl::StrCat("worker.rank ", worker.rank, ": at most ", kMaxRank));
  }
  return CheckName("worker.role", worker.role, 0, kMaxWorkerRoleBytes);
}

absl::Status CheckSchema(const std::vector<Metric>& metrics) {
  if (metrics.empty() || metrics.size() > kMaxSchemaMetrics) {
    return absl::InvalidArgumentError(
        absl::StrCat("schema: ", metrics.size(), " metrics, 1 to ",
                     kMaxSchemaMetrics, " are allowed"));
  }
  absl::flat_hash_map<absl::string_view, size_t> seen;
  for (size_t i = 0; i < metrics.size(); ++i) {
    const Metric& m = metrics[i];
    const std::string field = absl::StrCat("schema: metric ", i);
    for (const absl::Status& s :
         {CheckName(field, m.name, 1, kMaxMetricNameBytes),
          CheckText(absl::StrCat(field, " unit"), m.unit, kMaxUnitBytes),
          CheckText(absl::StrCat(field, " description"), m.description,
                    kMaxDescriptionBytes),
          CheckName(absl::StrCat(field, " role"), m.role, 0,
                    kMaxMetricRoleBytes),
          CheckName(absl::StrCat(field, " step_metric"), m.step_metric, 0,
                    kMaxMetricNameBytes)}) {
      if (!s.ok()) return s;
    }
    if (m.goal > Goal::kMaximize) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, " ", Quoted(m.name), " goal ",
                       static_cast<int>(m.goal), ": at most 2"));
    }
    if (m.reduction > Reduction::kMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, " ", Quoted(m.name), " reduction ",
                       static_cast<int>(m.reduction), ": at most 4"));
    }
    const auto [it, is_new] = seen.emplace(m.name, i);
    if (!is_new) {
      return absl::InvalidArgumentError(absl::StrCat(
          field, " ", Quoted(m.name), ": is metric ", it->second, " already"));
    }
  }
  return absl::OkStatus();
}

}  // namespace waterflow::storage
