#include "client/cli/format.h"

#include <charconv>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace waterflow::cli {
namespace {

// "RUN_STATUS_LOST" -> "lost".
std::string EnumText(const std::string& name, absl::string_view prefix) {
  return absl::AsciiStrToLower(absl::StripPrefix(name, prefix));
}

}  // namespace

std::string WithCommas(uint64_t number) {
  if (number < 1000) return absl::StrCat(number);
  return absl::StrCat(WithCommas(number / 1000), ",",
                      absl::Dec(number % 1000, absl::kZeroPad3));
}

std::string ShortCount(double number) {
  if (number < 1000) return absl::StrFormat("%.0f", number);
  if (number < 1e6) return absl::StrFormat("%.1f k", number / 1e3);
  if (number < 1e9) return absl::StrFormat("%.1f M", number / 1e6);
  return absl::StrFormat("%.1f G", number / 1e9);
}

std::string ShortBytes(uint64_t bytes) {
  const auto b = static_cast<double>(bytes);
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  if (bytes < 1024 * 1024) return absl::StrFormat("%.1f KiB", b / 1024);
  if (bytes < uint64_t{1} << 30) {
    return absl::StrFormat("%.1f MiB", b / (1 << 20));
  }
  return absl::StrFormat("%.2f GiB", b / (1 << 30));
}

std::string ShortValue(double value) { return absl::StrFormat("%.6g", value); }

std::string ExactValue(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end.ptr);
}

std::string LocalTime(int64_t unix_ns) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixNanos(unix_ns),
                          absl::LocalTimeZone());
}

std::string ShortDuration(int64_t ns) {
  const bool negative = ns < 0;
  const double seconds = std::abs(static_cast<double>(ns)) / 1e9;
  std::string text;
  if (seconds < 1) {
    text = absl::StrFormat("%.0f ms", seconds * 1e3);
  } else if (seconds < 60) {
    text = absl::StrFormat("%.1fs", seconds);
  } else if (seconds < 3600) {
    text = absl::StrFormat("%dm %02ds", static_cast<int>(seconds) / 60,
                           static_cast<int>(seconds) % 60);
  } else {
    text = absl::StrFormat("%dh %02dm", static_cast<int>(seconds / 3600),
                           static_cast<int>(seconds / 60) % 60);
  }
  return negative ? absl::StrCat("-", text) : text;
}

std::string WorkerText(const v1::Worker& worker) {
  if (worker.role().empty()) return absl::StrCat(worker.rank());
  return absl::StrCat(worker.role(), ":", worker.rank());
}

std::string StatusText(v1::RunStatus status) {
  return EnumText(v1::RunStatus_Name(status), "RUN_STATUS_");
}

std::string ReductionText(v1::Reduction reduction) {
  if (reduction == v1::REDUCTION_UNSPECIFIED) return "mean";
  return EnumText(v1::Reduction_Name(reduction), "REDUCTION_");
}

std::string GoalText(v1::Goal goal) {
  if (goal == v1::GOAL_UNSPECIFIED) return "";
  return EnumText(v1::Goal_Name(goal), "GOAL_");
}

std::string PositionText(v1::Axis axis, int64_t position) {
  switch (axis) {
    case v1::AXIS_TIME:
      return absl::FormatTime("%Y-%m-%d %H:%M:%E3S",
                              absl::FromUnixNanos(position),
                              absl::LocalTimeZone());
    case v1::AXIS_RELATIVE_TIME:
      return absl::StrFormat("%.3fs", static_cast<double>(position) / 1e9);
    default:
      return absl::StrCat(position);
  }
}

std::string ShortId(const std::string& run_id) { return run_id.substr(0, 8); }

}  // namespace waterflow::cli
