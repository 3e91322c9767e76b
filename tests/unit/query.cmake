waterflow_test(query_math_test unit SOURCES query_math_test.cc query_math_model_test.cc
               LIBS storage_query_math)
