// Which shapes of the format a data directory holds: a golden one without, say,
// a mixed chunk would let that codec change unseen.
#ifndef WATERFLOW_TESTS_GOLDEN_DIRECTORY_SHAPES_H_
#define WATERFLOW_TESTS_GOLDEN_DIRECTORY_SHAPES_H_

#include <set>
#include <string>

#include "storage/engine.h"

namespace waterflow::storage {

// As "chunk 7", "catalog P" or "record 2", of a store that no process has open.
std::set<std::string> ShapesOf(const EngineOptions& options);

// Those that this version has.
std::set<std::string> AllShapes();

}  // namespace waterflow::storage

#endif  // WATERFLOW_TESTS_GOLDEN_DIRECTORY_SHAPES_H_
