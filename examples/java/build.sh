#!/bin/sh
# Stubs of ../../proto made by protoc's plugin, and StreamRows over them, into build/.
set -e
cd "$(dirname "$0")"
mkdir -p build/gen
protoc -I ../../proto --plugin=protoc-gen-grpc-java="$(command -v grpc_java_plugin)" \
  --java_out=build/gen --grpc-java_out=build/gen ../../proto/waterflow/v1/*.proto
javac @classpath -d build build/gen/io/waterflow/v1/*.java StreamRows.java
