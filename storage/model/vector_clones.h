// For functions whose loops the compiler vectorises: compiled twice, for any
// processor and for those with AVX2, whose registers hold twice as many values;
// the loader takes the one that fits. Both give the same bits: AVX2 without FMA
// rounds as SSE2 does.
#ifndef WATERFLOW_STORAGE_MODEL_VECTOR_CLONES_H_
#define WATERFLOW_STORAGE_MODEL_VECTOR_CLONES_H_

// Sanitizers are not ready yet when the loader chooses.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define WATERFLOW_VECTOR_CLONES \
  __attribute__((target_clones("avx2", "default")))
#else
#define WATERFLOW_VECTOR_CLONES
#endif

#endif  // WATERFLOW_STORAGE_MODEL_VECTOR_CLONES_H_
