// How much memory this process may use, as the machine and its control group
// say.
#ifndef WATERFLOW_STORAGE_MODEL_MACHINE_MEMORY_H_
#define WATERFLOW_STORAGE_MODEL_MACHINE_MEMORY_H_

#include <cstdint>
#include <string>

namespace waterflow::storage {

// The least of the machine's memory and of the limits of the process's control
// group and of those above it (version 1 or 2). `root` stands before /proc and
// /sys: a test makes a machine of its own there. 0 when nothing is known.
uint64_t MachineMemoryBytes(const std::string& root = "");

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_MODEL_MACHINE_MEMORY_H_
