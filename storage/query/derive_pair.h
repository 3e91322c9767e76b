// A series made of two metrics of one run, step by step.
#ifndef WATERFLOW_STORAGE_QUERY_DERIVE_PAIR_H_
#define WATERFLOW_STORAGE_QUERY_DERIVE_PAIR_H_

#include <memory>
#include <string>

#include "storage/query/derive.h"

namespace waterflow::storage {

enum class PairOperation { kDifference, kRatio };

// "loss - val_loss".
std::string PairName(const std::string& metric, const std::string& other,
                     PairOperation operation);

// Keeps the series of the two until a run's parts are over, at most
// kMaxPairedPoints (RESOURCE_EXHAUSTED); other metrics go through.
std::unique_ptr<Deriver> MakePairDeriver(std::string metric, std::string other,
                                         PairOperation operation,
                                         PartSink sink);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_DERIVE_PAIR_H_
