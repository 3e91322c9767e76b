waterflow_test(query_math_test unit SOURCES query_math_test.cc query_math_model_test.cc
               LIBS storage_query_math)
waterflow_test(query_gate_test unit SOURCES query_gate_test.cc
               LIBS storage_query)
waterflow_test(query_selection_test unit SOURCES query_selection_test.cc
               LIBS storage_selection)
waterflow_test(query_derive_test unit SOURCES query_derive_test.cc
               LIBS storage_derive)
waterflow_test(engine_query_test unit SOURCES engine_selection_test.cc engine_tail_test.cc
               LIBS storage_engine)
