waterflow_test(codec_test unit
               SOURCES codec_chunk_test.cc codec_column_test.cc codec_corruption_test.cc
               LIBS storage_codec)
waterflow_test(codec_parts_test unit SOURCES codec_parts_test.cc LIBS storage_codec)
