// Derivations as they are typed: ema:0.6, rate, difference:A,B.
#ifndef WATERFLOW_CLIENT_CLI_DERIVATIONS_H_
#define WATERFLOW_CLIENT_CLI_DERIVATIONS_H_

#include <string>

#include "absl/status/statusor.h"
#include "waterflow/v1/query.pb.h"

namespace waterflow::cli {

// ema:WEIGHT, ema:half=N, rate, rate:step, rate:second, cumulative,
// difference:A,B or ratio:A,B. A metric whose name holds a comma needs the API.
absl::StatusOr<v1::Derivation> ParseDerivation(const std::string& text);

}  // namespace waterflow::cli

#endif  // WATERFLOW_CLIENT_CLI_DERIVATIONS_H_
